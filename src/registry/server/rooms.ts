import { operations } from './operations/operations-room.ts'
import type { RoomDefinition } from './room.ts'

/** What a registry has beside accounts, pull and push: each in files of its own. */
export const rooms: readonly RoomDefinition[] = [operations]
