import type { TreeEntry, TreeRecord } from '#os/tree.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import type { Container } from './container.ts'
import { INIT_PATH } from './spec-input.ts'

/** An empty file in the root, by which programs know that they are in a container: Docker's. */
const MARK = '.dockerenv'

/** Where the shim lets /etc/mtab lead. */
const MTAB_TARGET = '/proc/mounts'

/** These, and the empty files and directories that the runtime leaves where it mounts what every container is given. */
const places = new Map<string, TreeRecord['type']>([
  [MARK, 'file'],
  ['etc/hosts', 'file'],
  ['etc/mtab', 'symlink'],
  ['etc/hostname', 'file'],
  ['etc/resolv.conf', 'file'],
  [INIT_PATH.slice(1), 'file'],
  ['dev', 'directory'],
  ['proc', 'directory'],
  ['sys', 'directory'],
])

/** Directories of the image that are copied up for them, as absolute paths. */
export const generatedParents: ReadonlySet<string> = new Set(['/etc', '/sbin'])

/** The writable directories of a new container. Fails with `conflict` when they are there. */
export async function prepareRoot(
  snapshots: Pick<Snapshots, 'prepare'>,
  { id, layers }: Pick<Container, 'id' | 'layers'>,
): Promise<void> {
  await snapshots.prepare(id, layers, [MARK])
}

/** True for such a place as long as nobody has changed it. */
export function isGenerated({ path, type, size, link }: TreeRecord): boolean {
  return places.get(path) === type && size === 0 && (link === undefined || link === MTAB_TARGET)
}

/** What the container itself has changed. */
export async function* withoutGenerated(entries: AsyncIterable<TreeEntry>): AsyncGenerator<TreeEntry> {
  for await (const entry of entries) {
    if (!isGenerated(entry.record)) yield entry
  }
}
