import { didYouMean } from '#base/nearest.ts'
import { SyntaxFailure } from './failure.ts'
import type { Flag } from './instruction.ts'

/** What values a flag takes: `text` and `list` need one, `switch` may have `true` or `false`. */
export type FlagKind = 'text' | 'list' | 'switch'

/** An instruction's flags, checked against those it knows. */
export class Flags<Names extends string> {
  readonly #values = new Map<string, readonly Flag[]>()

  constructor(flags: readonly Flag[], known: Readonly<Record<Names, FlagKind>>) {
    for (const flag of flags) {
      const kind = Object.hasOwn(known, flag.name) ? known[flag.name as Names] : undefined
      if (kind === undefined) throw unknownFlag(flag, Object.keys(known))
      const before = this.#values.get(flag.name) ?? []
      if (before.length > 0 && kind !== 'list')
        throw new SyntaxFailure(`duplicate flag specified: --${flag.name}`, { range: flag.range })
      checkValue(flag, kind)
      this.#values.set(flag.name, [...before, flag])
    }
  }

  text(name: Names): string | undefined {
    return this.#values.get(name)?.[0]?.value
  }

  list(name: Names): readonly Flag[] {
    return this.#values.get(name) ?? []
  }

  /** The value of a switch; undefined when it was not given. */
  switch(name: Names): boolean | undefined {
    const flag = this.#values.get(name)?.[0]
    return flag === undefined ? undefined : flag.value?.toLowerCase() !== 'false'
  }

  /** Where a flag is. */
  flag(name: Names): Flag | undefined {
    return this.#values.get(name)?.[0]
  }
}

function checkValue({ name, value, range }: Flag, kind: FlagKind): void {
  if (kind !== 'switch') {
    if (value === undefined)
      throw new SyntaxFailure(`missing a value on flag: --${name}`, { range, hint: `Write --${name}=VALUE.` })
    return
  }
  if (value === '') throw new SyntaxFailure(`missing a value on flag: --${name}`, { range })
  if (value !== undefined && !['true', 'false'].includes(value.toLowerCase()))
    throw new SyntaxFailure(`expecting boolean value for flag --${name}, not: ${value}`, { range })
}

function unknownFlag({ name, range }: Flag, known: readonly string[]): SyntaxFailure {
  const hint =
    known.length === 0
      ? 'This instruction has no flags; put -- before an argument that begins with two dashes.'
      : `Its flags are ${known.map((flag) => `--${flag}`).join(', ')}.`
  return new SyntaxFailure(`unknown flag: --${name}${didYouMean(name, known)}`, { range, hint })
}
