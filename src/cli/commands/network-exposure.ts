import type { ExposedPort, Exposure } from '#api/network-reports.ts'
import { command } from '../command.ts'
import { bool, string } from '../flags.ts'
import { commandError } from '../errors.ts'
import { hostPort } from '../format/ports.ts'
import { alignColumns } from '../format/table.ts'

export default command({
  usage: '[OPTIONS] [CONTAINER...]',
  summary: 'Show every port that somebody can reach, from where, and by which rule',
  min: 0,
  completes: 'running',
  flags: {
    format: string("'table' or 'json'", { initial: 'table', completes: ['table', 'json'] }),
    published: bool('Only ports that are published, or of the network of the host'),
  },
  async run({ args, flags: { format, published } }, { client, out, err }) {
    if (format !== 'table' && format !== 'json')
      throw commandError(`--format takes table or json, not ${format}`)
    const all = await client.networks.exposure()
    const Ports = all.Ports.filter(
      (port) => args.length === 0 || args.some((ref) => isNamed(port, ref)),
    ).filter(({ Published, Through }) => !published || Published || Through.includes('host network'))
    const exposure = { ...all, Ports }
    if (format === 'json') out(`${JSON.stringify(exposure, undefined, 2)}\n`)
    else out(tableOf(exposure))
    for (const drift of exposure.Drift) err(`WARNING: the firewall is not as it should be: ${drift}\n`)
    for (const chain of exposure.Foreign) {
      err(`Note: chain ${chain} drops what none of its rules accepts\n`)
    }
  },
})

function isNamed({ Container, Name }: ExposedPort, ref: string): boolean {
  return Name === ref || Container.startsWith(ref)
}

function tableOf({ Ports }: Exposure): string {
  const rows = Ports.map((port) => [
    port.Name,
    `${hostPort(port.Address, String(port.Port))}/${port.Protocol}`,
    port.Target ?? '-',
    placesText(port.From),
    port.Through.join(', '),
    stateOf(port),
  ])
  const head = ['CONTAINER', 'PORT', 'TARGET', 'FROM', 'THROUGH', 'STATE']
  return `${alignColumns([head, ...rows].map((cells) => cells.join('\t')).join('\n'))}\n`
}

/** What is said of several is said once: `neighbours at A, B; networks x, y`. */
export function placesText(places: readonly string[]): string {
  const [neighbour, network] = ['neighbours at ', 'network ']
  const after = (prefix: string): string[] =>
    places.filter((place) => place.startsWith(prefix)).map((place) => place.slice(prefix.length))
  const others = places.filter((place) => !place.startsWith(neighbour) && !place.startsWith(network))
  const [addresses, names] = [after(neighbour), after(network)]
  return [
    ...others,
    ...(addresses.length === 0 ? [] : [`${neighbour}${addresses.join(', ')}`]),
    ...(names.length === 0 ? [] : [`network${names.length === 1 ? '' : 's'} ${names.join(', ')}`]),
  ].join('; ')
}

function stateOf({ InForce, Listening, Blocked }: ExposedPort): string {
  const problems = [
    ...(InForce ? [] : ['not in force']),
    ...(Listening ? [] : ['nobody listens']),
    ...(Blocked === undefined ? [] : [`other hosts dropped by ${Blocked}`]),
  ]
  return problems.length === 0 ? 'open' : problems.join('; ')
}
