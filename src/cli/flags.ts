import { messageOf } from '#base/errors.ts'
import { nearest } from '#base/nearest.ts'
import { flagError, valueError } from './errors.ts'
import { parseBool, parseBytes, parseCpus, parseDuration, parseInteger } from './values.ts'

/** A flag as data: how its text is read, and what help and completion say about it. */
export interface Flag<T> {
  /** Shown in help after the name; empty for a switch. */
  readonly type: string
  readonly help: string
  readonly initial: T
  readonly short?: string | undefined
  /** The default as help shows it. */
  readonly shown?: string | undefined
  readonly hidden?: boolean | undefined
  /** Needs no value: standing alone it means `true`. */
  readonly isSwitch: boolean
  /** What to offer for completion. */
  readonly completes?: Completion | undefined
  accept(text: string, previous: T): T
}

export type Completion =
  | 'containers'
  | 'running'
  | 'images'
  | 'volumes'
  | 'networks'
  | 'logins'
  | 'contexts'
  | 'objects'
  | 'execs'
  | 'files'
  | 'none'
  | readonly string[]

export type Flags = Readonly<Record<string, Flag<unknown>>>

/** The parsed value of every flag of a set. */
export type Values<F extends Flags> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never }

interface Extras {
  readonly short?: string
  readonly hidden?: boolean
  readonly shown?: string
  readonly type?: string
  readonly completes?: Completion
}

export function bool(help: string, extras: Extras & { readonly initial?: boolean } = {}): Flag<boolean> {
  const { initial = false, ...rest } = extras
  return {
    type: '',
    help,
    initial,
    isSwitch: true,
    ...(initial ? { shown: 'true' } : {}),
    ...rest,
    accept: parseBool,
  }
}

export function string(help: string, extras: Extras & { readonly initial?: string } = {}): Flag<string> {
  const { initial = '', ...rest } = extras
  const shown = initial === '' ? {} : { shown: `"${initial}"` }
  return { type: 'string', help, initial, isSwitch: false, ...shown, ...rest, accept: (text) => text }
}

/** May be given several times; every use adds one value. `check` may reject or rewrite a value. */
export function list(
  help: string,
  extras: Extras & { readonly check?: (text: string) => string } = {},
): Flag<readonly string[]> {
  const { check = (text) => text, ...rest } = extras
  return {
    type: 'list',
    help,
    initial: [],
    isSwitch: false,
    ...rest,
    accept: (text, previous) => [...previous, check(text)],
  }
}

/** `KEY=VALUE`, several times; the last one of a key wins. */
export function map(
  help: string,
  extras: Extras & { readonly check?: (text: string) => string } = {},
): Flag<Readonly<Record<string, string>>> {
  const { check = (text) => text, ...rest } = extras
  return {
    type: 'map',
    help,
    initial: {},
    isSwitch: false,
    ...rest,
    accept(text, previous) {
      const [key, value] = cut(check(text), '=')
      return { ...previous, [key]: value ?? '' }
    },
  }
}

/** Docker's `--filter`: `key=value`, several times. */
export function filter(
  help = 'Keep only what matches (key=value)',
  completes?: Completion,
): Flag<Readonly<Record<string, readonly string[]>>> {
  return {
    type: 'filter',
    short: 'f',
    help,
    initial: {},
    isSwitch: false,
    completes,
    accept(text, previous) {
      if (text === '') return previous
      const [key, value] = cut(text, '=')
      if (value === undefined) throw valueError('bad format of filter (expected name=value)')
      const name = key.trim().toLowerCase()
      return { ...previous, [name]: [...(previous[name] ?? []), value.trim()] }
    },
  }
}

/** A whole number; undefined when not given. */
export function integer(
  help: string,
  extras: Extras & { readonly min?: number; readonly max?: number } = {},
): Flag<number | undefined> {
  const { min, max, ...rest } = extras
  const bounds = { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) }
  return {
    type: 'int',
    help,
    initial: undefined,
    isSwitch: false,
    ...rest,
    accept: (text) => parseInteger(text, bounds),
  }
}

/** A size in bytes; undefined when not given. With `unlimited`, -1 is allowed. */
export function bytes(
  help: string,
  extras: Extras & { readonly unlimited?: boolean } = {},
): Flag<number | undefined> {
  const { unlimited = false, ...rest } = extras
  return {
    type: 'bytes',
    help,
    initial: undefined,
    isSwitch: false,
    ...rest,
    accept: (text) => (unlimited && text === '-1' ? -1 : parseBytes(text)),
  }
}

