/** Reading our nftables table back; pure. */
import {
  type Element,
  type ElementSet,
  type Elements,
  elementId,
  elementSets,
  protocolNumbers,
  quoted,
} from './nft-elements.ts'

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
