import { mkdir } from 'node:fs/promises'
import { join, posix } from 'node:path'
import type { Clock } from '#base/clock.ts'
import { EngineError } from '#base/errors.ts'
import type { GitOptions } from '#os/git.ts'
import type { Helper } from '#os/helper.ts'
import type { GitOrigin } from '../graph/operations.ts'
import { openDirectory } from './directory-source.ts'
import type { FileSource, SourceFile } from './file-source.ts'
import type { GitCheckouts } from './git-checkouts.ts'
import { Repository } from './git-repository.ts'
import type { Spool } from './source-copies.ts'
import { withDisposal } from './with-disposal.ts'

export interface GitDeps {
  readonly spool: Spool
  readonly helper: Pick<Helper, 'removeTree'>
  readonly environment: GitOptions['environment']
  readonly clock: Clock
  readonly checkouts: GitCheckouts
  /** Only for tests: repositories of this host. */
  readonly allowFiles?: boolean | undefined
}

export interface GitFetchOptions {
  readonly signal?: AbortSignal | undefined
  /** Value of the header for the repository's host. */
  readonly authorization?: string | undefined
  /** Socket of an ssh agent. */
  readonly agent?: string | undefined
}

export interface GitCheckout {
  readonly source: FileSource
  readonly commit: string
}

/**
 * The files of a repository at a commit, with as little of its history as the server lets us have. Modes are 0644 and 0755,
 * times those of the commit, and `.git` is gone unless it is to be kept.
 */
export async function openGit(
  origin: GitOrigin,
  deps: GitDeps,
  options: GitFetchOptions = {},
): Promise<GitCheckout> {
  checkOrigin(origin, deps)
  await using owned = new AsyncDisposableStack()
  const spool = owned.use(await deps.spool.take())
  const work = join(spool.path, 'tree')
  await mkdir(work, { mode: 0o755 })
  const repository = new Repository(origin, work, deps, options)
  const found = await repository.resolve()
  const key = deps.checkouts.keyOf(origin, found.object)
  const make = async () => {
    const made = await repository.checkOut(found)
    await dropGitFiles(work, origin, deps)
    return { ...made, directory: work }
  }
  const checkout = owned.use(await deps.checkouts.open(key, origin.remote, make, options))
  const { commit, seconds, tree } = checkout
  checkChecksum(origin, commit, found.object)
  const source = owned.use(
    await openDirectory(await directoryOf(tree, origin, deps), {
      name: nameOf(origin),
      clock: deps.clock,
      copies: deps.spool,
      show: (attributes) => normalised(attributes, seconds),
    }),
  )
  const kept = owned.move()
  await deps.checkouts.store.tidy()
  return { source: withDisposal(source, () => kept.disposeAsync()), commit }
}

/** Refused before git sees it: what it could take for an option, another protocol, or a way out. */
function checkOrigin({ remote, ref, directory, checksum }: GitOrigin, deps: GitDeps): void {
  const known =
    deps.allowFiles === true ? /^(?:https?|git|ssh|file):\/\/[^-]/i : /^(?:https?|git|ssh):\/\/[^-]/i
  const scp = /^[A-Za-z0-9._][A-Za-z0-9._-]*@[A-Za-z0-9.][A-Za-z0-9.-]*:[^-]/
  if (!(known.test(remote) || scp.test(remote)) || hasControls(remote) || remote.includes('::')) {
    throw invalid(`git repository ${JSON.stringify(remote)}: only http, https, git and ssh are fetched`)
  }
  if (URL.parse(remote)?.password) {
    throw invalid('an address with a password would end up in logs: use the secret GIT_AUTH_TOKEN')
  }
  if (ref !== undefined && !isRef(ref)) throw invalid(`invalid git ref ${JSON.stringify(ref)}`)
  if (directory !== undefined && (directory.startsWith('-') || directory.split('/').includes('..'))) {
    throw invalid(`invalid directory ${JSON.stringify(directory)} of a git repository`)
  }
  if (checksum !== undefined && !/^[0-9a-f]{7,64}$/.test(checksum)) {
    throw invalid(`invalid checksum ${JSON.stringify(checksum)}: it is a commit, or its beginning`)
  }
}

/** As git-check-ref-format(1), and nothing that could be an option. */
function isRef(ref: string): boolean {
  if (ref === '' || ref === '@' || /^[-/.]|[/.]$|\.\.|\/\/|\/\.|\.lock(?:\/|$)|@\{/.test(ref)) return false
  return !/[ ~^:?*[\\]/.test(ref) && !hasControls(ref)
}

function hasControls(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- the range is the point
  return /[\0-\x20\x7f]/.test(text)
}

function checkChecksum({ checksum, remote }: GitOrigin, commit: string, object: string): void {
  if (checksum === undefined || commit.startsWith(checksum) || object.startsWith(checksum)) return
  throw new EngineError(
    'invalid_argument',
    `expected checksum to match ${checksum}, got ${commit} (${remote})`,
    { code: 'GIT_CHECKSUM', details: { remote, checksum, commit } },
  )
}

/** No tracked file has this name: git refuses it. */
async function dropGitFiles(work: string, origin: GitOrigin, deps: GitDeps): Promise<void> {
  if (origin.keepGitDirectory) return
  await deps.helper.removeTree(join(work, '.git'))
  if (!origin.submodules) return
  const found: string[] = []
  await using source = await openDirectory(work, {
    name: nameOf(origin),
    clock: deps.clock,
    copies: deps.spool,
  })
  for await (const { attributes } of source.walk('')) {
    if (posix.basename(attributes.path) === '.git') found.push(attributes.path)
  }
  for (const path of found) await deps.helper.removeTree(join(work, path))
}

/** The directory that is asked for; it cannot lead out of the checkout, whatever symlinks the repository has. */
async function directoryOf(work: string, origin: GitOrigin, deps: GitDeps): Promise<string> {
  const { directory, remote } = origin
  if (directory === undefined) return work
  await using source = await openDirectory(work, {
    name: nameOf(origin),
    clock: deps.clock,
    copies: deps.spool,
  })
  const found = await source.find(directory.replace(/^\/+|\/+$/g, ''))
  if (found?.attributes.type === 'directory') return join(work, found.attributes.path)
  throw new EngineError('not_found', `${remote} has no directory ${JSON.stringify(directory)}`, {
    code: 'GIT_FAILED',
    details: { remote, directory },
  })
}

function normalised(attributes: SourceFile['attributes'], seconds: number): SourceFile['attributes'] {
  const { type, mode } = attributes
  const isProgram = type === 'directory' || (mode & 0o100) !== 0
  const mtime = { seconds, nanoseconds: 0 }
  return {
    ...attributes,
    uid: 0,
    gid: 0,
    mtime,
    mode: type === 'symlink' ? 0o777 : isProgram ? 0o755 : 0o644,
  }
}

/** For messages: short, and without what comes after a question mark. */
function nameOf({ remote, ref }: GitOrigin): string {
  return ref === undefined ? remote : `${remote}#${ref}`
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'GIT_ADDRESS_INVALID' })
}
