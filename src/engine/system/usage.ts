import { isKind } from '#base/errors.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'

/** One kind of object in `GET /system/df`, as API 1.52 gives it. Sizes in bytes. */
export interface Usage<T> {
  readonly ActiveCount: number
  readonly TotalCount: number
  readonly Reclaimable: number
  readonly TotalSize: number
  readonly Items: readonly T[]
}

/** Counts and sums; what is not active could be reclaimed. */
export function usageOf<T>(
  items: readonly T[],
  size: (item: T) => number,
  active: (item: T) => boolean,
): Usage<T> {
  const idle = items.filter((item) => !active(item))
  const sum = (list: readonly T[]): number => list.reduce((total, item) => total + size(item), 0)
  return {
    ActiveCount: items.length - idle.length,
    TotalCount: items.length,
    Reclaimable: sum(idle),
    TotalSize: sum(items),
    Items: items,
  }
}

/** Bytes of a container's writable layer; none when the container is being removed meanwhile. */
export async function usageOrZero(snapshots: Pick<Snapshots, 'usage'>, id: string): Promise<number> {
  try {
    return await snapshots.usage(id)
  } catch (error) {
    if (isKind(error, 'not_found')) return 0
    throw error
  }
}
