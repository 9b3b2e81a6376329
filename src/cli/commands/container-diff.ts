import { command } from '../command.ts'
import { string } from '../flags.ts'
import { formatList } from '../format/list.ts'
import { view } from '../format/template/view.ts'

const kinds = ['C', 'A', 'D']

export default command({
  usage: 'CONTAINER',
  summary: 'Show which files were added (A), changed (C) or deleted (D) since the image',
  min: 1,
  max: 1,
  completes: 'containers',
  flags: { format: string("'json', or a Go template", { hidden: true }) },
  async run({ args: [ref = ''], flags }, { client, out }) {
    const changes = await client.containerQuery.changes(ref)
    const views = changes.map(({ Kind, Path }) =>
      view('*formatter.diffContext', { Type: () => kinds[Kind ?? 0] ?? '?', Path: () => Path ?? '' }),
    )
    out(formatList(flags.format || '{{.Type}} {{.Path}}', { Type: 'CHANGE TYPE', Path: 'PATH' }, views))
  },
})
