import { openInput } from '../archive-input.ts'
import { command } from '../command.ts'
import { keyValues } from '../create/key-values.ts'
import { list } from '../flags.ts'

export default command({
  usage: '[OPTIONS] VOLUME FILE|-',
  summary: 'Make a volume with what is in a tar archive',
  min: 2,
  max: 2,
  flags: { label: list('Label (key[=value])') },
  async run({ args: [name = '', file = ''], flags }, { client, io, out, signal }) {
    const archive = file === '-' ? io.stdin : await openInput(file)
    const { Name } = await client.volumes.import(name, archive, { labels: keyValues(flags.label), signal })
    out(`${Name}\n`)
  },
})
