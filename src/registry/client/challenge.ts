/** `WWW-Authenticate`. RFC 9110 section 11.6.1. */

export interface Challenge {
  /** In lower case. */
  readonly scheme: string
  /** Names in lower case. */
  readonly parameters: Readonly<Record<string, string>>
}

/** A header as large as this is an attack. */
const MAX_LENGTH = 16 << 10

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const PARAMETER = new RegExp(`^(${token})[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))`)
const SCHEME = new RegExp(`^(${token})(?=[ \\t,]|$)`)
const SEPARATORS = /^[ \t,]+/
const TOKEN68 = /^[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/

/** Every challenge of the header, in order; what cannot be understood is left out. */
export function parseChallenges(header: string | undefined): readonly Challenge[] {
  if (header === undefined || header.length > MAX_LENGTH) return []
  const challenges: { scheme: string; parameters: Record<string, string> }[] = []
  let rest = header.trim()
  while (rest !== '') {
    const parameter = PARAMETER.exec(rest)
    const scheme = parameter === null ? SCHEME.exec(rest) : null
    if (parameter !== null) addParameter(challenges.at(-1)?.parameters, parameter)
    if (scheme !== null) challenges.push({ scheme: (scheme[1] ?? '').toLowerCase(), parameters: {} })
    const matched = parameter?.[0] ?? scheme?.[0] ?? TOKEN68.exec(rest)?.[0]
    if (matched === undefined) return challenges
    rest = rest.slice(matched.length).replace(SEPARATORS, '')
  }
  return challenges
}

function addParameter(parameters: Record<string, string> | undefined, match: RegExpExecArray): void {
  const [, name = '', quoted, plain = ''] = match
  if (parameters === undefined || Object.hasOwn(parameters, name.toLowerCase())) return
  const value = quoted === undefined ? plain : quoted.replace(/\\(.)/g, '$1')
  Object.defineProperty(parameters, name.toLowerCase(), { value, enumerable: true })
}
