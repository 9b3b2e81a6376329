import { messageOf } from '#base/errors.ts'
import { formatGoDuration } from '#base/go-duration.ts'
import { evaluationError, hasCode, withTemplatePrefix } from '../../errors.ts'
import { functions, isTruthy, lazyFunctions, type TemplateFunction } from './functions.ts'
import { fieldOfView, isDuration } from './fields.ts'
import { namesInJson, nilOf } from './go-types.ts'
import { parse } from './parser.ts'
import { goType, printResult, sortedKeys } from './print.ts'
import { Scope } from './scope.ts'
import { operandText, type Command, type Nodes, type Operand, type Parsed, type Pipe } from './syntax.ts'
import { isMap, isView } from './view.ts'

export interface TemplateOptions {
  /** The name that Docker's template has in errors; mostly empty. */
  readonly name?: string
  /**
   * Fields that an object may leave out, which then are what Go has for nothing; any other missing field is an error.
   * Absent: a missing field prints `<no value>`.
   */
  readonly optionalFields?: ReadonlySet<string>
  /** Fields whose value is a map with keys of the user's own, any of which may be missing. */
  readonly mapFields?: ReadonlySet<string>
  readonly functions?: ReadonlyMap<string, TemplateFunction>
}

/** A parsed template in the language of Go's text/template. */
export class Template {
  readonly #source: string
  readonly #parsed: Parsed
  readonly #options: TemplateOptions

  /** Throws `TEMPLATE_INVALID` when the source cannot be parsed. */
  constructor(source: string, options: TemplateOptions = {}) {
    this.#source = source
    this.#options = options
    this.#parsed = parse(
      source,
      options.name ?? '',
      (name) => functions.has(name) || lazyFunctions.includes(name),
    )
  }

  /** The output for one value. Throws `TEMPLATE_FAILED` with Go's wording when it cannot be evaluated. */
  execute(data: unknown): string {
    return new Execution(this.#source, data, this.#options, this.#parsed.defined).run(this.#parsed.nodes)
  }
}

/** A template of a command's own: what cannot be parsed is said to be so. */
export function parseTemplate(source: string, name = ''): Template {
  const prefix = 'template parsing error'
  return withTemplatePrefix({ parse: prefix, execute: prefix }, () => new Template(source, { name }))
}

interface Frame {
  readonly dot: unknown
  readonly variables: Scope
}

interface FieldAccess {
  readonly operand: Operand
  /** The field that the value came from. */
  readonly parent: string | undefined
  /** The value is what a map with keys of the user's own has, which may be nothing. */
  readonly ofMap: boolean
  readonly args: (() => unknown[]) | undefined
}

/** Templates that call themselves have to end somewhere. */
const DEEPEST = 500

type Flow = 'normal' | 'break' | 'continue'

class Execution {
  readonly #source: string
  readonly #root: unknown
  readonly #options: TemplateOptions
  readonly #defined: Parsed['defined']
  #output = ''
  #depth = 0

  constructor(source: string, root: unknown, options: TemplateOptions, defined: Parsed['defined']) {
    this.#defined = defined
    this.#source = source
    this.#root = root
    this.#options = options
  }

  run(nodes: Nodes): string {
    const variables = new Scope()
    variables.declare('$', this.#root)
    this.#list(nodes, { dot: this.#root, variables })
    return this.#output
  }

  #list(nodes: Nodes, frame: Frame): Flow {
    for (const node of nodes) {
      switch (node.kind) {
        case 'text':
          this.#output += node.text
          break
        case 'action': {
          const value = this.#pipe(node.pipe, frame)
          if (node.pipe.variables.length === 0) this.#output += this.#text(value, node.pipe)
          break
        }
        case 'if':
        case 'with': {
          const inner = { dot: frame.dot, variables: new Scope(frame.variables) }
          const value = this.#pipe(node.pipe, inner)
          const branch = isTruthy(value) ? node.body : node.otherwise
          const dot = node.kind === 'with' && isTruthy(value) ? value : frame.dot
          const flow = this.#list(branch, { ...inner, dot })
          if (flow !== 'normal') return flow
          break
        }
        case 'range':
          this.#range(node, frame)
          break
        case 'template':
          this.#invoke(node, frame)
          break
        case 'break':
        case 'continue':
          return node.kind
      }
    }
    return 'normal'
  }

