import { EngineError } from '#base/errors.ts'
import type { Environment } from '#registry/client/proxy.ts'
import { SyntaxFailure } from '../dockerfile/failure.ts'
import { parseGitAddress } from '../graph/git-address.ts'
import type { Authorizations } from './authorizations.ts'
import { type GitDeps, openGit } from './git.ts'
import { httpGet } from './http-get.ts'
import { openStreamedContext, type StreamedContext } from './tar-context.ts'

export interface RemoteContextDeps extends GitDeps {
  readonly environment: Environment
}

export interface RemoteContextOptions {
  /** For messages: `build context`. */
  readonly name: string
  readonly keepGitDirectory: boolean
  readonly signal?: AbortSignal | undefined
  readonly authorization?: Authorizations | undefined
  /** Socket of an ssh agent. */
  readonly agent?: string | undefined
}

/**
 * What `docker build URL` builds: a git repository, the files of an archive, or a Dockerfile, which has no files besides. An
 * address without a scheme that begins with `github.com/` is a repository, as Docker has it.
 */
export async function openRemoteContext(
  url: string,
  deps: RemoteContextDeps,
  options: RemoteContextOptions,
): Promise<StreamedContext> {
  const { name, signal, authorization, agent } = options
  const git = gitAddressOf(url)
  if (git !== undefined) {
    const origin = {
      ...git,
      kind: 'git',
      keepGitDirectory: git.keepGitDirectory ?? options.keepGitDirectory,
      submodules: git.submodules ?? true,
    } as const
    const { source } = await openGit(origin, deps, {
      signal,
      agent,
      authorization: await authorization?.('git', git.remote),
    })
    return { type: 'files', source }
  }
  using answer = await httpGet(url, {
    signal,
    environment: deps.environment,
    authorization: await authorization?.('http', url),
  })
  return await openStreamedContext(answer.bytes, { name, spool: deps.spool, signal })
}

function gitAddressOf(url: string): ReturnType<typeof parseGitAddress> {
  try {
    const address = url.startsWith('github.com/') ? `https://${withSuffix(url)}` : url
    return parseGitAddress(address)
  } catch (error) {
    if (!(error instanceof SyntaxFailure)) throw error
    throw new EngineError('invalid_argument', error.message, { code: 'GIT_ADDRESS_INVALID', cause: error })
  }
}

/** `github.com/a/b#ref` is `github.com/a/b.git#ref`. */
function withSuffix(url: string): string {
  const [, path = '', rest = ''] = /^([^#?]*)(.*)$/s.exec(url) ?? []
  return `${path.replace(/\/+$/, '').replace(/(?:\.git)?$/, '.git')}${rest}`
}
