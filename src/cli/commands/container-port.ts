import { command } from '../command.ts'
import { commandError } from '../errors.ts'
import { cut } from '../flags.ts'
import { hostPort } from '../format/ports.ts'

export default command({
  usage: 'CONTAINER [PRIVATE_PORT[/PROTO]]',
  summary: 'Show the published ports of a container, or where one of them is published',
  min: 1,
  max: 2,
  completes: 'running',
  flags: {},
  async run({ args: [ref = '', wanted] }, { client, out }) {
    const { NetworkSettings } = await client.containerQuery.inspect(ref)
    const ports = NetworkSettings?.Ports ?? {}
    if (wanted !== undefined) {
      const [port, protocol = 'tcp'] = cut(wanted, '/')
      const bindings = ports[`${port}/${protocol}`]
      if (bindings === undefined || bindings === null || bindings.length === 0) {
        throw commandError(`Error: No public port '${wanted}' published for ${ref}`)
      }
      for (const { HostIp, HostPort } of bindings) out(`${hostPort(HostIp ?? '', HostPort ?? '')}\n`)
      return
    }
    const lines = Object.entries(ports).flatMap(([name, bindings]) =>
      (bindings ?? []).map((each) => ({
        name,
        text: `${name} -> ${hostPort(each.HostIp ?? '', each.HostPort ?? '')}\n`,
      })),
    )
    const sorted = lines.toSorted((a, b) => numberOf(a.name) - numberOf(b.name) || (a.text < b.text ? -1 : 1))
    for (const { text } of sorted) out(text)
  },
})

function numberOf(port: string): number {
  return Number.parseInt(port, 10)
}
