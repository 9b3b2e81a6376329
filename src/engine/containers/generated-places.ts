import type { TreeEntry, TreeRecord } from '#os/tree.ts'
import { INIT_PATH } from './spec-input.ts'

/** Empty files and directories that the runtime leaves where it mounts what the engine brings into every container. */
const places = new Map<string, TreeRecord['type']>([
  ['etc/hosts', 'file'],
  ['etc/hostname', 'file'],
  ['etc/resolv.conf', 'file'],
  [INIT_PATH.slice(1), 'file'],
  ['dev', 'directory'],
  ['proc', 'directory'],
  ['sys', 'directory'],
])

/** Directories of the image that are copied up for them, as absolute paths. */
export const generatedParents: ReadonlySet<string> = new Set(['/etc', '/sbin'])

/** True for such a place as long as nobody has put anything into it. */
export function isGenerated({ path, type, size }: TreeRecord): boolean {
  return places.get(path) === type && size === 0
}

/** What the container itself has changed. */
export async function* withoutGenerated(entries: AsyncIterable<TreeEntry>): AsyncGenerator<TreeEntry> {
  for await (const entry of entries) {
    if (!isGenerated(entry.record)) yield entry
  }
}
