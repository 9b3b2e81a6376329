import { createInterface } from 'node:readline'
import { bool, cut, filter } from './flags.ts'
import type { Context } from './command.ts'
import { humanSize } from './format/units.ts'
import { planFlags } from './removal-plan.ts'
import type { Filters } from '#client/filters.ts'

export const pruneFlags = {
  ...planFlags,
  force: bool('Do not ask', { short: 'f' }),
  filter: { ...filter('Remove only what matches (key=value)'), short: undefined },
} as const

/** The filters given, and the configured ones whose key they do not mention. */
export function pruneFilters(given: Filters, context: Context): Filters {
  const configured = (context.config.file.pruneFilters ?? []).map((text) => cut(text, '='))
  const extra = configured.filter(([key]) => given[key] === undefined)
  return { ...given, ...Object.fromEntries(extra.map(([key, value]) => [key, [value ?? '']])) }
}

/** Asks on the terminal; only `y` or `Y` is a yes. */
export async function confirmed(warning: string, force: boolean, context: Context): Promise<boolean> {
  if (force) return true
  context.out(`WARNING! ${warning}\nAre you sure you want to continue? [y/N] `)
  const lines = createInterface({ input: context.io.stdin, signal: context.signal })
  for await (const line of lines) {
    lines.close()
    return /^y$/i.test(line.trim())
  }
  return false
}

/** The list of what was removed, under a title, and the line about the space. */
export function pruneReport(
  sections: readonly (readonly [string, readonly string[]])[],
  bytes?: number,
): string {
  const lists = sections
    .filter(([, items]) => items.length > 0)
    .map(([title, items]) => `${title}:\n${items.join('\n')}\n\n`)
  return `${lists.join('')}${bytes === undefined ? '' : `Total reclaimed space: ${humanSize(bytes)}\n`}`
}
