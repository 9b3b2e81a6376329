import type { Clock } from '#base/clock.ts'
import type { Logger } from '#base/logger.ts'
import type { AccessControl } from '../access.ts'
import type { EventPublisher } from '../event-publisher.ts'
import type { Hooks } from '../hooks.ts'
import type { Limits } from '../limits.ts'
import type { Catalogue } from '../storage/catalogue.ts'
import type { BlobStorage } from '../storage/storage.ts'

/** What pulls, pushes and deletions work with. */
export interface ContentDeps {
  readonly catalogue: Catalogue
  readonly blobs: BlobStorage
  readonly access: AccessControl
  readonly events: EventPublisher
  readonly hooks: Hooks
  readonly limits: Limits
  readonly clock: Clock
  readonly logger: Logger
}
