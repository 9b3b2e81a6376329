import { templateError } from '../../errors.ts'
import { lineAt, tokenize, type Token } from './lexer.ts'
import { unquoted } from './literals.ts'
import type { Command, Node, Nodes, Operand, Parsed, Pipe } from './syntax.ts'

const terminators = ['end', 'else']

/** Parses a template; `isFunction` says which names may be called. Errors are worded as Go words them. */
export function parse(source: string, name: string, isFunction: (name: string) => boolean): Parsed {
  const parser = new Parser(source, name, isFunction)
  const nodes = parser.list(0)
  parser.expectEnd()
  return { nodes, defined: parser.defined }
}

class Parser {
  readonly #source: string
  readonly #name: string
  readonly #isFunction: (name: string) => boolean
  readonly #tokens: readonly Token[]
  readonly defined = new Map<string, Nodes>()
  #at = 0
  /** How many `if`, `with`, `range` or `define` are open. */
  #depth = 0
  /** Those declared so far, of which the ones of inner blocks are dropped again. */
  #variables = ['$']

  constructor(source: string, name: string, isFunction: (name: string) => boolean) {
    this.#source = source
    this.#name = name
    this.#isFunction = isFunction
    this.#tokens = tokenize(source, name)
  }

  /** Nodes up to `{{end}}`, `{{else …}}` or the end of the source, which stay unread. */
  list(loops: number): Nodes {
    const nodes: Node[] = []
    for (;;) {
      const token = this.#peek()
      if (token.kind === 'end') return nodes
      if (token.kind === 'text') {
        this.#at += 1
        nodes.push({ kind: 'text', text: token.text })
        continue
      }
      const keyword = this.#keyword()
      if (keyword !== undefined && terminators.includes(keyword)) return nodes
      if (keyword === 'define') this.#definition()
      else nodes.push(this.#action(keyword, loops))
    }
  }

  expectEnd(): void {
    const token = this.#peek()
    if (token.kind !== 'end') throw this.#error(token, `unexpected {{${this.#keyword()}}}`)
  }

  #action(keyword: string | undefined, loops: number): Node {
    const open = this.#next()
    switch (keyword) {
      case 'if':
      case 'with':
      case 'range':
        this.#word()
        return this.#control(keyword, open, keyword === 'range' ? loops + 1 : loops)
      case 'break':
      case 'continue':
        if (loops === 0) throw this.#error(open, `{{${keyword}}} outside {{range}}`)
        this.#word()
        this.#close(keyword)
        return { kind: keyword }
      case 'block':
      case 'template':
        return this.#invocation(keyword, open)
      default: {
        const pipe = this.#pipe('command')
        this.#close('command')
        return { kind: 'action', pipe }
      }
    }
  }

  /** `{{define "name"}} … {{end}}`, which is not inside anything else. */
  #definition(): void {
    const open = this.#next()
    if (this.#depth > 0) throw this.#error(open, 'unexpected {{define}}')
    this.#word()
    const name = this.#templateName('define clause')
    this.#close('define clause')
    this.#define(name)
  }

