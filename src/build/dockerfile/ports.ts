import { SyntaxFailure } from './failure.ts'

const PROTOCOLS = ['tcp', 'udp', 'sctp']

/** The keys of `ExposedPorts` that an expanded port of EXPOSE stands for: `80` is `80/tcp`, `1-2/udp` two. */
export function parsePorts(text: string): readonly string[] {
  const slash = text.lastIndexOf('/')
  const protocol = (slash === -1 ? 'tcp' : text.slice(slash + 1)).toLowerCase()
  const address = slash === -1 ? text : text.slice(0, slash)
  const ports = address.slice(address.lastIndexOf(':') + 1)
  if (protocol !== '' && !PROTOCOLS.includes(protocol))
    throw new SyntaxFailure(`invalid port: ${JSON.stringify(text)}: invalid proto: ${protocol}`, {
      hint: `Protocols are ${PROTOCOLS.join(', ')}.`,
    })
  const range = /^(\d+)(?:-(\d+))?$/.exec(ports)
  const first = Number(range?.[1])
  const last = Number(range?.[2] ?? range?.[1])
  if (range === null || first > last || last > 65_535)
    throw new SyntaxFailure(`invalid containerPort: ${ports}`, {
      hint: 'A port is 0 to 65535, a range like 7000-7010.',
    })
  const suffix = protocol === '' ? 'tcp' : protocol
  return Array.from({ length: last - first + 1 }, (_, i) => `${first + i}/${suffix}`)
}
