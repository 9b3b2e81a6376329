/** A thread that collects the garbage of a registry again and again, as another process would, until it is told to end. */
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '#base/clock.ts'
import { silentLogger } from '#base/logger.ts'
import { Collector } from '#registry/server/collection/collector.ts'
import { openCatalogue } from '#registry/server/storage/catalogue.ts'
import { FileBlobs } from '#registry/server/storage/file-blobs.ts'

const { root, grace } = workerData as { readonly root: string; readonly grace: number }
let ended = false
parentPort?.once('message', () => (ended = true))

await using catalogue = openCatalogue(join(root, 'registry.db'), { logger: silentLogger })
const collector = new Collector({ catalogue, blobs: new FileBlobs({ root }), clock: systemClock })
const removed = { manifest: 0, link: 0, blob: 0, upload: 0, partial: 0 }
while (!ended) {
  const { removals } = await collector.collect({ grace, deleteUntagged: true, uploads: 3_600_000 })
  for (const { kind } of removals) removed[kind]++
}
parentPort?.postMessage(removed)
