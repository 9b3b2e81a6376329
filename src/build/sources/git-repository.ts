import { dirname } from 'node:path'
import { EngineError } from '#base/errors.ts'
import { type GitOptions, runGit } from '#os/git.ts'
import type { GitOrigin } from '../graph/operations.ts'
import type { GitDeps, GitFetchOptions } from './git.ts'
import type { Checkout } from './git-checkouts.ts'

const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/

/** An object of the server, and the name that it has there, if one was given. */
export interface Found {
  readonly object: string
  readonly name: string | undefined
}

/** A repository of a server, and the directory that it is checked out in. */
export class Repository {
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

  /**
   * What the server has under the ref, without fetching it; a branch before a tag, as `git checkout` prefers it. A commit that
   * is given in full is not asked for.
   */
  async resolve(): Promise<Found> {
    const { ref, remote } = this.#origin
    await this.#run('init', '--quiet', '--template=', '.')
    await this.#run('remote', 'add', '--', 'origin', remote)
    if (ref !== undefined && COMMIT.test(ref)) return { object: ref, name: undefined }
    const names =
      ref === undefined
        ? ['HEAD']
        : ref.startsWith('refs/')
          ? [ref]
          : [`refs/heads/${ref}`, `refs/tags/${ref}`, `refs/${ref}`]
    const listed = await this.#run('ls-remote', '--quiet', 'origin', ...names).catch((error: unknown) => {
      throw isFailure(error) ? withAdvice(error) : error
    })
    const lines = listed.split('\n')
    const there = new Map(lines.map((line) => line.split('\t').toReversed() as [string, string]))
    const name = names.find((candidate) => there.has(candidate))
    const object = there.get(name ?? '')
    if (name === undefined || object === undefined) throw noSuchRef(this.#origin)
    return { object, name }
  }

  /** Checks out what was found, with its submodules. */
  async checkOut({ object, name }: Found): Promise<Checkout> {
    if (name === undefined) await this.#fetchCommit(object)
    else await this.#fetchRef(name, object)
    const commit = await this.#parse(`${object}^{commit}`)
    await this.#run('checkout', '--quiet', '--force', '--detach', commit)
    if (this.#origin.submodules) await this.#updateSubmodules()
    const seconds = Number(await this.#run('log', '-1', '--format=%ct', commit))
    return { commit, seconds: Number.isSafeInteger(seconds) ? seconds : 0 }
  }

  async #fetchRef(name: string, object: string): Promise<void> {
    await this.#fetch(name)
    const fetched = await this.#parse('FETCH_HEAD')
    if (fetched === object) return
    const { remote } = this.#origin
    throw new EngineError('unavailable', `${remote}: ${name} has moved while it was fetched\nBuild again.`, {
      code: 'GIT_FAILED',
      details: { remote, name, object, fetched },
    })
  }

  async #fetchCommit(commit: string): Promise<void> {
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
    await this.#parse(`${commit}^{object}`).catch((error: unknown) => {
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

/** What a server that wants to know who asks is to be given. */
function withAdvice(error: EngineError): EngineError {
  const advice = /publickey/.test(error.message)
    ? 'Give the keys of an agent with --ssh default.'
    : /Authentication failed|could not read (Username|Password)/.test(error.message)
      ? 'Give a token with --secret id=GIT_AUTH_TOKEN,env=GIT_AUTH_TOKEN.'
      : undefined
  if (advice === undefined) return error
  const { kind, message, code, details } = error
  return new EngineError(kind, `${message}\n${advice}`, { code, details, cause: error })
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
