import { command } from '../command.ts'

export default command({
  usage: 'VOLUME NEW_NAME',
  summary: 'Give a volume that no container has another name',
  min: 2,
  max: 2,
  completes: 'volumes',
  flags: {},
  async run({ args: [name = '', to = ''] }, { client }) {
    await client.volumes.rename(name, to)
  },
})
