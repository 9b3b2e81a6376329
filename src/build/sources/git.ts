import { mkdir } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import type { Clock } from '#base/clock.ts'
import { EngineError } from '#base/errors.ts'
import { type GitOptions, runGit } from '#os/git.ts'
import type { Helper } from '#os/helper.ts'
import type { GitOrigin } from '../graph/operations.ts'
import { openDirectory } from './directory-source.ts'
import type { FileSource, SourceFile } from './file-source.ts'
import type { Spool } from './source-copies.ts'

export interface GitDeps {
  readonly spool: Spool
  readonly helper: Pick<Helper, 'removeTree'>
  readonly environment: GitOptions['environment']
  readonly clock: Clock
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
  const { commit, seconds } = await repository.checkOut()
  await dropGitFiles(work, origin, deps)
  const root = await directoryOf(work, origin, deps)
  const source = owned.use(
    await openDirectory(root, {
      name: nameOf(origin),
      clock: deps.clock,
      copies: deps.spool,
      show: (attributes) => normalised(attributes, seconds),
    }),
  )
  const kept = owned.move()
  return { source: disposingAlso(source, kept), commit }
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

const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/

class Repository {
  readonly #origin: GitOrigin
  readonly #git: GitOptions

  constructor(origin: GitOrigin, work: string, deps: GitDeps, options: GitFetchOptions) {
    this.#origin = origin
    const url = URL.parse(origin.remote)
    const { authorization, agent, signal } = options
    this.#git = {
      directory: work,
      home: dirname(work),
      environment: deps.environment,
      allowFiles: deps.allowFiles,
      authorization:
        authorization === undefined || url === null || !/^https?:$/.test(url.protocol)
          ? undefined
          : { address: `${url.origin}/`, header: authorization },
      agent,
      signal,
    }
  }

  /** Seconds: when the commit was made. */
  async checkOut(): Promise<{ readonly commit: string; readonly seconds: number }> {
    const { remote, ref, submodules } = this.#origin
    await this.#run('init', '--quiet', '--template=', '.')
    await this.#run('remote', 'add', '--', 'origin', remote)
    const found =
      ref !== undefined && COMMIT.test(ref) ? await this.#fetchCommit(ref) : await this.#fetchRef(ref)
    const commit = await this.#parse(`${found}^{commit}`)
    this.#checkChecksum(commit, found)
    await this.#run('checkout', '--quiet', '--force', '--detach', commit)
    if (submodules) await this.#updateSubmodules()
    const seconds = Number(await this.#run('log', '-1', '--format=%ct', commit))
    return { commit, seconds: Number.isSafeInteger(seconds) ? seconds : 0 }
  }

  /** The object that the server has under this name; a branch before a tag, as `git checkout` prefers it. */
  async #fetchRef(ref: string | undefined): Promise<string> {
    const names =
      ref === undefined
        ? ['HEAD']
        : ref.startsWith('refs/')
          ? [ref]
          : [`refs/heads/${ref}`, `refs/tags/${ref}`, `refs/${ref}`]
    const lines = (await this.#run('ls-remote', '--quiet', 'origin', ...names)).split('\n')
    const there = new Set(lines.map((line) => line.split('\t')[1]))
    const name = names.find((candidate) => there.has(candidate))
    if (name === undefined) throw noSuchRef(this.#origin)
    await this.#fetch(name)
    return this.#parse('FETCH_HEAD')
  }

  async #fetchCommit(commit: string): Promise<string> {
    try {
      await this.#fetch(commit)
    } catch (error) {
      if (!isFailure(error)) throw error
      // Some servers give no commit by its name alone: then it is somewhere in what they have.
      await this.#run(
        'fetch',
        '--quiet',
        '--no-recurse-submodules',
        '--tags',
        'origin',
        '+refs/*:refs/remotes/origin/*',
      )
    }
    // A name that is a commit's leads to itself, there or not; this looks whether it is there.
    return this.#parse(`${commit}^{object}`).catch((error: unknown) => {
      throw isFailure(error) ? noSuchRef(this.#origin, error) : error
    })
  }

  /** One commit; all of the history where a server cannot do that. */
  async #fetch(what: string): Promise<void> {
    const args = ['--quiet', '--no-tags', '--no-recurse-submodules', '--force'] as const
    try {
      await this.#run('fetch', ...args, '--depth=1', 'origin', what)
    } catch (error) {
      if (!isFailure(error) || !/shallow|depth/i.test(error.message)) throw error
      await this.#run('fetch', ...args, 'origin', what)
    }
  }

  async #parse(name: string): Promise<string> {
    const text = await this.#run('rev-parse', '--verify', '--quiet', '--end-of-options', name)
    return text.trim()
  }

  #checkChecksum(commit: string, object: string): void {
    const { checksum, remote } = this.#origin
    if (checksum === undefined || commit.startsWith(checksum) || object.startsWith(checksum)) return
    throw new EngineError(
      'invalid_argument',
      `expected checksum to match ${checksum}, got ${commit} (${remote})`,
      {
        code: 'GIT_CHECKSUM',
        details: { remote, checksum, commit },
      },
    )
  }

  async #updateSubmodules(): Promise<void> {
    const names = await this.#run('ls-files', '--', '.gitmodules')
    if (names.trim() === '') return
    // Never from this host, not even in tests (CVE-2022-39253).
    const git = { ...this.#git, allowFiles: false }
    const args = ['submodule', '--quiet', 'update', '--init', '--recursive', '--checkout', '--force']
    try {
      await runGit([...args, '--depth=1'], git)
    } catch (error) {
      if (!isFailure(error)) throw error
      await runGit(args, git)
    }
  }

  #run(...args: readonly string[]): Promise<string> {
    return runGit(args, this.#git)
  }
}

function isFailure(error: unknown): error is EngineError {
  return error instanceof EngineError && error.code === 'GIT_FAILED'
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

function disposingAlso(source: FileSource, kept: AsyncDisposableStack): FileSource {
  return {
    name: source.name,
    walk: (path, options) => source.walk(path, options),
    find: (path) => source.find(path),
    root: () => source.root(),
    // The source is among what is kept.
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

function noSuchRef({ remote, ref }: GitOrigin, cause?: unknown): EngineError {
  const short = ref !== undefined && /^[0-9a-f]{7,39}$/.test(ref)
  const hint = short ? '\nA commit has to be given in full.' : ''
  return new EngineError('not_found', `${remote} has no ref ${ref ?? 'HEAD'}${hint}`, {
    code: 'GIT_FAILED',
    details: { remote, ref },
    ...(cause === undefined ? {} : { cause }),
  })
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'GIT_ADDRESS_INVALID' })
}
