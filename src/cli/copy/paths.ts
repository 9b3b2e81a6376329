import { posix } from 'node:path'
import { commandError } from '../errors.ts'

/** One side of a copy: a path here, a path in a container, or an archive on stdin or stdout. */
export type Side =
  | { readonly kind: 'local'; readonly path: string }
  | { readonly kind: 'container'; readonly container: string; readonly path: string }
  | { readonly kind: 'stream' }

/** `container:path`; anything with a leading `/` or `.` is a path here, and `-` a stream. */
export function parseSide(text: string): Side {
  if (text === '-') return { kind: 'stream' }
  const colon = text.indexOf(':')
  if (text.startsWith('/') || text.startsWith('.') || colon < 0) return { kind: 'local', path: text }
  return { kind: 'container', container: text.slice(0, colon), path: text.slice(colon + 1) }
}

/** Directory and last element; of `dir/.` that is `.`, which stands for the content of the directory. */
export function splitPath(path: string): { readonly directory: string; readonly base: string } {
  const clean = withoutTrailingSlash(posix.normalize(path))
  if (namesContent(path)) return { directory: clean, base: '.' }
  return { directory: posix.dirname(clean), base: posix.basename(clean) || '/' }
}

/** `path/.`: not the directory but what is in it. */
function namesContent(path: string): boolean {
  return path === '.' || path.endsWith('/.')
}

/** `path/` and `path/.` can only be directories. */
export function assertsDirectory(path: string): boolean {
  return path.endsWith('/') || namesContent(path)
}

/** Where a symlink leads, as a path, with the trailing `/` or `/.` of the path that named it. */
export function followLink(path: string, target: string): string {
  const resolved = posix.isAbsolute(target)
    ? target
    : posix.join(posix.dirname(withoutTrailingSlash(path)), target)
  const clean = withoutTrailingSlash(resolved)
  if (namesContent(path)) return `${clean}/.`
  return path.endsWith('/') ? `${clean}/` : clean
}

/** What is copied: its last element is how its archive names it. */
export interface Source {
  readonly path: string
  readonly isDirectory: boolean
  /** The name to give it, when it is not that of the path (a symlink was followed). */
  readonly name?: string | undefined
}

export interface Destination {
  readonly path: string
  readonly exists: boolean
  readonly isDirectory: boolean
}

/** Where to unpack the archive of a source, and under which name its top entry goes there. */
export interface Plan {
  readonly directory: string
  /** The first element of every name in the archive; `.` when names begin with what is inside. */
  readonly from: string
  readonly to: string
}

/** The rules of `cp -a` for what ends up where. */
export function planCopy(source: Source, destination: Destination): Plan {
  const { base: from } = splitPath(source.path)
  const { directory, base } = splitPath(destination.path)
  if (destination.exists && destination.isDirectory) {
    return { directory: destination.path, from, to: from === '.' ? '.' : (source.name ?? from) }
  }
  if (destination.exists && source.isDirectory) {
    throw commandError(`cannot copy directory ${source.path} over the file ${destination.path}`)
  }
  if (!source.isDirectory && assertsDirectory(destination.path)) {
    throw commandError(
      `no such directory: ${destination.path}; create it first, or leave the / at the end out to copy to a file`,
    )
  }
  if (base === '.') return { directory: posix.dirname(directory), from, to: posix.basename(directory) }
  return { directory, from, to: base }
}

/** The name of an archive member under a plan; undefined when it is not below the source. */
export function renamed(name: string, { from, to }: Plan): string | undefined {
  const inside =
    from === '.' || from === '/'
      ? name
      : name === from
        ? ''
        : name.startsWith(`${from}/`)
          ? name.slice(from.length + 1)
          : undefined
  if (inside === undefined) return undefined
  if (to === '.' || to === '/') return inside
  return inside === '' ? to : `${to}/${inside}`
}

function withoutTrailingSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/+(\.)?$/, '') || '/' : path
}
