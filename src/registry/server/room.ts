import type { Clock } from '#base/clock.ts'
import type { Logger } from '#base/logger.ts'
import type { AccessControl } from './access.ts'
import type { RegistryEventListener } from './events.ts'
import type { Hooks } from './hooks.ts'
import type { AnsweredRequest } from './http/edge.ts'
import type { Route } from './http/route.ts'
import type { Catalogue } from './storage/catalogue.ts'
import type { BlobStorage } from './storage/storage.ts'

/** What a room of the registry may use when it is opened. */
export interface RoomContext {
  /** Directory of the registry. */
  readonly root: string
  readonly catalogue: Catalogue
  readonly blobs: BlobStorage
  readonly clock: Clock
  readonly logger: Logger
  /** The value of a key of the configuration file, unread; undefined when it is not there. */
  setting(key: string): unknown
  /** `--mirror-of`. */
  readonly mirrorOf: string | undefined
  /** The accounts' rights, for lists that show what may be pulled. */
  readonly access: AccessControl
  readonly hasAccounts: boolean
}

/** A part of the registry beside pull and push. Disposing ends what it does in the background. */
export interface Room extends AsyncDisposable {
  readonly routes?: readonly Route[]
  readonly hooks?: Hooks
  readonly listeners?: readonly RegistryEventListener[]
  readonly answered?: (request: AnsweredRequest) => void
}

/** A room, as rooms.ts lists it. */
export interface RoomDefinition {
  /** Keys of the configuration file that are its own; no other keys are known. */
  readonly settings: readonly string[]
  /** Throws `invalid_argument` for settings that mean nothing. */
  open(context: RoomContext): Promise<Room>
}
