import { EngineError } from '#base/errors.ts'
import type { SourceFile } from './file-source.ts'

/** As many symlinks as the kernel follows for one path (path_resolution(7)). */
const MAX_SYMLINKS = 40

/**
 * The file at `path` with all symlinks followed inside the root: an absolute target begins at the root, and `..` does not
 * lead above it. `lookup` gives what is at a path, symlinks as they are. Undefined when something is missing.
 */
export async function resolveInside<
  T extends { readonly attributes: Pick<SourceFile['attributes'], 'type' | 'link'> },
>(path: string, lookup: (path: string) => Promise<T | undefined>): Promise<T | undefined> {
  /** The next one last. */
  const left = path.split('/').toReversed()
  let at = ''
  let found: T | undefined
  let links = 0
  while (left.length > 0) {
    const name = left.pop() ?? ''
    if (name === '' || name === '.') continue
    if (name === '..') {
      at = at.slice(0, Math.max(at.lastIndexOf('/'), 0))
      found = undefined
      continue
    }
    const next = at === '' ? name : `${at}/${name}`
    const file = await lookup(next)
    if (file === undefined) return undefined
    const { type, link = '' } = file.attributes
    if (type === 'symlink') {
      if (++links > MAX_SYMLINKS) throw tooManyLinks(path)
      if (link.startsWith('/')) at = ''
      left.push(...link.split('/').toReversed())
      found = undefined
    } else {
      // Looked at below it only if it is a directory; otherwise the next lookup finds nothing.
      at = next
      found = file
    }
  }
  return found ?? lookup(at)
}

function tooManyLinks(path: string): EngineError {
  return new EngineError('invalid_argument', `${path}: too many levels of symbolic links`, {
    code: 'SOURCE_SYMLINK_LOOP',
    details: { path },
  })
}
