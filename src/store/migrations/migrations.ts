import { images } from './0101-images.ts'
import { registries } from './0102-registries.ts'
import { containers } from './0201-containers.ts'
import { volumes } from './0301-volumes.ts'
import { volumeOrigins } from './0302-volume-origins.ts'
import { events } from './0401-events.ts'
import { requests } from './0402-requests.ts'
import { networks } from './0501-networks.ts'
import { buildCache } from './0601-build-cache.ts'
import { fileDigests } from './0602-file-digests.ts'
import type { Migration } from './migration.ts'

/** Every step there is. Numbers: images 01xx, containers 02xx, volumes 03xx, events and requests 04xx, networks 05xx, builds 06xx. */
export const migrations: readonly Migration[] = [
  images,
  registries,
  containers,
  volumes,
  volumeOrigins,
  events,
  requests,
  networks,
  buildCache,
  fileDigests,
]
