import { anyPattern, type Pattern } from '../settings/pattern.ts'
import { readList, type Section } from '../settings/section.ts'

/** What happens to the tags of some repositories. */
export interface RetentionRule {
  readonly repositories: Pattern
  /** Tags that are set once and then neither moved nor collected. */
  readonly immutable: Pattern
  /** Undefined: all tags are kept. */
  readonly keep: KeepRule | undefined
}

/** A tag is kept when any of these says so. */
export interface KeepRule {
  /** So many, pushed last. */
  readonly last: number
  /** Milliseconds since it was pulled or pushed. */
  readonly within: number
  readonly tags: Pattern
}

/**
 * The setting `retention`: `[{ repositories: ["team/**"], keepLast?: 10, keepPulledWithin?: "30d", keepTags?: ["v*"],
 * immutableTags?: ["v*"] }]`. Per repository the first rule that fits decides. A rule without any `keep…` deletes nothing.
 */
export function readRetention(value: unknown): readonly RetentionRule[] {
  return readList(value, 'retention', readRule)
}

function readRule(section: Section): RetentionRule {
  const last = section.count('keepLast')
  const within = section.duration('keepPulledWithin')
  const tags = section.texts('keepTags')
  const keeps = last !== undefined || within !== undefined || tags !== undefined
  return {
    repositories: anyPattern(section.texts('repositories') ?? ['**'], true),
    immutable: anyPattern(section.texts('immutableTags') ?? [], false),
    keep: keeps ? { last: last ?? 0, within: within ?? 0, tags: anyPattern(tags ?? [], false) } : undefined,
  }
}

export function ruleFor(rules: readonly RetentionRule[], repository: string): RetentionRule | undefined {
  return rules.find(({ repositories }) => repositories(repository))
}
