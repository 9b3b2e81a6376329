import { SyntaxFailure } from '../dockerfile/failure.ts'
import { cleanPath } from '../dockerfile/ignore.ts'

/** A git repository as people write it: `https://host/team/app.git#v1:docs`, `git@host:team/app.git?branch=main`. */
export interface GitAddress {
  /** Without fragment and query. */
  readonly remote: string
  /** Branch, tag or commit, or a full name below `refs/`; undefined: the default branch. */
  readonly ref: string | undefined
  /** Relative and clean; undefined: all of it. */
  readonly directory: string | undefined
  /** A commit, or the beginning of one, that `ref` must lead to. */
  readonly checksum: string | undefined
  /** Undefined when the address does not say. */
  readonly keepGitDirectory: boolean | undefined
  readonly submodules: boolean | undefined
}

const SCP = /^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:(?!\/\/)/

/** Reads an address of git; undefined when it is another kind of address, or a path. Throws SyntaxFailure. */
export function parseGitAddress(text: string): GitAddress | undefined {
  const [address, fragment] = splitAt(text, '#')
  const [remote, query] = splitAt(address, '?')
  if (!isRepository(remote)) return undefined
  if (fragment !== undefined && query !== undefined)
    throw new SyntaxFailure(`git address ${JSON.stringify(text)} has both a fragment and a query`)
  const options = query === undefined ? readFragment(fragment ?? '') : readQuery(query)
  const { ref, directory } = options
  if (ref?.startsWith('-') === true) throw new SyntaxFailure(`invalid git ref ${JSON.stringify(ref)}`)
  return { ...options, remote, directory: directory === undefined ? undefined : inside(directory) }
}

function isRepository(remote: string): boolean {
  if (/^(?:git|ssh):\/\//i.test(remote)) return true
  if (/^https?:\/\//i.test(remote)) return /\.git\/?$/.test(remote)
  return SCP.test(remote)
}

type Options = Omit<GitAddress, 'remote'>

const NONE: Options = {
  ref: undefined,
  directory: undefined,
  checksum: undefined,
  keepGitDirectory: undefined,
  submodules: undefined,
}

function readFragment(fragment: string): Options {
  const [ref, directory = ''] = splitAt(fragment, ':')
  return { ...NONE, ref: ref || undefined, directory: directory || undefined }
}

function readQuery(query: string): Options {
  let options = NONE
  for (const [key, value] of new URLSearchParams(query)) {
    if (['ref', 'tag', 'branch'].includes(key) && options.ref !== undefined)
      throw new SyntaxFailure('a git address has one of ref, tag and branch')
    options = { ...options, ...readOption(key, value) }
  }
  return options
}

function readOption(key: string, value: string): Partial<Options> {
  switch (key) {
    case 'ref':
      return { ref: value || undefined }
    case 'tag':
      return { ref: `refs/tags/${value}` }
    case 'branch':
      return { ref: `refs/heads/${value}` }
    case 'subdir':
      return { directory: value || undefined }
    case 'checksum':
    case 'commit':
      return { checksum: commit(value) }
    case 'keep-git-dir':
      return { keepGitDirectory: isOn(key, value) }
    case 'submodules':
      return { submodules: isOn(key, value) }
    default:
      throw new SyntaxFailure(`unexpected query ${JSON.stringify(key)} in a git address`, {
        hint: 'Possible are ref, tag, branch, subdir, checksum, keep-git-dir and submodules.',
      })
  }
}

function commit(value: string): string {
  if (/^[0-9a-f]{7,64}$/.test(value)) return value
  throw new SyntaxFailure(`invalid commit ${JSON.stringify(value)} in a git address`)
}

function isOn(key: string, value: string): boolean {
  if (['', '1', 'true'].includes(value.toLowerCase())) return true
  if (['0', 'false'].includes(value.toLowerCase())) return false
  throw new SyntaxFailure(`invalid value for ${key}: ${value}`, { hint: 'It is true or false.' })
}

/** A directory below the repository's root; nothing else is in it. */
function inside(directory: string): string | undefined {
  const clean = cleanPath(directory.replace(/^\/+/, ''))
  if (clean === '..' || clean.startsWith('../'))
    throw new SyntaxFailure(`the directory ${JSON.stringify(directory)} is outside of the git repository`)
  return clean === '.' ? undefined : clean
}

function splitAt(text: string, separator: string): readonly [string, string?] {
  const at = text.indexOf(separator)
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}
