/** Rules on the way: our own table, and those of others. */
import type { Hop } from '#api/network-reports.ts'
import type { FirewallReport, PortReport } from '#network/firewall-report.ts'
import { type NewPacket, judge } from '#network/foreign-rules.ts'
import type { Endpoint } from '#network/networks.ts'
import { targetText } from '../listening.ts'
import { broken, ok } from './hop.ts'
import type { Scene, UnreachableDeps } from './scene.ts'

/** Our own table. */
export function rulesHop({ report }: Scene, ports: readonly PortReport[]): Hop {
  const wait =
    'the engine puts it back at once; if it stays so, see the log of the engine and `berth network exposure`'
  if (!report.present) return broken('firewall', `table inet ${report.table} is missing`, wait)
  const missing = ports.flatMap(({ rules }) => rules.filter(({ inForce }) => !inForce))
  if (missing.length > 0) {
    return broken('firewall', `the table lacks ${missing.map(({ text }) => text).join(', ')}`, wait)
  }
  const unheld = ports.find(
    ({ held, rules, port }) => !held && port.hostPort !== 0 && (rules.length === 0 || report.respect),
  )
  if (unheld !== undefined) {
    return broken(
      'firewall',
      `${targetText(unheld.port.hostIp, unheld.port.hostPort)} cannot be held: another program has taken it`,
      'end that program, or publish another port',
    )
  }
  return ok(
    'firewall',
    `table inet ${report.table} leads ${ports.map(({ rules }) => rules[0]?.text ?? 'a socket').join(', ')}`,
  )
}

/** Tables of others, for what comes from other hosts. */
export function outsideFirewall(
  { networks }: UnreachableDeps,
  { report }: Scene,
  { port, address }: PortReport,
  endpoint: Endpoint | undefined,
): Hop {
  const { protocol, hostPort, containerPort } = port
  if (report.respect && hostPort !== 0) {
    return foreignHop(report, {
      hook: 'input',
      address: port.hostIp,
      protocol,
      port: hostPort,
      translated: false,
    })
  }
  const oifname = endpoint === undefined ? undefined : networks.network(endpoint.networkId)?.link
  const translated = hostPort !== 0
  return foreignHop(report, { hook: 'forward', oifname, address, protocol, port: containerPort, translated })
}

export function foreignHop({ foreign }: FirewallReport, packet: NewPacket): Hop {
  const what = packet.hook === 'input' ? 'for the host' : 'to forward'
  if (foreign === undefined) {
    return { Hop: 'firewall', State: 'doubt', Text: 'there are more rules of others than can be read' }
  }
  const { dropped, doubts } = judge(foreign, packet)
  if (dropped !== undefined) {
    const next = `let port ${packet.port}/${packet.protocol} pass there: \`nft list ruleset\` (ufw, firewalld and iptables write such tables)`
    return broken('firewall', `chain ${dropped} drops what comes ${what}`, next)
  }
  if (doubts.length > 0) {
    const Text = `it depends on rules of others: chain ${doubts.join(', chain ')}`
    return { Hop: 'firewall', State: 'doubt', Text, Next: 'nft list ruleset' }
  }
  return ok('firewall', 'no table of others drops it')
}
