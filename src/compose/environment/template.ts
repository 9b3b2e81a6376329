/**
 * The language of `$NAME` and `${NAME:-default}` in values of project files, parsed once into parts and then evaluated
 * against an environment.
 */

type Operator = '-' | ':-' | '?' | ':?' | '+' | ':+'

export type Part =
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'variable'
      readonly name: string
      readonly operator?: Operator
      /** What follows the operator; a template of its own. */
      readonly operand: readonly Part[]
    }

/** What the parser or the evaluation has against a template; the caller knows where it stands. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError'
}

export type Lookup = (name: string) => string | undefined

const NAME = /^[_a-zA-Z][_a-zA-Z0-9]*/
const OPERATOR = /^(?::-|:\?|:\+|-|\?|\+)/

/** Every variable that a template names, defaults included. */
export function variablesIn(parts: readonly Part[]): readonly Extract<Part, { kind: 'variable' }>[] {
  return parts.flatMap((part) => (part.kind === 'text' ? [] : [part, ...variablesIn(part.operand)]))
}

/** `$$` is a dollar. A dollar that begins no variable is an error, as in Compose. */
export function parseTemplate(text: string): readonly Part[] {
  const { parts, rest } = parseParts(text, false)
  if (rest !== '') throw invalid(text)
  return parts
}

/**
 * The text with its variables in place. `missing` hears of every one that is not set and has no default. Rejects with
 * the message of `${NAME?message}` where that one is not set.
 */
export function evaluate(parts: readonly Part[], lookup: Lookup, missing: (name: string) => void): string {
  return parts.map((part) => (part.kind === 'text' ? part.text : expand(part, lookup, missing))).join('')
}

function expand(
  { name, operator, operand }: Extract<Part, { kind: 'variable' }>,
  lookup: Lookup,
  missing: (name: string) => void,
): string {
  const value = lookup(name)
  const isSet = operator?.startsWith(':') === true ? value !== undefined && value !== '' : value !== undefined
  const other = (): string => evaluate(operand, lookup, missing)
  switch (operator) {
    case '-':
    case ':-':
      return isSet ? (value ?? '') : other()
    case '+':
    case ':+':
      return isSet ? other() : ''
    case '?':
    case ':?':
      if (isSet) return value ?? ''
      throw new TemplateError(`required variable ${name} is missing a value${separated(other())}`)
    case undefined:
      break
  }
  if (value === undefined) missing(name)
  return value ?? ''
}

function separated(message: string): string {
  return message === '' ? '' : `: ${message}`
}

/** Up to the end, or inside braces up to the brace that closes. */
function parseParts(text: string, inBraces: boolean): { parts: Part[]; rest: string } {
  const parts: Part[] = []
  let literal = ''
  let rest = text
  const flush = (): void => {
    if (literal !== '') parts.push({ kind: 'text', text: literal })
    literal = ''
  }
  while (rest !== '' && !(inBraces && rest.startsWith('}'))) {
    if (!rest.startsWith('$')) {
      literal += rest.charAt(0)
      rest = rest.slice(1)
    } else if (rest.startsWith('$$')) {
      literal += '$'
      rest = rest.slice(2)
    } else {
      flush()
      const variable = rest.startsWith('${') ? parseBraced(rest) : parseNamed(rest)
      parts.push(variable.part)
      rest = variable.rest
    }
  }
  flush()
  return { parts, rest }
}

function parseNamed(text: string): { part: Part; rest: string } {
  const [name] = NAME.exec(text.slice(1)) ?? []
  if (name === undefined) throw invalid(text)
  return { part: { kind: 'variable', name, operand: [] }, rest: text.slice(1 + name.length) }
}

function parseBraced(text: string): { part: Part; rest: string } {
  const [name] = NAME.exec(text.slice(2)) ?? []
  if (name === undefined) throw invalid(text)
  const after = text.slice(2 + name.length)
  if (after.startsWith('}')) {
    return { part: { kind: 'variable', name, operand: [] }, rest: after.slice(1) }
  }
  const [operator] = OPERATOR.exec(after) ?? []
  if (operator === undefined) throw invalid(text)
  const { parts, rest } = parseParts(after.slice(operator.length), true)
  if (!rest.startsWith('}')) throw invalid(text)
  return {
    part: { kind: 'variable', name, operator: operator as Operator, operand: parts },
    rest: rest.slice(1),
  }
}

function invalid(text: string): TemplateError {
  return new TemplateError(
    `invalid interpolation format: ${JSON.stringify(text)}; a dollar sign is written $$, a variable $NAME or \${NAME}`,
  )
}
