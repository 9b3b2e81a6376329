import { templateError } from '../../errors.ts'

export interface Token {
  readonly kind:
    | 'text'
    | 'open'
    | 'close'
    | 'space'
    | 'field'
    | 'variable'
    | 'word'
    | 'string'
    | 'char'
    | 'number'
    | 'dot'
    | 'symbol'
    | 'end'
  readonly text: string
  readonly pos: number
}

const patterns: readonly (readonly [Token['kind'], RegExp])[] = [
  ['space', /[ \t\r\n]+/y],
  ['number', /[+-]?(?:0[xX][0-9a-fA-F_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\p{L}_])/uy],
  ['field', /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  ['dot', /\./y],
  ['variable', /\$[\p{L}\p{N}_]*/uy],
  ['word', /[\p{L}_][\p{L}\p{N}_]*/uy],
  ['string', /"(?:\\.|[^"\\\n])*"|`[^`]*`/y],
  ['char', /'(?:\\.|[^'\\\n])+'/y],
  ['symbol', /:=|[|(),=]/y],
]

/** Cuts a template into tokens. Spaces inside actions separate operands, so they are tokens too. */
export function tokenize(source: string, name: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  let trimNext = false
  while (at < source.length) {
    const open = source.indexOf('{{', at)
    let text = source.slice(at, open < 0 ? undefined : open)
    if (trimNext) text = text.trimStart()
    const trims = open >= 0 && /^\{\{-[ \t\r\n]/.test(source.slice(open, open + 4))
    if (trims) text = text.trimEnd()
    if (text !== '') tokens.push({ kind: 'text', text, pos: at })
    if (open < 0) break
    const inside = open + (trims ? 3 : 2)
    const end = /^[ \t\r\n]*\/\*/.test(source.slice(inside))
      ? comment(source, inside, name)
      : action(source, open, inside, name, tokens)
    trimNext = source.startsWith('-', end - 3) && /[ \t\r\n]/.test(source.charAt(end - 4))
    at = end
  }
  tokens.push({ kind: 'end', text: '', pos: source.length })
  return tokens
}

/** The offset after a comment's `}}`. */
function comment(source: string, from: number, name: string): number {
  const match = /\/\*[\s\S]*?\*\/(?:[ \t\r\n]+-)?\}\}/y
  match.lastIndex = source.indexOf('/*', from)
  const found = match.exec(source)
  if (found === null) throw templateError(`template: ${name}:${lineAt(source, from)}: unclosed comment`)
  return match.lastIndex
}

/** Adds the tokens of one action; returns the offset after its `}}`. */
function action(source: string, open: number, from: number, name: string, tokens: Token[]): number {
  tokens.push({ kind: 'open', text: '{{', pos: open })
  let at = from
  for (;;) {
    const close = /(?:[ \t\r\n]-)?\}\}/y
    close.lastIndex = at
    if (close.test(source)) {
      tokens.push({ kind: 'close', text: '}}', pos: at })
      return close.lastIndex
    }
    const token = nextToken(source, at)
    if (token === undefined)
      throw templateError(`template: ${name}:${lineAt(source, at)}: ${unreadable(source, at)}`)
    tokens.push(token)
    at += token.text.length
  }
}

function nextToken(source: string, at: number): Token | undefined {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at
    const match = pattern.exec(source)
    if (match === null) continue
    // A space before `-}}` belongs to the trim marker.
    const text =
      kind === 'space' && source.slice(pattern.lastIndex).startsWith('-}}') ? match[0].slice(0, -1) : match[0]
    if (text !== '') return { kind, text, pos: at }
  }
  return undefined
}

function unreadable(source: string, at: number): string {
  const rest = source.slice(at)
  if (rest === '') return 'unclosed action'
  if (rest.startsWith('"')) return 'unterminated quoted string'
  if (rest.startsWith('`')) return 'unterminated raw quoted string'
  if (rest.startsWith("'")) return 'unterminated character constant'
  return `unexpected ${JSON.stringify(Array.from(rest)[0])} in command`
}

export function lineAt(source: string, pos: number): number {
  return source.slice(0, pos).split('\n').length
}
