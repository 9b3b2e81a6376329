import type { Clock } from '#base/clock.ts'
import type { AccessControl } from '../access.ts'
import type { EventPublisher } from '../event-publisher.ts'
import type { Catalogue } from '../storage/catalogue.ts'
import type { ConfigReader } from './config-reader.ts'
import type { PageRows } from './page-rows.ts'

/** What the JSON API works with. */
export interface PageDeps {
  readonly catalogue: Catalogue
  readonly configs: ConfigReader
  readonly pages: PageRows
  readonly access: AccessControl
  readonly events: EventPublisher
  readonly clock: Clock
}
