import type { DriverData, Storage } from '#api/generated/types.ts'

/** What `Storage` was called before 1.52. */
export function graphDriverOf(
  driver: string | null | undefined,
  storage: Storage | null | undefined,
): DriverData {
  const Name = driver || storage?.RootFS?.Snapshot?.Name || 'overlayfs'
  return { Name, Data: null }
}
