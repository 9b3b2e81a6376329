/**
 * The text of our one nftables table, and reading it back; pure. Chains are static: a container is nothing but
 * elements of maps, so a start costs one small transaction however many containers and ports there are.
 */
import { canonicalAddress } from './address.ts'
import { modeOf } from './direct-ports.ts'
import type { NetworkInfo, Protocol, SubnetInfo } from './networks.ts'

export interface TableOptions {
  /** Name in the `inet` family. */
  readonly table: string
  /**
   * Forward nothing between the host's own interfaces: for a host that did not forward before we came. Links of
   * other software (bridges, tunnels, veth) are left to that software.
   */
  readonly closed: boolean
  /**
   * Published ports are not translated on their way in: what arrives from outside passes the host's own rules for input
   * and is served by the sockets that hold the ports.
   */
  readonly respect?: boolean | undefined
}

/** Sets and maps with elements, by their names in the table. */
const elementSets = {
  bridges: 'type ifname',
  icc: 'type ifname . ifname',
  from: 'type ifname : verdict',
  to: 'type ifname : verdict',
  deaf: 'type ifname',
  apart: 'type ifname . ifname',
  links4: 'type ipv4_addr . ipv4_addr . inet_proto . inet_service',
  links6: 'type ipv6_addr . ipv6_addr . inet_proto . inet_service',
  routed4: 'type ifname',
  routed6: 'type ifname',
  unprotected4: 'type ifname',
  unprotected6: 'type ifname',
  trusted: 'type ifname . ifname',
  open4: 'type ipv4_addr . inet_proto . inet_service',
  open6: 'type ipv6_addr . inet_proto . inet_service',
  direct4: 'type ipv4_addr . inet_proto . inet_service',
  direct6: 'type ipv6_addr . inet_proto . inet_service',
  subnets4: 'type ipv4_addr\n    flags interval',
  subnets6: 'type ipv6_addr\n    flags interval',
  gateways4: 'type ipv4_addr : ipv4_addr\n    flags interval',
  gateways6: 'type ipv6_addr : ipv6_addr\n    flags interval',
  masq4: 'type ipv4_addr\n    flags interval',
  masq6: 'type ipv6_addr\n    flags interval',
  self4: 'type ipv4_addr . inet_proto . inet_service',
  self6: 'type ipv6_addr . inet_proto . inet_service',
  dnat4: 'type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service',
  dnat4any: 'type inet_proto . inet_service : ipv4_addr . inet_service',
  dnat6: 'type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service',
  dnat6any: 'type inet_proto . inet_service : ipv6_addr . inet_service',
  relayed4: 'type inet_service',
  relayed6: 'type inet_service',
} as const

type ElementSet = keyof typeof elementSets

/** One element; `key` and `value` as nft spells them, parts joined by ` . `. */
export interface Element {
  readonly set: ElementSet
  readonly key: string
  readonly value?: string | undefined
  /** Short id of the owner. */
  readonly comment?: string | undefined
}

export type Elements = ReadonlyMap<string, Element>

/** What distinguishes two elements; the same for one key with another value. */
export function elementId(element: Pick<Element, 'set' | 'key'>): string {
  return `${element.set} ${element.key}`
}

export interface BridgeRules {
  /** Its containers may talk to each other. */
  readonly icc: boolean
  /** Nothing comes in or goes out. */
  readonly internal?: boolean | undefined
  /** What leaves for other links takes the host's address; default: yes. */
  readonly masquerade?: boolean | undefined
  readonly modes?: NetworkInfo['modes']
  readonly trusted?: NetworkInfo['trusted']
}

/** A bridge of ours with its subnets; `gateway` is the bridge's address in one, empty if it has none. */
export function bridgeElements(
  link: string,
  subnets: readonly Pick<SubnetInfo, 'subnet' | 'gateway'>[],
  rules: BridgeRules,
): Element[] {
  const { icc, internal = false, masquerade = true, modes } = rules
  const own = `${quoted(link)} . ${quoted(link)}`
  const masqueraded = subnets.filter(
    ({ subnet }) => masquerade && !internal && modeOf({ modes }, familyOf(subnet)) !== 'routed',
  )
  return [
    { set: 'bridges', key: quoted(link) },
    { set: icc ? 'icc' : 'apart', key: own },
    { set: 'from', key: quoted(link), value: internal ? 'jump enclosed' : 'goto outward' },
    { set: 'to', key: quoted(link), value: internal ? 'jump enclosed' : 'jump inward' },
    ...subnets.map(({ subnet }): Element => ({ set: `subnets${familyOf(subnet)}`, key: subnet })),
    ...subnets
      .filter(({ gateway }) => gateway !== '')
      .map(({ subnet, gateway }): Element => {
        return { set: `gateways${familyOf(subnet)}`, key: subnet, value: canonicalAddress(gateway) }
      }),
    ...masqueraded.map(({ subnet }): Element => ({ set: `masq${familyOf(subnet)}`, key: subnet })),
    ...(internal ? [] : waysIn(link, rules)),
  ]
}

