import { images } from './0101-images.ts'
import type { Migration } from './migration.ts'

/** Every step there is. Numbers: images 01xx, containers 02xx, volumes 03xx, events 04xx. */
export const migrations: readonly Migration[] = [images]
