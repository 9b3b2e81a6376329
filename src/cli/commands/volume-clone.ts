import { command } from '../command.ts'
import { keyValues } from '../create/key-values.ts'
import { list } from '../flags.ts'

export default command({
  usage: '[OPTIONS] VOLUME NEW_VOLUME',
  summary: 'Make a volume with the files of another one',
  min: 2,
  max: 2,
  completes: 'volumes',
  flags: { label: list('Label of the new one (key[=value])') },
  async run({ args: [name = '', to = ''], flags }, { client, out, signal }) {
    const { Name } = await client.volumes.clone(name, to, { labels: keyValues(flags.label), signal })
    out(`${Name}\n`)
  },
})
