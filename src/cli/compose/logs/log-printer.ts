import { styleText } from 'node:util'
import type { Io, Output } from '../../io.ts'

const COLORS = [
  'cyan',
  'yellow',
  'green',
  'magenta',
  'blue',
  'cyanBright',
  'yellowBright',
  'greenBright',
  'magentaBright',
  'blueBright',
] as const

export interface LogStyle {
  readonly color: boolean
  /** Off: lines as they are. */
  readonly prefix: boolean
}

/** Colours where there is a terminal that has some, and nobody minds. */
export function logStyle(
  flags: { 'no-color': boolean; 'no-log-prefix': boolean },
  ansi: string,
  { stdout, env }: Io,
): LogStyle {
  const wanted = stdout.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  const color = ansi === 'always' || (ansi !== 'never' && wanted)
  return { color: color && !flags['no-color'], prefix: !flags['no-log-prefix'] }
}

/** Writes lines of several containers, each behind the name of whose it is. */
export class LogPrinter {
  readonly #output: Output
  readonly #style: LogStyle
  readonly #colors = new Map<string, (typeof COLORS)[number]>()
  #width: number

  /** `names`: those that are known from the start, so that the lines stand below each other. */
  constructor(output: Output, style: LogStyle, names: readonly string[]) {
    this.#output = output
    this.#style = style
    this.#width = Math.max(0, ...names.map(({ length }) => length))
    for (const name of names) this.#colorOf(name)
  }

  line(name: string, text: string): void {
    this.#output.write(`${this.#prefix(name)}${text}\n`)
  }

  /** What is said about a container, not by it. */
  status(name: string, text: string): void {
    this.#output.write(`${this.#paint(name, `${name} ${text}`)}\n`)
  }

  #prefix(name: string): string {
    if (!this.#style.prefix) return ''
    this.#width = Math.max(this.#width, name.length)
    return this.#paint(name, `${name.padEnd(this.#width)}  | `)
  }

  #paint(name: string, text: string): string {
    return this.#style.color ? styleText(this.#colorOf(name), text, { validateStream: false }) : text
  }

  #colorOf(name: string): (typeof COLORS)[number] {
    const color = this.#colors.get(name) ?? COLORS[this.#colors.size % COLORS.length] ?? 'cyan'
    this.#colors.set(name, color)
    return color
  }
}
