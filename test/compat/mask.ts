/** Takes away what may differ honestly: ids, times, process ids, addresses of hardware, ports by chance, places on disk. */

export interface Masks {
  /** Values that earlier steps kept, by name. */
  readonly variables: ReadonlyMap<string, string>
  /** Texts that only this engine uses, such as its directories, and what stands for them. */
  readonly own: readonly (readonly [text: string, mask: string])[]
}

const MIN_KEPT = 8

type Rule = readonly [RegExp, string | ((found: string) => string)]

const rules: readonly Rule[] = [
  [/\bsha256:[0-9a-f]{64}\b/g, 'sha256:<digest>'],
  [/\b[0-9a-f]{64}\b/g, '<id>'],
  [/\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{12}\b/g, '<short id>'],
  // Which of the free addresses of a network is nobody's promise; which one is the gateway is.
  [/\b(172\.\d+\.\d+|10\.\d+\.\d+)\.(?!1\b|0\b|255\b)\d+\b/g, (address) => address.replace(/\d+$/, '<n>')],
  // Go prints as many digits of a second as it needs.
  [
    /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g,
    (time) => (time.startsWith('0001-') || time.startsWith('1970-') ? time : '<time>'),
  ],
  [/\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?( [+-]\d{4} \w+)?/g, '<time>'],
  [/\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, '<mac>'],
  [/\b(3276[89]|327[7-9]\d|32[89]\d\d|3[3-9]\d{3}|[45]\d{4}|6[0-5]\d{3})\b/g, '<port>'],
  [/\b(Less than a second|About a minute|\d+ (second|minute)s?)\b/g, '<a while>'],
  [/\b1[789]\d{8}\.\d+/g, '<moment>'],
  [/^\/?[a-z]+_[a-z]+\d?$/g, '<made-up name>'],
]

/** Numbers that are masked by the name of their member; zero says something and stays. */
const moments = /^(Created|CreatedAt|LastTagTime|time|timeNano|Pid|NetworkRx|PausedAt)$/

/** Lists whose order nobody has promised. */
const sets =
  /^(MaskedPaths|InsecureRegistryCIDRs|RepoTags|RepoDigests|Aliases|DNSNames|Mounts|Ports|Images|Volumes)$/

function keyOf(item: unknown): string {
  if (typeof item !== 'object' || item === null) return String(item)
  const { Destination, PrivatePort, Type, IP, RepoTags, Name } = item as Readonly<Record<string, unknown>>
  return [Destination, PrivatePort, Type, IP, RepoTags, Name].map(String).join(' ')
}

export function mask(document: unknown, masks: Masks, name = ''): unknown {
  if (typeof document === 'string') return maskText(document, masks)
  if (typeof document === 'number') {
    return moments.test(name) && document > 1 ? '<moment>' : document
  }
  if (Array.isArray(document)) {
    const items = document.map((item) => mask(item, masks, name))
    return sets.test(name) ? items.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)) : items
  }
  if (typeof document !== 'object' || document === null) return document
  return Object.fromEntries(
    Object.entries(document).map(([key, value]) => [maskText(key, masks), mask(value, masks, key)]),
  )
}

function maskText(text: string, { variables, own }: Masks): string {
  let masked = text
  for (const [name, value] of variables) {
    if (value.length < MIN_KEPT) continue
    masked = masked.replaceAll(value, `<${name}>`)
    const bare = value.replace(/^sha256:/, '')
    if (/^[0-9a-f]{64}$/.test(bare)) {
      masked = masked.replaceAll(bare, `<hex of ${name}>`)
      masked = masked.replace(new RegExp(`\\b${bare.slice(0, 12)}\\b`, 'g'), `<short ${name}>`)
    }
  }
  for (const [its, shown] of own) masked = masked.replaceAll(its, shown)
  for (const [pattern, shown] of rules) {
    masked = typeof shown === 'string' ? masked.replace(pattern, shown) : masked.replace(pattern, shown)
  }
  return masked
}
