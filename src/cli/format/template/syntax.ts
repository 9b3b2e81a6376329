/** The tree of a template, in the terms of Go's text/template. `pos` is an offset into the source. */
export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipe: Pipe }
  | {
      readonly kind: 'if' | 'with' | 'range'
      readonly pipe: Pipe
      readonly body: Nodes
      readonly otherwise: Nodes
    }
  | { readonly kind: 'break' | 'continue' }
  /** Without a pipe its dot is nil. */
  | {
      readonly kind: 'template'
      readonly pos: number
      readonly name: string
      readonly pipe: Pipe | undefined
    }

export type Nodes = readonly Node[]

/** What was parsed: the template itself, and those that it defines. */
export interface Parsed {
  readonly nodes: Nodes
  readonly defined: ReadonlyMap<string, Nodes>
}

/** `$a, $b := command | command`. */
export interface Pipe {
  readonly pos: number
  readonly variables: readonly string[]
  /** `=` on variables that exist instead of `:=`. */
  readonly assigns: boolean
  readonly commands: readonly Command[]
}

/** A first operand and its arguments. */
export interface Command {
  readonly source: string
  readonly operands: readonly [Operand, ...Operand[]]
}

export type Operand =
  | { readonly kind: 'dot' | 'nil'; readonly pos: number }
  | {
      readonly kind: 'literal'
      readonly pos: number
      readonly value: string | number | boolean
      readonly source: string
    }
  | { readonly kind: 'function'; readonly pos: number; readonly name: string }
  | { readonly kind: 'field'; readonly pos: number; readonly path: readonly string[] }
  | {
      readonly kind: 'variable'
      readonly pos: number
      readonly name: string
      readonly path: readonly string[]
    }
  | { readonly kind: 'pipe'; readonly pos: number; readonly pipe: Pipe; readonly path: readonly string[] }

/** How an operand is shown in an error. */
export function operandText(operand: Operand): string {
  switch (operand.kind) {
    case 'dot':
      return '.'
    case 'nil':
      return 'nil'
    case 'literal':
      return operand.source
    case 'function':
      return operand.name
    case 'field':
      return operand.path.map((name) => `.${name}`).join('')
    case 'variable':
      return [operand.name, ...operand.path].join('.')
    case 'pipe':
      return ['(…)', ...operand.path].join('.')
  }
}
