import { createHash } from 'node:crypto'
import { digestFrom, digestOf } from '#base/digest.ts'
import type { TakenFile } from '#store/build-cache/file-list.ts'
import { sourceNotFound } from '../files/errors.ts'
import type { FileSource, SourceFile } from '../sources/file-source.ts'
import { encode } from './encoding.ts'
import type { CopyInputs } from './ports.ts'

/**
 * What stands for the tree at `path` (absolute) of a source, as a mount shows it: names below it, types, modes, owners, extended
 * attributes and contents, no times. A symlink at the path itself is followed.
 */
export async function treeDigest(
  source: FileSource,
  path: string,
  options: { readonly signal: AbortSignal },
): Promise<CopyInputs> {
  const relative = path.replace(/^\/+/, '')
  const top = await source.find(relative)
  if (top === undefined) {
    const ignoredBy = source.ignoredBy?.(relative)
    throw sourceNotFound(source.name, relative, { ignoredBy, near: [] })
  }
  const root = top.attributes.path
  const hash = createHash('sha256')
  const files: TakenFile[] = []
  for await (const file of source.walk(root, options)) {
    options.signal.throwIfAborted()
    const digest = digestOf(await describe(file, root, options.signal))
    hash.update(digest)
    files.push({ path: file.attributes.path, digest })
  }
  return { digest: digestFrom(hash), files }
}

async function describe(file: SourceFile, root: string, signal: AbortSignal): Promise<string> {
  const { type, path, mode, uid, gid, link, major, minor, xattrs } = file.attributes
  const extended = Array.from(xattrs ?? [], ([name, value]) => [name, Buffer.from(value).toString('hex')])
  return encode({
    type,
    path: below(root, path),
    mode,
    uid,
    gid,
    link: type === 'hardlink' && link !== undefined ? below(root, link) : link,
    major,
    minor,
    extended: extended.toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1)),
    content: type === 'file' ? await file.digest(signal) : undefined,
  })
}

function below(root: string, path: string): string {
  return root === '' ? path : path.slice(root.length)
}
