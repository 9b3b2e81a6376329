import { createHash } from 'node:crypto'
import { statfs } from 'node:fs/promises'
import type { Clock } from '#base/clock.ts'
import { type FlightControl, Flights, lastOfEach } from '#base/flights.ts'
import type { Logger } from '#base/logger.ts'
import { formatPlatform, parsePlatform, type Platform } from '#oci/platform.ts'
import { familiarName, formatFamiliar, formatReference, type Reference, withTag } from '#oci/reference.ts'
import type { RegistryClient, Repository } from '#registry/client/repository.ts'
import type { Ingests } from '#store/ingests/ingests.ts'
import type { ImageStore } from '../images/image-store.ts'
import { reporting } from '../images/progress.ts'
import { credentialsOf } from '../registries/credentials.ts'
import type { ProgressMessage, PullService } from '../services.ts'
import type { DownloadLimits } from './download.ts'
import { noTags } from './errors.ts'
import { ImagePull, type PullRequest } from './image-pull.ts'
import { LayerFetches } from './layer-fetches.ts'
import { pullReference } from './names.ts'

export interface PullsDeps {
  readonly store: ImageStore
  readonly ingests: Ingests
  readonly registry: RegistryClient
  readonly dataRoot: string
  readonly clock: Clock
  readonly logger: Logger
  /** Connections of all pulls together; dockerd's `max-concurrent-downloads`. */
  readonly connections: number
  readonly limits: DownloadLimits
}

/** Milliseconds that bytes of an interrupted pull are kept. */
const KEEP_INGESTS = 7 * 24 * 3_600_000

interface Wish {
  readonly reference: Reference
  readonly platform: Platform | undefined
  readonly repository: Repository
}

/** Fetches images from registries; the same pull asked for twice at a time is done once. */
export class Pulls implements PullService {
  /** What brings single layers, for others than images. */
  readonly layers: LayerFetches
  readonly #deps: PullsDeps
  readonly #image: ImagePull
  readonly #flights = new Flights<undefined, ProgressMessage, void>(() => lastOfEach(({ id }) => id))

  constructor(deps: PullsDeps) {
    this.#deps = deps
    const freeSpace = async (): Promise<number> => {
      const { bavail, bsize } = await statfs(deps.dataRoot)
      return bavail * bsize
    }
    this.layers = new LayerFetches({ ...deps, freeSpace })
    this.#image = new ImagePull({ ...deps, freeSpace, layers: this.layers })
  }

  pull(from: string, options: Parameters<PullService['pull']>[1]): AsyncIterable<ProgressMessage> {
    return reporting(async (report, signal) => {
      const reference = pullReference(from, options.tag)
      const platform = options.platform ? parsePlatform(options.platform) : undefined
      const credentials = credentialsOf(options.auth)
      const repository = this.#deps.registry.repository(reference, { credentials })
      const key = keyOf(reference, platform, credentials)
      await this.#flights.join(key, { context: undefined, report, signal }, (control) =>
        this.#pull({ reference, platform, repository }, control),
      )
    }, options)
  }

  /** Removes what interrupted pulls have left long ago; its bytes are free again. */
  async expire(): Promise<void> {
    const { ingests, clock, logger } = this.#deps
    for (const { digest, stored } of await ingests.expire(clock.now().getTime() - KEEP_INGESTS)) {
      logger.info('partial blob is too old to go on with', { digest, stored })
    }
  }

  async #pull(wish: Wish, control: FlightControl<undefined, ProgressMessage>): Promise<void> {
    const { reference } = wish
    const { signal } = control
    const report = (message: ProgressMessage): void => control.report(message)
    const isOne = reference.tag !== undefined || reference.digest !== undefined
    const changed = isOne
      ? await this.#image.pull({ ...wish, report, signal })
      : await this.#pullAll({ ...wish, report, signal })
    const what = isOne ? formatFamiliar(reference) : familiarName(reference)
    report({ status: `Status: ${changed ? 'Downloaded newer image' : 'Image is up to date'} for ${what}` })
  }

  /** One tag after the other; the first that fails ends it. */
  async #pullAll(request: PullRequest): Promise<boolean> {
    const { reference, repository, signal } = request
    let changed: boolean | undefined
    for await (const tag of repository.tags({ signal })) {
      const isNew = await this.#image.pull({ ...request, reference: withTag(reference, tag) })
      changed = isNew || changed === true
    }
    if (changed === undefined) throw noTags(familiarName(reference))
    return changed
  }
}

/** Who may see an image is decided by the registry for each who asks, so whoever asks as somebody else asks alone. */
function keyOf(
  reference: Reference,
  platform: Platform | undefined,
  credentials: object | undefined,
): string {
  const who = createHash('sha256')
    .update(JSON.stringify(credentials ?? null))
    .digest('hex')
  return [formatReference(reference), platform === undefined ? '' : formatPlatform(platform), who].join(' ')
}
