import { messageOf } from '#base/errors.ts'
import { compilePattern, type Pattern } from '../settings/pattern.ts'
import { wrongRule } from './errors.ts'

const compiled = new Map<string, Pattern>()
const MAX_COMPILED = 1000

/** Whether a pattern (settings/pattern.ts: `team/*`, `team/**`) covers a repository. */
export function covers(pattern: string, repository: string): boolean {
  let matches = compiled.get(pattern)
  if (matches === undefined) {
    matches = compilePattern(pattern)
    if (compiled.size >= MAX_COMPILED) compiled.clear()
    compiled.set(pattern, matches)
  }
  return matches(repository)
}

const GLOB = /^[a-z0-9*?](?:[a-z0-9*?._/-]*[a-z0-9*?])?$/

/** Throws `invalid_argument` for a pattern that no repository's name could match; `field` is where it stands. */
export function checkPattern(pattern: string, field: string): void {
  if (pattern.length <= 255 && GLOB.test(pattern) && !pattern.includes('//')) return
  if (!/^\/.+\/$/.test(pattern)) {
    throw wrongRule(
      `${field}: "${pattern}" cannot be a repository; examples are "team/app", "team/*" and "team/**"`,
    )
  }
  try {
    compilePattern(pattern)
  } catch (error) {
    throw wrongRule(`${field}: ${messageOf(error)}`, error)
  }
}