function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4
}

/** A link whose packets the host does not hear. */
export function deafElement(link: string): Element {
  return { set: 'deaf', key: quoted(link) }
}

/** Who gets in beside answers, published ports of the host and the network itself. */
function waysIn(link: string, { modes, trusted = [] }: BridgeRules): Element[] {
  const key = quoted(link)
  const families = ([4, 6] as const).flatMap((family): Element[] => {
    const mode = modeOf({ modes }, family)
    if (mode === 'routed') return [{ set: `routed${family}`, key }]
    return mode === 'nat-unprotected' ? [{ set: `unprotected${family}`, key }] : []
  })
  return [
    ...families,
    ...trusted.map((from): Element => ({ set: 'trusted', key: `${quoted(from)} . ${key}` })),
  ]
}

export interface Forwarding {
  readonly hostIp: string
  readonly hostPort: number
  readonly protocol: Protocol
  readonly ip: string
  readonly port: number
  readonly comment: string
}

/**
 * The elements that forward a host port. Where the kernel cannot, to the other address family and from the IPv6 loopback
 * address, there is at most the one that sees to the answers of the socket that does it.
 */
export function forwardingElements(forwarding: Forwarding): Element[] {
  const { hostIp, hostPort, protocol, ip, port, comment } = forwarding
  const v6 = hostIp.includes(':')
  const wildcard = hostIp === '0.0.0.0' || hostIp === '::'
  const relayed: Element[] =
    wildcard && protocol === 'udp'
      ? [{ set: v6 ? 'relayed6' : 'relayed4', key: String(hostPort), comment }]
      : []
  if (v6 !== ip.includes(':') || hostIp === '::1') return relayed
  const service = `${protocol} . ${hostPort}`
  const target = canonicalAddress(ip)
  return [
    ...relayed,
    {
      set: `dnat${v6 ? 6 : 4}${wildcard ? 'any' : ''}`,
      key: wildcard ? service : `${canonicalAddress(hostIp)} . ${service}`,
      value: `${target} . ${port}`,
      comment,
    },
    { set: v6 ? 'self6' : 'self4', key: `${target} . ${service}`, comment },
  ]
}

/** Whether an element leads to a container, or opens a way; the others see to callers and answers of special kinds. */
export function leads({ set }: Element): boolean {
  return !set.startsWith('self') && !set.startsWith('relayed')
}

/** Replaces the whole table, whatever it was; the kernel switches over at once. */
export function fullTransaction(options: TableOptions, elements: Elements): string {
  return [
    `table inet ${options.table}`,
    `delete table inet ${options.table}`,
    tableText(options),
    ...operations(
      options.table,
      [...elements.values()].map((element) => ({ op: 'add', element })),
    ),
    '',
  ].join('\n')
}

export interface Change {
  readonly op: 'add' | 'delete'
  readonly element: Element
}

/** Applies changes in their order; neighbours of one kind share a statement. */
export function changeTransaction(table: string, changes: readonly Change[]): string {
  return `${operations(table, changes).join('\n')}\n`
}

function operations(table: string, changes: readonly Change[]): string[] {
  const statements: string[] = []
  let head = ''
  let bodies: string[] = []
  const flush = (): void => {
    if (bodies.length > 0) statements.push(`${head} { ${bodies.join(', ')} }`)
    bodies = []
  }
  for (const { op, element } of changes) {
    const next = `${op} element inet ${table} ${element.set}`
    if (next !== head) flush()
    head = next
    bodies.push(op === 'add' ? elementText(element) : element.key)
  }
  flush()
  return statements
}

function elementText({ key, value, comment }: Element): string {
  return (
    key + (comment === undefined ? '' : ` comment "${comment}"`) + (value === undefined ? '' : ` : ${value}`)
  )
}

function quoted(name: string): string {
  return `"${name}"`
}

function tableText({ table, closed, respect }: TableOptions): string {
  const sets = Object.keys(elementSets).map((name) => setText(name as ElementSet))
  return `table inet ${table} {\n${sets.join('\n')}\n${filterChains(closed)}${natChains(respect)}}`
}

function setText(name: ElementSet): string {
  const definition = elementSets[name]
  return `  ${definition.includes(' : ') ? 'map' : 'set'} ${name} {\n    ${definition}\n  }`
}

