import { systemClock } from '#base/clock.ts'
import type { Images } from '#engine/images/images.ts'
import { downloadLimits } from '#engine/pull/download.ts'
import { Pulls } from '#engine/pull/pulls.ts'
import { FileIngests } from '#store/ingests/file-ingests.ts'
import type { Foundation } from './engine.ts'

/** What fetches images; partial blobs that a crash has left are there to go on with. */
export async function openPulls(foundation: Foundation, images: Images): Promise<Pulls> {
  const { config, logger, registryClient } = foundation
  const ingests = new FileIngests({ dataRoot: config.dataRoot, logger })
  await ingests.recover()
  const pulls = new Pulls({
    store: images.store,
    ingests,
    registry: registryClient,
    dataRoot: config.dataRoot,
    clock: systemClock,
    logger,
    connections: config.transfers.maxDownloads,
    limits: downloadLimits,
  })
  await pulls.expire()
  return pulls
}
