/** The differences that docs/compatibility.md lists: each row of its tables, with `*` for anything. */
import { readFileSync } from 'node:fs'
import { globMatches } from './replay.ts'

export interface Accepted {
  readonly scenario: string
  readonly step: string
  readonly field: string
  readonly line: number
}

export interface Found {
  readonly scenario: string
  readonly step: string
  readonly field: string
}

const PAGE = new URL('../../docs/compatibility.md', import.meta.url)

export function acceptedOf(page = readFileSync(PAGE, 'utf8')): Accepted[] {
  return page.split('\n').flatMap((text, i) => {
    const cells = text.split('|').map((cell) => cell.trim())
    const [, scenario, step, field] = cells.map((cell) => /^`(.*)`$/.exec(cell)?.[1])
    if (scenario === undefined || step === undefined || field === undefined) return []
    return [{ scenario, step, field, line: i + 1 }]
  })
}

export function accepts(accepted: Accepted, found: Found): boolean {
  return (['scenario', 'step', 'field'] as const).every((part) => globMatches(accepted[part], found[part]))
}