/** Nanoseconds; undefined when not given. */
export function duration(help: string, extras: Extras = {}): Flag<number | undefined> {
  return { type: 'duration', help, initial: undefined, isSwitch: false, ...extras, accept: parseDuration }
}

/** Billionths of a CPU; undefined when not given. */
export function cpus(help: string, extras: Extras = {}): Flag<number | undefined> {
  return { type: 'decimal', help, initial: undefined, isSwitch: false, ...extras, accept: parseCpus }
}

export interface Parsed<F extends Flags> {
  readonly flags: Values<F>
  readonly changed: ReadonlySet<string>
  readonly args: readonly string[]
  readonly help: boolean
}

/**
 * Parses as Docker's command line does: `--flag value`, `--flag=value`, `-f value`, `-fvalue`, `-f=value`, `-abc` for
 * switches, `--` ends the flags. Unless `interspersed`, the first argument that is no flag ends them too.
 */
export function parseFlags<F extends Flags>(
  specs: F,
  argv: readonly string[],
  options: { readonly interspersed: boolean },
): Parsed<F> {
  const parser = new FlagParser(specs)
  const rest = [...argv]
  const args: string[] = []
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      args.push(...rest)
      break
    }
    if (word.startsWith('--')) parser.long(word, rest)
    else if (word.length > 1 && word.startsWith('-')) parser.short(word.slice(1), rest)
    else if (options.interspersed) args.push(word)
    else {
      args.push(word, ...rest)
      break
    }
    if (parser.help) break
  }
  return { flags: parser.values as Values<F>, changed: parser.changed, args, help: parser.help }
}

class FlagParser {
  readonly values: Record<string, unknown>
  readonly changed = new Set<string>()
  help = false
  readonly #specs: Flags
  readonly #names: ReadonlyMap<string, string>

  constructor(specs: Flags) {
    this.#specs = specs
    this.values = Object.fromEntries(Object.entries(specs).map(([name, { initial }]) => [name, initial]))
    this.#names = new Map(
      Object.entries(specs).flatMap(([name, { short }]) => (short === undefined ? [] : [[short, name]])),
    )
  }

  /** `word` begins with two dashes; a value may be taken from `rest`. */
  long(word: string, rest: string[]): void {
    const [name, inline] = cut(word.slice(2), '=')
    if (name === '' || name.startsWith('-')) throw flagError(`bad flag syntax: ${word}`)
    const spec = this.#specs[name]
    if (spec === undefined) {
      if (name !== 'help') throw flagError(`unknown flag: --${name}${this.#meant(name)}`)
      this.help = inline === undefined || parseBool(inline)
      return
    }
    const value = inline ?? (spec.isSwitch ? 'true' : rest.shift())
    if (value === undefined) throw flagError(`flag needs an argument: --${name}`)
    this.#set(name, spec, value)
  }

  /** `letters` is a cluster of one-letter flags without its dash. */
  short(letters: string, rest: string[]): void {
    for (let left = letters; left !== '';) {
      const letter = left.charAt(0)
      const name = this.#names.get(letter)
      const spec = name === undefined ? undefined : this.#specs[name]
      if (name === undefined || spec === undefined) {
        if (letter !== 'h') throw flagError(`unknown shorthand flag: '${letter}' in -${left}`)
        this.help = true
        return
      }
      left = left.slice(1)
      if (left.startsWith('=')) {
        this.#set(name, spec, left.slice(1))
        return
      }
      if (spec.isSwitch) {
        this.#set(name, spec, 'true')
        continue
      }
      const value = left === '' ? rest.shift() : left
      if (value === undefined) throw flagError(`flag needs an argument: '${letter}' in -${letter}`)
      this.#set(name, spec, value)
      return
    }
  }

  #meant(name: string): string {
    const shown = Object.entries(this.#specs).flatMap(([each, { hidden }]) => (hidden === true ? [] : [each]))
    const found = nearest(name, shown)
    return found === undefined ? '' : `\nDid you mean --${found}?`
  }

  #set(name: string, spec: Flag<unknown>, text: string): void {
    try {
      this.values[name] = spec.accept(text, this.values[name])
    } catch (error) {
      const shown = spec.short === undefined ? `--${name}` : `-${spec.short}, --${name}`
      throw flagError(`invalid argument "${text}" for "${shown}" flag: ${messageOf(error)}`, error)
    }
    this.changed.add(name)
  }
}

/** Cuts at the first `separator`; the second part is undefined when there is none. */
export function cut(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)]
}
