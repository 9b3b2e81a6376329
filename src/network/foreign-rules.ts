/**
 * What firewalls of others do with a packet, as far as it can be told from their rules; pure. Their tables are read
 * (`nft -j list table`, iptables of the nft kind among them) and never touched.
 */
import { contains, parseCidr } from './address.ts'
import type { Protocol } from './networks.ts'
import { protocolNumbers } from './nft-elements.ts'

export interface ForeignRules {
  readonly chains: readonly ForeignChain[]
}

interface ForeignChain {
  readonly family: string
  readonly table: string
  readonly name: string
  /** Of a base chain. */
  readonly hook?: string | undefined
  readonly type?: string | undefined
  readonly policy?: string | undefined
  readonly rules: readonly (readonly Json[])[]
}

type Json = Readonly<Record<string, unknown>>

/** The first packet of a connection from outside. */
export interface NewPacket {
  readonly hook: 'forward' | 'input'
  /** The link that it leaves by, when it is forwarded. */
  readonly oifname?: string | undefined
  /** Of the destination, as the hook sees it. */
  readonly address: string
  readonly protocol: Protocol
  readonly port: number
  /** It was sent to another address and port. */
  readonly translated: boolean
}

export interface Judgement {
  /** The chain that drops it. */
  readonly dropped?: string | undefined
  /** Chains that drop it under conditions that cannot be told from here. */
  readonly doubts: readonly string[]
}

/** Reads `nft -j list table`; throws a SyntaxError when the text is cut off. */
export function parseForeign(json: string): ForeignRules {
  const { nftables } = JSON.parse(json) as { nftables: Json[] }
  const chains = new Map<string, ForeignChain & { readonly rules: Json[][] }>()
  for (const entry of nftables) {
    const body = (entry['chain'] ?? entry['rule']) as Json | undefined
    if (body === undefined) continue
    const [family, table] = [String(body['family']), String(body['table'])]
    if (entry['rule'] !== undefined) {
      chains.get(`${family} ${table} ${String(body['chain'])}`)?.rules.push((body['expr'] ?? []) as Json[])
      continue
    }
    const name = String(body['name'])
    const { hook, type, policy } = body as Record<string, string | undefined>
    chains.set(`${family} ${table} ${name}`, { family, table, name, hook, type, policy, rules: [] })
  }
  return { chains: [...chains.values()] }
}

/** Base chains of others that drop what no rule of theirs accepts. */
export function droppingChains({ chains }: ForeignRules): readonly ForeignChain[] {
  return chains.filter(({ hook, policy }) => hook !== undefined && policy === 'drop')
}

export function chainText({ family, table, name }: Pick<ForeignChain, 'family' | 'table' | 'name'>): string {
  return `${name} of table ${family} ${table}`
}

/** Every base chain decides for itself: one that drops is enough. */
export function judge({ chains }: ForeignRules, packet: NewPacket): Judgement {
  const family = packet.address.includes(':') ? 'ip6' : 'ip'
  const doubts: string[] = []
  for (const chain of chains) {
    if (chain.hook !== packet.hook || chain.type !== 'filter') continue
    if (chain.family !== 'inet' && chain.family !== family) continue
    const verdict = walk(chains, chain, packet, 0)
    const dropped = verdict === 'drop' || (verdict === 'next' && chain.policy === 'drop')
    if (dropped) return { dropped: chainText(chain), doubts }
    if (verdict === 'unknown') doubts.push(chainText(chain))
  }
  return { doubts }
}

/** `next`: no rule has decided. `unknown`: it depends on what cannot be told. */
type Verdict = 'accept' | 'drop' | 'next' | 'unknown'

const DEEPEST = 16

function walk(
  chains: readonly ForeignChain[],
  chain: ForeignChain,
  packet: NewPacket,
  depth: number,
): Verdict {
  let sure = true
  for (const rule of chain.rules) {
    const matches = ruleMatches(rule, packet)
    if (matches === false) continue
    const verdict = verdictOf(chains, chain, rule, packet, depth)
    if (verdict === 'return') return matches === true && sure ? 'next' : 'unknown'
    if (verdict === 'next') continue
    if (matches === true && sure && verdict !== 'unknown') return verdict
    // Whatever comes later is decided only if this was not.
    sure = false
  }
  return sure ? 'next' : 'unknown'
}

