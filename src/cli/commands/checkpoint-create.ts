import { command } from '../command.ts'
import { bool, string } from '../flags.ts'

export default command({
  usage: '[OPTIONS] CONTAINER CHECKPOINT',
  summary: 'Write down the state of a running container',
  min: 2,
  max: 2,
  completes: 'running',
  flags: {
    'checkpoint-dir': string('Directory of the engine for it'),
    'leave-running': bool('Let the container go on'),
  },
  async run({ args: [container = '', name = ''], flags }, { client, out }) {
    await client.checkpoints.create(container, {
      CheckpointID: name,
      CheckpointDir: flags['checkpoint-dir'],
      Exit: !flags['leave-running'],
    })
    out(`${name}\n`)
  },
})
