import { command } from '../command.ts'
import { string } from '../flags.ts'

export default command({
  usage: '[OPTIONS] CONTAINER CHECKPOINT',
  summary: 'Remove what was written down of a container',
  min: 2,
  max: 2,
  completes: 'containers',
  flags: { 'checkpoint-dir': string('Directory of the engine for it') },
  async run({ args: [container = '', name = ''], flags }, { client }) {
    await client.checkpoints.remove(container, name, flags['checkpoint-dir'] || undefined)
  },
})
