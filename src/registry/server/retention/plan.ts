import type { TagRow } from '../storage/tag-rows.ts'
import type { RetentionRule } from './rule.ts'

/** What a rule says about one tag, and why. */
export interface TagVerdict {
  readonly tag: TagRow
  readonly kept: boolean
  readonly reason: string
}

/** Decides on all tags of one repository. Pure: the dry run is this alone. */
export function planRetention(
  tags: readonly TagRow[],
  { keep, immutable }: RetentionRule,
  now: number,
): readonly TagVerdict[] {
  if (keep === undefined) return tags.map((tag) => ({ tag, kept: true, reason: 'no rule deletes it' }))
  const newest = new Set(tags.toSorted((a, b) => b.pushed - a.pushed).slice(0, keep.last))
  return tags.map((tag) => {
    const used = Math.max(tag.pushed, tag.pulled ?? 0)
    if (immutable(tag.tag)) return { tag, kept: true, reason: 'immutable' }
    if (keep.tags(tag.tag)) return { tag, kept: true, reason: 'its name is kept' }
    if (newest.has(tag)) return { tag, kept: true, reason: `among the last ${keep.last} pushed` }
    if (keep.within > 0 && now - used < keep.within) return { tag, kept: true, reason: 'used recently' }
    return { tag, kept: false, reason: 'no rule keeps it' }
  })
}
