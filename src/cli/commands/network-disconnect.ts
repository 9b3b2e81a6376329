import { command } from '../command.ts'
import { bool } from '../flags.ts'

export default command({
  usage: '[OPTIONS] NETWORK CONTAINER',
  summary: 'Disconnect a container from a network, also while it runs',
  min: 2,
  max: 2,
  completes: 'networks',
  flags: { force: bool('Also when the container is gone', { short: 'f' }) },
  async run({ args: [network = '', container = ''], flags }, { client }) {
    await client.networks.disconnect(network, { Container: container, Force: flags.force })
  },
})
