import type { TarEntry, TarFile } from '#oci/tar/entry.ts'
import { opaqueName, whiteoutName } from '#oci/tar/whiteouts.ts'
import type { TarSource } from '#oci/tar/write-tar.ts'
import type { TreeEntry, TreeRecord } from '#os/tree.ts'

/** A tree as archive members; whiteouts and opaque directories in OCI's form (layer.md "Whiteouts"). */
export async function* tarOfTree(entries: AsyncIterable<TreeEntry>): AsyncGenerator<TarSource> {
  for await (const { record, data } of entries) {
    if (record.path === '' && record.type === 'directory' && record.opaque !== true) continue
    if (record.type === 'whiteout') {
      yield { entry: marker(whiteoutName(record.path), record), data: [] }
      continue
    }
    yield { entry: { ...record, type: record.type }, data }
    if (record.opaque === true) yield { entry: marker(opaqueName(record.path), record), data: [] }
  }
}

/** Archive members as tree records. */
export async function* treeOfTar(files: AsyncIterable<TarFile>): AsyncGenerator<TreeEntry> {
  for await (const { entry, data } of files) {
    if (entry.path !== '') yield { record: entry, data }
  }
}

function marker(path: string, { mtime }: TreeRecord): TarEntry {
  return { type: 'file', path, mode: 0, uid: 0, gid: 0, mtime, size: 0 }
}
