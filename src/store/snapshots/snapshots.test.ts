import { MemorySnapshots } from './memory-snapshots.ts'
import { snapshotsSuite } from './snapshots.suite.ts'

snapshotsSuite('MemorySnapshots', async () => {
  const snapshots = new MemorySnapshots()
  return {
    snapshots,
    corrupt: async (diffId) => snapshots.corrupt(diffId),
    leftovers: async () => [],
    [Symbol.asyncDispose]: async () => undefined,
  }
})