  /** `{{template "name" pipeline}}`; a block is that, and a definition. */
  #invocation(keyword: 'block' | 'template', { pos }: Token): Node {
    this.#word()
    const context = `${keyword} clause`
    const name = this.#templateName(context)
    this.#space()
    const pipe = keyword === 'template' && this.#peek().kind === 'close' ? undefined : this.#pipe(context)
    this.#close(context)
    if (keyword === 'block') this.#define(name)
    return { kind: 'template', pos, name, pipe }
  }

  /** Reads a body up to its `{{end}}`. */
  #define(name: string): void {
    const outer = this.#variables
    this.#variables = ['$']
    this.#depth += 1
    const body = this.list(0)
    this.#depth -= 1
    this.#variables = outer
    const keyword = this.#keyword()
    if (keyword !== 'end') {
      throw this.#error(this.#peek(), keyword === undefined ? 'unexpected EOF' : `unexpected {{${keyword}}}`)
    }
    this.#next()
    this.#word()
    this.#close('end')
    this.defined.set(name, body)
  }

  #templateName(context: string): string {
    this.#space()
    const token = this.#next()
    if (token.kind !== 'string') throw this.#error(token, `unexpected ${show(token)} in ${context}`)
    return this.#unquote(token)
  }

  #control(kind: 'if' | 'with' | 'range', open: Token, loops: number): Node {
    this.#depth += 1
    const outer = this.#variables.length
    const pipe = this.#pipe(kind)
    this.#close(kind)
    const inner = this.#variables.length
    const body = this.list(loops)
    this.#variables.length = inner
    const otherwise = this.#otherwise(kind, open, loops)
    this.#variables.length = outer
    this.#depth -= 1
    return { kind, pipe, body, otherwise }
  }

  /** `{{else}} … {{end}}`, `{{else if …}}` (which shares the `{{end}}`), or `{{end}}`. */
  #otherwise(kind: string, open: Token, loops: number): Nodes {
    const keyword = this.#keyword()
    if (keyword === undefined) throw this.#error(this.#peek(), 'unexpected EOF')
    this.#next()
    this.#word()
    if (keyword === 'end') {
      this.#close('end')
      return []
    }
    this.#space()
    const next = this.#peek()
    if (next.kind === 'word' && next.text === kind && kind !== 'range') {
      this.#at += 1
      return [this.#control(kind as 'if' | 'with', open, loops)]
    }
    this.#close('else')
    const nodes = this.list(loops)
    if (this.#keyword() !== 'end') throw this.#error(this.#peek(), 'expected end; found {{else}}')
    this.#next()
    this.#word()
    this.#close('end')
    return nodes
  }

  #pipe(context: string): Pipe {
    this.#space()
    const { pos } = this.#peek()
    const { variables, assigns } = this.#declarations(context)
    const commands: Command[] = []
    for (;;) {
      this.#space()
      const token = this.#peek()
      const ends = token.kind === 'close' || token.text === ')'
      if (ends && commands.length === 0) throw this.#error(token, `missing value for ${context}`)
      if (ends) {
        // Only from here on: a variable is not known in the pipeline that declares it.
        if (!assigns) this.#variables.push(...variables)
        return { pos, variables, assigns, commands }
      }
      if (commands.length > 0) {
        if (token.text !== '|') throw this.#error(token, `unexpected ${show(token)} in ${context}`)
        this.#at += 1
        this.#space()
        // As in Go, nothing after it is no mistake.
        const after = this.#peek()
        if (after.kind === 'close' || after.text === ')') continue
      }
      commands.push(this.#command(context))
    }
  }

  #declarations(context: string): { variables: string[]; assigns: boolean } {
    const start = this.#at
    const variables: string[] = []
    while (this.#peek().kind === 'variable') {
      variables.push(this.#next().text)
      this.#space()
      const { text } = this.#peek()
      if (text === ',' && context === 'range' && variables.length < 2) {
        this.#at += 1
        this.#space()
        continue
      }
      if (text !== ':=' && text !== '=') break
      this.#at += 1
      const unknown = text === '=' ? variables.find((name) => !this.#variables.includes(name)) : undefined
      if (unknown !== undefined) throw this.#error(this.#peek(), `undefined variable "${unknown}"`)
      return { variables, assigns: text === '=' }
    }
    this.#at = start
    return { variables: [], assigns: false }
  }

  #command(context: string): Command {
    const operands: Operand[] = []
    for (;;) {
      const token = this.#peek()
      if (token.kind === 'space') {
        this.#at += 1
        continue
      }
      if (token.kind === 'close' || token.text === '|' || token.text === ')') break
      if (operands.length > 0 && this.#tokens[this.#at - 1]?.kind !== 'space') {
        throw this.#error(token, `unexpected ${show(token)} in operand`)
      }
      operands.push(this.#operand(context))
    }
    const [first, ...rest] = operands
    if (first === undefined) throw this.#error(this.#peek(), 'empty command')
    const end = this.#peek().pos
    return { operands: [first, ...rest], source: this.#source.slice(first.pos, end).trimEnd() }
  }

  #operand(context: string): Operand {
    const token = this.#next()
    const { pos, text } = token
    switch (token.kind) {
      case 'dot':
        return { kind: 'dot', pos }
      case 'field':
        return { kind: 'field', pos: this.#chainPos(pos), path: [text.slice(1), ...this.#path()] }
      case 'variable':
        if (!this.#variables.includes(text)) throw this.#error(token, `undefined variable "${text}"`)
        return { kind: 'variable', pos: this.#chainPos(pos), name: text, path: this.#path() }
      case 'string':
        return { kind: 'literal', pos, value: this.#unquote(token), source: text }
      case 'char':
        return { kind: 'literal', pos, value: this.#unquote(token).codePointAt(0) ?? 0, source: text }
      case 'number':
        return {
          kind: 'literal',
          pos,
          value: Number(text.replaceAll('_', '').replace(/^\+/, '')),
          source: text,
        }
      case 'word':
        return this.#name_(token)
      case 'symbol':
        if (text === '(') {
          const pipe = this.#pipe('parenthesized pipeline')
          if (this.#peek().text !== ')') throw this.#error(this.#peek(), 'unclosed left paren')
          this.#at += 1
          return { kind: 'pipe', pos, pipe, path: this.#path() }
        }
        break
      case 'end':
        throw this.#error(token, 'unclosed action')
      case 'text':
      case 'open':
      case 'close':
      case 'space':
        break
    }
    throw this.#error(token, `unexpected ${show(token)} in ${context}`)
  }

  #name_(token: Token): Operand {
    const { pos, text } = token
    if (text === 'true' || text === 'false')
      return { kind: 'literal', pos, value: text === 'true', source: text }
    if (text === 'nil') return { kind: 'nil', pos }
    if (!this.#isFunction(text)) throw this.#error(token, `function "${text}" not defined`)
    return { kind: 'function', pos, name: text }
  }

  /** Go gives a chain of fields the position of its second one. */
  #chainPos(pos: number): number {
    const next = this.#peek()
    return next.kind === 'field' ? next.pos : pos
  }

  /** Fields that follow without a space: `$x.A.B`, `(…).A`. */
  #path(): string[] {
    const path: string[] = []
    while (this.#peek().kind === 'field') path.push(this.#next().text.slice(1))
    return path
  }

  #unquote(token: Token): string {
    const text = unquoted(token)
    if (text === undefined) throw this.#error(token, 'invalid syntax')
    return text
  }

  /** The word an action begins with; undefined when it begins otherwise. */
  #keyword(): string | undefined {
    if (this.#peek().kind !== 'open') return undefined
    const next = this.#tokens[this.#at + 1]
    const word = next?.kind === 'space' ? this.#tokens[this.#at + 2] : next
    return word?.kind === 'word' ? word.text : undefined
  }

  #word(): void {
    this.#space()
    this.#at += 1
  }

  #close(context: string): void {
    this.#space()
    const token = this.#next()
    if (token.kind === 'end') throw this.#error(token, 'unclosed action')
    if (token.kind !== 'close') throw this.#error(token, `unexpected ${show(token)} in ${context}`)
  }

  #space(): void {
    while (this.#peek().kind === 'space') this.#at += 1
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? { kind: 'end', text: '', pos: this.#source.length }
  }

  #next(): Token {
    const token = this.#peek()
    this.#at += 1
    return token
  }

  #error(token: Token, message: string): Error {
    return templateError(`template: ${this.#name}:${lineAt(this.#source, token.pos)}: ${message}`)
  }
}

function show(token: Token): string {
  return token.kind === 'end' ? 'EOF' : `<${token.text}>`
}