function verdictOf(
  chains: readonly ForeignChain[],
  { family, table }: ForeignChain,
  rule: readonly Json[],
  packet: NewPacket,
  depth: number,
): Verdict | 'return' {
  for (const statement of rule) {
    const [kind = '', body] = Object.entries(statement)[0] ?? []
    if (kind === 'accept') return 'accept'
    if (kind === 'drop' || kind === 'reject') return 'drop'
    if (kind === 'return') return 'return'
    if (kind === 'vmap' || kind === 'queue') return 'unknown'
    if (kind !== 'jump' && kind !== 'goto') continue
    const name = (body as { target?: string }).target
    const target = chains.find((one) => one.family === family && one.table === table && one.name === name)
    if (target === undefined || depth === DEEPEST) return 'unknown'
    return walk(chains, target, packet, depth + 1)
  }
  return 'next'
}

/** Undefined: it cannot be told. */
function ruleMatches(rule: readonly Json[], packet: NewPacket): boolean | undefined {
  let sure = true
  for (const statement of rule) {
    const [kind = '', body] = Object.entries(statement)[0] ?? []
    if (kind === 'match') {
      const matched = matches(body as MatchStatement, packet)
      if (matched === false) return false
      sure &&= matched === true
    } else if (kind === 'limit' || kind === 'xt' || kind === 'meter') {
      sure = false
    }
  }
  return sure ? true : undefined
}

interface MatchStatement {
  readonly op: string
  readonly left: Json
  readonly right: unknown
}

function matches({ op, left, right }: MatchStatement, packet: NewPacket): boolean | undefined {
  const values = valuesOf(left, packet)
  if (values === undefined) return undefined
  const found = among(values, right)
  if (found === undefined) return undefined
  if (op === '==' || op === 'in') return found
  return op === '!=' ? !found : undefined
}

/** What the packet has there; `ct status` has several. Undefined: that depends. */
function valuesOf(left: Json, packet: NewPacket): Values | undefined {
  const { meta, payload, ct } = left as { meta?: { key: string }; payload?: Payload; ct?: { key: string } }
  if (meta !== undefined) return metaOf(meta.key, packet)
  if (payload !== undefined) return payloadOf(payload, packet)
  if (ct?.key === 'state') return ['new']
  if (ct?.key === 'status') return packet.translated ? ['dnat'] : []
  return undefined
}

type Values = readonly (string | number)[]

interface Payload {
  readonly protocol: string
  readonly field: string
}

function metaOf(key: string, { oifname, protocol, address }: NewPacket): Values | undefined {
  switch (key) {
    case 'oifname':
      return oifname === undefined ? undefined : [oifname]
    case 'l4proto':
      return [protocol, protocolNumbers[protocol]]
    case 'nfproto':
      return [address.includes(':') ? 'ipv6' : 'ipv4']
    default:
      // The link that it comes by is some link of the host.
      return undefined
  }
}

function payloadOf(payload: Payload, { protocol, address, port }: NewPacket): Values | undefined {
  switch (payload.field) {
    case 'daddr':
      return payload.protocol === (address.includes(':') ? 'ip6' : 'ip') ? [address] : []
    case 'dport':
      return payload.protocol === protocol || payload.protocol === 'th' ? [port] : []
    case 'protocol':
    case 'nexthdr':
      // A number where the machine has no /etc/protocols.
      return [protocol, protocolNumbers[protocol]]
    default:
      return undefined
  }
}

function among(values: Values, right: unknown): boolean | undefined {
  if (Array.isArray(right)) return any(right.map((one) => among(values, one)))
  if (typeof right === 'number') return values.includes(right)
  if (typeof right === 'string') return amongText(values, right)
  const { set, range, prefix } = right as {
    set?: unknown[]
    range?: [number, number]
    prefix?: { addr: string; len: number }
  }
  if (set !== undefined) return any(set.map((one) => among(values, one)))
  if (range !== undefined) {
    return values.some((one) => typeof one === 'number' && range[0] <= one && one <= range[1])
  }
  if (prefix === undefined) return undefined
  const cidr = parseCidr(`${prefix.addr}/${prefix.len}`)
  return values.some((one) => typeof one === 'string' && contains(cidr, one))
}

function amongText(values: Values, text: string): boolean | undefined {
  // The name of a set.
  if (text.startsWith('@')) return undefined
  if (text.endsWith('*')) return values.some((one) => String(one).startsWith(text.slice(0, -1)))
  return values.some((one) => String(one) === text)
}

function any(found: readonly (boolean | undefined)[]): boolean | undefined {
  if (found.includes(true)) return true
  return found.includes(undefined) ? undefined : false
}
