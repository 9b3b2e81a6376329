import { commandError } from '../../errors.ts'
import { integer, string } from '../../flags.ts'
import { findContainer } from '../containers.ts'
import { subcommand } from '../subcommand.ts'

export default subcommand({
  usage: '[OPTIONS] SERVICE PRIVATE_PORT',
  summary: 'Print where a port of a service is published',
  min: 2,
  max: 2,
  flags: {
    index: integer('Number of the container, if there are several'),
    protocol: string('tcp or udp', { initial: 'tcp' }),
  },
  async run({ args: [service = '', port = ''], flags }, context) {
    const { summary, name } = await findContainer(service, flags.index, context)
    const found = (summary.Ports ?? []).find(
      ({ PrivatePort, Type, PublicPort }) =>
        String(PrivatePort) === port && Type === flags.protocol && PublicPort,
    )
    if (found === undefined)
      throw commandError(`no port ${port}/${flags.protocol} for container ${name}: it is not published`)
    const address = found.IP ?? '0.0.0.0'
    context.out(`${address.includes(':') ? `[${address}]` : address}:${found.PublicPort}\n`)
  },
})
