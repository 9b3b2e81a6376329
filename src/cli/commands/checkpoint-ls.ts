import { command } from '../command.ts'
import { string } from '../flags.ts'
import { formatList } from '../format/list.ts'
import { view } from '../format/template/view.ts'

export default command({
  usage: '[OPTIONS] CONTAINER',
  summary: 'List what was written down of a container',
  min: 1,
  max: 1,
  completes: 'containers',
  flags: { 'checkpoint-dir': string('Directory of the engine for it') },
  async run({ args: [container = ''], flags }, { client, out }) {
    const list = await client.checkpoints.list(container, flags['checkpoint-dir'] || undefined)
    const views = list.map(({ Name }) => view('*checkpoint.checkpointContext', { Name: () => Name }))
    out(formatList('table {{.Name}}', { Name: 'CHECKPOINT NAME' }, views))
  },
})