/** What isolates, and nothing else: a table that belongs to the process that makes it. In one line, as a command. */
export function guardCommand(
  { table, closed }: Pick<TableOptions, 'table' | 'closed'>,
  elements: Elements,
): string {
  const body = [...guardSets(closed)].map((name) => setText(name)).join('\n') + `\n${filterChains(closed)}`
  const lines = `table inet ${table} {\nflags owner\n${body}}`
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
  const add = guardChanges(
    closed,
    [...elements.values()].map((element) => ({ op: 'add', element })),
  )
  return inOneLine([...lines, ...operations(table, add)])
}

/** The same for changes; empty when none concerns the guard. */
export function guardChangeCommand(
  { table, closed }: Pick<TableOptions, 'table' | 'closed'>,
  changes: readonly Change[],
): string {
  return inOneLine(operations(table, guardChanges(closed, changes)))
}

function guardChanges(closed: boolean, changes: readonly Change[]): Change[] {
  const sets = guardSets(closed)
  return changes.filter(({ element }) => sets.has(element.set))
}

/** The sets that the isolating chains look at. */
function guardSets(closed: boolean): ReadonlySet<ElementSet> {
  const names = [...filterChains(closed).matchAll(/@(\w+)/g)].map(([, name]) => name as ElementSet)
  return new Set(names)
}

/** Statements end at a semicolon, blocks begin without one. */
function inOneLine(lines: readonly string[]): string {
  return lines.map((line) => (line.endsWith('{') ? line : line.endsWith(';') ? line : `${line};`)).join(' ')
}

/** Who may send what to whom. */
function filterChains(closed: boolean): string {
  return `  chain spoofed {
    type filter hook prerouting priority raw; policy accept;
    # Loopback addresses never arrive from outside: neither a port published there nor route_localnet opens a way in.
    ip daddr 127.0.0.0/8 iifname != "lo" drop
    ip6 daddr ::1 iifname != "lo" drop
    # Ends of pairs that carry networks which lead nowhere.
    iifname @deaf drop
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    # Every packet passes here: two look-ups, whatever it is.
    iifname vmap @from
    oifname vmap @to
${closed ? CLOSED : ''}  }
  chain outward {
    oifname vmap @to
    accept
  }
  chain enclosed {
    iifname . oifname @icc accept
    drop
  }
  chain inward {
    ct state established,related accept
    ct status dnat accept
    iifname . oifname @icc accept
    iifname . oifname @apart jump linked
    oifname @routed4 ip protocol icmp accept
    oifname @routed6 meta l4proto icmpv6 accept
    oifname @unprotected4 meta nfproto ipv4 accept
    oifname @unprotected6 meta nfproto ipv6 accept
    ip daddr . meta l4proto . th dport @open4 accept
    ip6 daddr . meta l4proto . th dport @open6 accept
    iifname . oifname @trusted ip daddr . meta l4proto . th dport @direct4 accept
    iifname . oifname @trusted ip6 daddr . meta l4proto . th dport @direct6 accept
    drop
  }
  chain linked {
    ip saddr . ip daddr . meta l4proto . th dport @links4 accept
    ip6 saddr . ip6 daddr . meta l4proto . th dport @links6 accept
    drop
  }
`
}

/** Which address leads where. */
function natChains(respect = false): string {
  return `  chain published {
    dnat ip to ip daddr . meta l4proto . th dport map @dnat4
    dnat ip to meta l4proto . th dport map @dnat4any
    dnat ip6 to ip6 daddr . meta l4proto . th dport map @dnat6
    dnat ip6 to meta l4proto . th dport map @dnat6any
  }
  chain incoming {
    type nat hook prerouting priority dstnat; policy accept;
    # A container that calls itself through the host is served by the socket that holds the port: with br_netfilter
    # a translated packet would never leave the bridge port that it came from.
    iifname @bridges ip saddr . meta l4proto . th dport @self4 accept
    iifname @bridges ip6 saddr . meta l4proto . th dport @self6 accept
${respect ? '' : '    fib daddr type local jump published\n'}  }
  chain local {
    type nat hook output priority -100; policy accept;
    ip6 daddr ::1 accept
    fib daddr type local jump published
  }
  chain relayed {
    type nat hook input priority 100; policy accept;
    # A UDP socket for all addresses does not learn which one was asked, and would answer from the one that the route
    # prefers. So the asker gets that address towards the socket, which answers to it, and hence from it.
    iifname != "lo" udp dport @relayed4 fib daddr type local snat ip to ip daddr
    # Link-local askers are answered from the one address of that link.
    iifname != "lo" ip6 saddr != fe80::/10 udp dport @relayed6 fib daddr type local snat ip6 to ip6 daddr
  }
  chain leaving {
    type nat hook postrouting priority srcnat; policy accept;
    oifname @bridges goto arriving
    # While somebody has taken a bridge away, its containers are not to be looked for along the default route.
    ct status dnat ip daddr @subnets4 drop
    ct status dnat ip6 daddr @subnets6 drop
    ip saddr @masq4 masquerade
    ip6 saddr @masq6 masquerade
  }
  chain arriving {
    # The host's own 127.0.0.1, and containers that reach one another through a port of the host. Not masqueraded: the
    # kernel would forget such connections when somebody takes the bridge away.
    ip saddr 127.0.0.0/8 snat ip to ip daddr map @gateways4
    ct status dnat ip saddr @subnets4 snat ip to ip daddr map @gateways4
    ct status dnat ip6 saddr @subnets6 snat ip6 to ip6 daddr map @gateways6
  }
`
}