  #invoke(
    { name, pipe, pos }: { readonly name: string; readonly pipe: Pipe | undefined; readonly pos: number },
    frame: Frame,
  ): void {
    const dot = pipe === undefined ? null : this.#pipe(pipe, frame)
    const nodes = this.#defined.get(name)
    const context = `{{template ${JSON.stringify(name)}}}`
    if (nodes === undefined) throw this.#error(pos, context, `template ${JSON.stringify(name)} not defined`)
    if (this.#depth >= DEEPEST) {
      throw this.#error(pos, context, `exceeded maximum template depth (${DEEPEST})`)
    }
    const variables = new Scope()
    variables.declare('$', dot)
    this.#depth += 1
    this.#list(nodes, { dot, variables })
    this.#depth -= 1
  }

  #text(value: unknown, { commands: [command] }: Pipe): string {
    const [operand, argument] = command?.operands ?? []
    if (operand?.kind === 'field' && argument === undefined && isDuration(operand.path, value)) {
      return formatGoDuration(Number(value))
    }
    // Of a type that is known, null is a nil pointer; otherwise it is nothing.
    const typed = this.#options.optionalFields !== undefined || isView(this.#root)
    return typed || value !== null ? printResult(value) : printResult(undefined)
  }

  #range(node: { readonly pipe: Pipe; readonly body: Nodes; readonly otherwise: Nodes }, frame: Frame): void {
    const outer = new Scope(frame.variables)
    const value = this.#pipe({ ...node.pipe, variables: [] }, { dot: frame.dot, variables: outer })
    const items = this.#itemsOf(value, node.pipe.pos)
    const { variables } = node.pipe
    if (typeof value === 'number' && variables.length > 1) {
      throw this.#error(node.pipe.pos, 'range', `can't use ${value} to iterate over more than one variable`)
    }
    for (const [key, item] of items) {
      const scope = new Scope(outer)
      const [first, second] = variables
      if (second !== undefined) scope.declare(second, item)
      if (first !== undefined) scope.declare(first, second === undefined ? item : key)
      if (this.#list(node.body, { dot: item, variables: scope }) === 'break') break
    }
    if (items.length === 0) this.#list(node.otherwise, frame)
  }

  #itemsOf(value: unknown, pos: number): (readonly [unknown, unknown])[] {
    if (value === null || value === undefined) return []
    if (Array.isArray(value)) return value.map((item: unknown, i) => [i, item] as const)
    if (isMap(value)) return sortedKeys(value).map((key) => [key, value[key]] as const)
    if (typeof value === 'number') return Array.from({ length: value }, (_, i) => [i, i] as const)
    throw this.#error(pos, 'range', `range can't iterate over ${printResult(value)}`)
  }

  #pipe(pipe: Pipe, frame: Frame): unknown {
    let value: unknown
    pipe.commands.forEach((command, i) => {
      value = this.#command(command, frame, i === 0 ? [] : [value])
    })
    for (const name of pipe.variables) {
      if (!pipe.assigns) frame.variables.declare(name, value)
      else if (!frame.variables.assign(name, value)) {
        throw this.#error(pipe.pos, name, `undefined variable "${name}"`)
      }
    }
    return value
  }

  /** `piped` is what the command before passes on: its last argument. */
  #command(command: Command, frame: Frame, piped: readonly unknown[]): unknown {
    const [first, ...rest] = command.operands
    if (first.kind === 'function') return this.#call(first, rest, frame, { piped, source: command.source })
    const hasArguments = rest.length + piped.length > 0
    const args = (): unknown[] => [...rest.map((operand) => this.#operand(operand, frame)), ...piped]
    switch (first.kind) {
      case 'field':
        return this.#fields(frame.dot, first.path, first, hasArguments ? args : undefined)
      case 'variable':
        return this.#fields(this.#variable(first, frame), first.path, first, hasArguments ? args : undefined)
      case 'pipe':
        return this.#fields(this.#pipe(first.pipe, frame), first.path, first, hasArguments ? args : undefined)
      default:
        if (hasArguments) {
          throw this.#error(
            first.pos,
            operandText(first),
            `can't give argument to non-function ${operandText(first)}`,
          )
        }
        if (first.kind === 'nil') throw this.#error(first.pos, 'nil', 'nil is not a command')
        return this.#operand(first, frame)
    }
  }

  #operand(operand: Operand, frame: Frame): unknown {
    switch (operand.kind) {
      case 'dot':
        return frame.dot
      case 'nil':
        return null
      case 'literal':
        return operand.value
      case 'function':
        return this.#call(operand, [], frame, { piped: [], source: operand.name })
      case 'field':
        return this.#fields(frame.dot, operand.path, operand, undefined)
      case 'variable':
        return this.#fields(this.#variable(operand, frame), operand.path, operand, undefined)
      case 'pipe':
        return this.#fields(this.#pipe(operand.pipe, frame), operand.path, operand, undefined)
    }
  }

  #variable(operand: Operand & { readonly kind: 'variable' }, frame: Frame): unknown {
    const found = frame.variables.get(operand.name)
    if (found === undefined)
      throw this.#error(operand.pos, operand.name, `undefined variable "${operand.name}"`)
    return found.value
  }

  #call(
    operand: Operand & { readonly kind: 'function' },
    rest: readonly Operand[],
    frame: Frame,
    { piped, source }: { readonly piped: readonly unknown[]; readonly source: string },
  ): unknown {
    const { name, pos } = operand
    if (lazyFunctions.includes(name)) return this.#shortCircuit(name, rest, frame, piped)
    const called = (this.#options.functions ?? functions).get(name)
    if (called === undefined) throw this.#error(pos, name, `"${name}" is not a defined function`)
    const args = [...rest.map((each) => this.#operand(each, frame)), ...piped]
    if (args.length < called.length) {
      throw this.#error(
        pos,
        name,
        `wrong number of args for ${name}: want ${called.length} got ${args.length}`,
      )
    }
    try {
      return called(...args)
    } catch (error) {
      if (hasCode(error, 'TEMPLATE_FAILED')) throw error
      throw this.#error(pos, source, `error calling ${name}: ${messageOf(error)}`)
    }
  }

  #shortCircuit(name: string, rest: readonly Operand[], frame: Frame, piped: readonly unknown[]): unknown {
    let value: unknown
    for (const next of [
      ...rest.map((each) => () => this.#operand(each, frame)),
      ...piped.map((each) => () => each),
    ]) {
      value = next()
      if (isTruthy(value) === (name === 'or')) return value
    }
    return value
  }

  #fields(
    start: unknown,
    path: readonly string[],
    operand: Operand,
    args: (() => unknown[]) | undefined,
  ): unknown {
    if (path.length === 0 && args !== undefined) {
      throw this.#error(
        operand.pos,
        operandText(operand),
        `can't give argument to non-function ${operandText(operand)}`,
      )
    }
    return path.reduce((value, name, i) => {
      const last = i === path.length - 1
      const ofMap = this.#options.mapFields?.has(path[i - 2] ?? '') === true
      return this.#field(value, name, { operand, parent: path[i - 1], ofMap, args: last ? args : undefined })
    }, start)
  }

  #field(value: unknown, name: string, access: FieldAccess): unknown {
    const { operand, args } = access
    const fail = (message: string): Error => this.#error(operand.pos, operandText(operand), message)
    if (isView(value)) return fieldOfView(value, name, args, fail)
    if (args !== undefined) throw fail(`${name} is not a method but has arguments`)
    if (isMap(value)) return this.#fieldOfMap(value, name, access.parent ?? '', fail)
    // What is missing in a map has nothing in it; what is nil cannot be asked.
    if (value === undefined && (this.#options.optionalFields === undefined || access.ofMap)) return undefined
    if (value === null || value === undefined) throw fail(`nil pointer evaluating interface {}.${name}`)
    throw fail(`can't evaluate field ${name} in type ${goType(value)}`)
  }

  #fieldOfMap(
    value: Readonly<Record<string, unknown>>,
    name: string,
    parent: string,
    fail: (message: string) => Error,
  ): unknown {
    const { optionalFields, mapFields } = this.#options
    const found = Object.hasOwn(value, name) ? value[name] : undefined
    if (optionalFields === undefined || mapFields?.has(parent) === true) return found
    const other = namesInJson.get(name)
    if (found === undefined && other !== undefined && Object.hasOwn(value, other)) return value[other]
    if (found === undefined && !optionalFields.has(name)) throw fail(`map has no entry for key "${name}"`)
    return found ?? nilOf(name)
  }

  #error(pos: number, context: string, message: string): Error {
    const name = this.#options.name ?? ''
    const before = this.#source.slice(0, pos)
    const line = before.split('\n').length
    const column = pos - (before.lastIndexOf('\n') + 1)
    return evaluationError(
      `template: ${name}:${line}:${column}: executing "${name}" at <${context}>: ${message}`,
    )
  }
}
