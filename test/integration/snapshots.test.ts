import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { hexOf, type Digest } from '#base/digest.ts'
import { snapshotsSuite } from '#store/snapshots/snapshots.suite.ts'
import { startStore } from './snapshots-store.ts'

for (const driver of ['erofs', 'directory'] as const) {
  snapshotsSuite(`DiskSnapshots (${driver})`, async () => {
    const store = await startStore(driver)
    return {
      snapshots: store.snapshots,
      corrupt: (diffId) => flipByte(store.dataRoot, diffId, driver),
      leftovers: () => store.leftovers(),
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    }
  })
}

async function flipByte(dataRoot: string, diffId: Digest, driver: 'erofs' | 'directory'): Promise<void> {
  const path = join(
    dataRoot,
    'layers/sha256',
    hexOf(diffId),
    driver === 'erofs' ? 'layer.tar' : 'layer.tar.zst',
  )
  const middle = (await stat(path)).size >> 1
  await using file = await open(path, 'r+')
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, middle)
  byte[0]! ^= 0x55
  await file.write(byte, 0, 1, middle)
}