// `iifkind != "-"` holds for every link that has a kind; physical interfaces have none.
const CLOSED = `    meta iifkind != "-" accept
    meta oifkind != "-" accept
    ct state established,related accept
    drop
`

/** The live table: its elements, and everything else in a form that can be compared. */
export interface Listing {
  readonly structure: string
  readonly elements: Elements
}

type Json = Readonly<Record<string, unknown>>

/** Reads `nft -j list table`; throws a SyntaxError when the text is cut off. */
export function parseListing(json: string): Listing {
  const { nftables } = JSON.parse(json) as { nftables: Json[] }
  const structure: string[] = []
  const elements = new Map<string, Element>()
  for (const entry of nftables) {
    const [kind = '', body] = Object.entries(entry)[0] ?? []
    if (kind === 'metainfo' || kind === 'table') continue
    const { handle: _handle, elem, ...rest } = body as Json
    structure.push(`${kind} ${JSON.stringify(rest)}`)
    // A set that we do not know is somebody else's, or of another version of us.
    if (!Object.hasOwn(elementSets, String(rest['name']))) continue
    for (const item of (elem ?? []) as unknown[]) {
      const element = elementOf(String(rest['name']) as ElementSet, item, [rest['type']].flat())
      elements.set(elementId(element), element)
    }
  }
  return { structure: structure.join('\n'), elements }
}

/** `types` are those of the parts of the key. */
function elementOf(set: ElementSet, item: unknown, types: readonly unknown[]): Element {
  const [left, right] = Array.isArray(item) ? (item as unknown[]) : [item]
  const wrapped = (left as Json | null)?.['elem'] as Json | undefined
  const comment = wrapped?.['comment']
  return {
    set,
    key: termText(named(wrapped?.['val'] ?? left, types), elementSets[set]?.startsWith('type ifname')),
    value: right === undefined ? undefined : termText(right, false),
    comment: typeof comment === 'string' ? comment : undefined,
  }
}

/** Without /etc/protocols nft prints protocols as numbers; here they have their names. */
function named(key: unknown, types: readonly unknown[]): unknown {
  // A string has a `concat`, too.
  if (typeof key !== 'object' || key === null || !('concat' in key)) return key
  const { concat } = key as { concat: unknown[] }
  return { concat: concat.map((part, at) => (types[at] === 'inet_proto' ? protocolName(part) : part)) }
}

function protocolName(part: unknown): unknown {
  return typeof part === 'number' ? (protocols.get(part) ?? part) : part
}

/** Assigned by IANA. */
export const protocolNumbers: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 }

const protocols: ReadonlyMap<number, string> = new Map(
  Object.entries(protocolNumbers).map(([name, number]) => [number, name]),
)

/** One of them. */
interface Term {
  readonly concat?: readonly unknown[]
  readonly prefix?: { readonly addr: string; readonly len: number }
  readonly jump?: { readonly target: string }
  readonly goto?: { readonly target: string }
}

function termText(term: unknown, quote: boolean): string {
  if (typeof term === 'string') return quote ? quoted(term) : term
  if (typeof term !== 'object' || term === null) return String(term)
  const { concat, prefix, jump, goto } = term as Term
  if (concat !== undefined) return concat.map((part) => termText(part, quote)).join(' . ')
  if (jump !== undefined) return `jump ${jump.target}`
  if (goto !== undefined) return `goto ${goto.target}`
  return prefix === undefined ? JSON.stringify(term) : `${prefix.addr}/${prefix.len}`
}

/** True when the same elements exist with the same values and owners. */
export function sameElements(a: Elements, b: Elements): boolean {
  if (a.size !== b.size) return false
  for (const [id, element] of a) {
    const other = b.get(id)
    if (other === undefined || other.value !== element.value || other.comment !== element.comment)
      return false
  }
  return true
}
