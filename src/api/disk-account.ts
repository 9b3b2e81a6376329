/**
 * Berth alone, in the answer to `GET /system/df`: every allocated byte below the data root, as `du` counts them. The sizes
 * of all categories add up to `Total`.
 */
export interface DiskAccount {
  readonly Root: string
  readonly Total: number
  readonly Categories: readonly DiskCategory[]
  /** What nothing explains, by path below the root; part of the category "Unexplained". */
  readonly Unexplained: readonly { readonly Path: string; readonly Size: number }[]
}

export interface DiskCategory {
  readonly Name: string
  readonly Size: number
  /** What commands of the engine would free: `prune` with its options, or `fsck` with repair. */
  readonly Reclaimable: number
  readonly Description: string
}
