import { command } from '../command.ts'

export default command({
  usage: 'CONTAINER NEW_NAME',
  summary: 'Give a container another name',
  min: 2,
  max: 2,
  completes: 'containers',
  flags: {},
  async run({ args: [ref = '', name = ''] }, { client }) {
    await client.containers.rename(ref, name)
  },
})
