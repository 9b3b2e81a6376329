/** Something that builds have left to be quicker the next time. */
export interface CacheItem {
  readonly id: string
  /** As BuildKit names it. */
  readonly type: 'regular' | 'exec.cachemount' | 'source.local' | 'source.git.checkout'
  readonly description: string
  /** Ids of what it was made from; they may be gone. */
  readonly parents: readonly string[]
  /** A running build has it. */
  readonly inUse: boolean
  /** Images have its layer, too: removing it frees nothing. */
  readonly shared: boolean
  /** Bytes on disk. */
  readonly size: number
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** Milliseconds since the epoch. */
  readonly usedAt: number
  readonly uses: number
}

/** What may go. Spaces are bytes; without any of them everything that matches goes. */
export interface PruneRules {
  /** Also what images have, which frees nothing. */
  readonly all: boolean
  readonly matches: (item: CacheItem) => boolean
  /** So much is always kept. */
  readonly reservedSpace?: number | undefined
  /** More is not kept. */
  readonly maxUsedSpace?: number | undefined
  /** So much of the disk is to be free. */
  readonly minFreeSpace?: number | undefined
}

/** Milliseconds. */
const DAY = 24 * 60 * 60 * 1000

/** What goes by itself: the least recently used above `limit` bytes, never what was used within a day. */
export function automaticRules(limit: number, now: number): PruneRules {
  return { all: false, maxUsedSpace: limit, matches: ({ usedAt }) => usedAt <= now - DAY }
}

/** Ids of what is to be removed, in that order: the least recently used first, and what was made from it before it. */
export function chooseForRemoval(
  items: readonly CacheItem[],
  rules: PruneRules,
  /** Bytes of the disk that are free. */
  free: number,
): string[] {
  const candidates = items
    .filter((item) => !item.inUse && (rules.all || !item.shared) && rules.matches(item))
    .toSorted((a, b) => a.usedAt - b.usedAt || b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1))
  let used = items.reduce((sum, item) => sum + freedBy(item), 0)
  const kept = keptSpace(rules, used, free)
  if (kept === undefined) return candidates.map(({ id }) => id)
  const chosen: string[] = []
  for (const item of candidates) {
    if (used <= kept) break
    const frees = freedBy(item)
    // It would make room for nothing.
    if (frees === 0) continue
    chosen.push(item.id)
    used -= frees
  }
  return chosen
}

function freedBy({ shared, size }: CacheItem): number {
  return shared ? 0 : size
}

/** Bytes that may stay; undefined: none need to. */
function keptSpace(rules: PruneRules, used: number, free: number): number | undefined {
  const { reservedSpace = 0, maxUsedSpace = 0, minFreeSpace = 0 } = rules
  if (reservedSpace === 0 && maxUsedSpace === 0 && minFreeSpace === 0) return undefined
  const lacking = Math.max(minFreeSpace - free, 0)
  // A wish for free space alone says nothing about how much may be used.
  const wanted = maxUsedSpace === 0 && minFreeSpace > 0 ? used : maxUsedSpace
  return Math.max(Math.min(wanted, used - lacking), reservedSpace)
}
