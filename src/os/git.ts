import { EngineError, isKind } from '#base/errors.ts'
import { runProcess } from './process.ts'

/**
 * The git program, kept from everything that a repository, its address or this machine's settings could make it do besides
 * fetching: no hooks, prompts, credential helpers, settings of the machine, or protocols that run programs or read
 * local files (CVE-2022-39253, CVE-2026-33748).
 */
export interface GitOptions {
  readonly directory: string
  /** Where git and ssh may leave notes: no part of what is checked out. */
  readonly home: string
  /** Of the daemon: where programs and proxies are. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Only for tests: repositories of this host. */
  readonly allowFiles?: boolean | undefined
  /** Sent to addresses that begin so. */
  readonly authorization?: { readonly address: string; readonly header: string } | undefined
  /** Socket of an ssh agent; without one, no key of this machine is used either. */
  readonly agent?: string | undefined
  readonly signal?: AbortSignal | undefined
}

const PASSED = ['PATH', 'http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']

const PROTOCOLS = ['http', 'https', 'git', 'ssh']

/** Of what git says when it fails. */
const MAX_REASON = 1024

/** What git prints. A failure is `unavailable` in git's own words. */
export async function runGit(args: readonly string[], options: GitOptions): Promise<string> {
  const { directory, signal } = options
  const argv = ['git', ...args] as const
  const result = await runProcess(argv, {
    cwd: directory,
    env: environmentOf(options),
    session: true,
    signal,
  }).catch((error: unknown) => {
    throw isKind(error, 'not_found') ? notInstalled(error) : error
  })
  if (result.code === 0) return result.stdout
  const said = result.stderr
    .split('\n')
    .filter((line) => !/^(?:hint|warning):/i.test(line))
    .join('\n')
    // oxlint-disable-next-line no-control-regex -- a server's words must not reach a terminal as they are
    .replaceAll(/[\0-\x08\x0b-\x1f\x7f-\x9f]+/g, ' ')
    .trim()
    .slice(-MAX_REASON)
  throw new EngineError('unavailable', `git ${args[0] ?? ''} failed: ${said || `status ${result.code}`}`, {
    code: 'GIT_FAILED',
    details: { status: result.code },
  })
}

function environmentOf(options: GitOptions): Record<string, string> {
  const { environment, allowFiles = false, agent, home } = options
  const passed = PASSED.flatMap((name) => {
    const value = environment[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  const settings = settingsOf(options)
  return {
    ...Object.fromEntries(passed),
    LC_ALL: 'C',
    HOME: home,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: 'true',
    SSH_ASKPASS: 'true',
    GIT_ALLOW_PROTOCOL: [...PROTOCOLS, ...(allowFiles ? ['file'] : [])].join(':'),
    GIT_SSH_COMMAND: ssh(home),
    ...(agent === undefined ? {} : { SSH_AUTH_SOCK: agent }),
    GIT_CONFIG_COUNT: String(settings.length),
    ...Object.fromEntries(
      settings.flatMap(([key, value], i) => [
        [`GIT_CONFIG_KEY_${i}`, key],
        [`GIT_CONFIG_VALUE_${i}`, value],
      ]),
    ),
  }
}

/** In the environment, where only root sees them, and submodules have them too. */
function settingsOf({ authorization }: GitOptions): readonly (readonly [string, string])[] {
  return [
    ['core.hooksPath', '/dev/null'],
    ['core.fsmonitor', 'false'],
    ['core.autocrlf', 'false'],
    ['core.attributesFile', '/dev/null'],
    ['core.alternateRefsCommand', ''],
    ['credential.helper', ''],
    ['init.defaultBranch', 'main'],
    ['gc.auto', '0'],
    ['maintenance.auto', 'false'],
    ['submodule.recurse', 'false'],
    // Bytes a second, and for how many seconds less is borne.
    ['http.lowSpeedLimit', '1'],
    ['http.lowSpeedTime', '60'],
    ...(authorization === undefined
      ? []
      : ([[`http.${authorization.address}.extraHeader`, `Authorization: ${authorization.header}`]] as const)),
  ]
}

/** No settings and no keys of this machine; a host that is not known yet is trusted at first sight. */
function ssh(home: string): string {
  const options = [
    'BatchMode=yes',
    'IdentityFile=/dev/null',
    'ForwardAgent=no',
    'StrictHostKeyChecking=accept-new',
    `UserKnownHostsFile=${home}/known-hosts`,
    'ConnectTimeout=60',
  ]
  return ['ssh', '-F', '/dev/null', ...options.flatMap((option) => ['-o', option])].join(' ')
}

function notInstalled(cause: unknown): EngineError {
  return new EngineError(
    'unavailable',
    "git is not installed on the engine's host, and a repository is to be fetched: apt-get install git",
    { code: 'PROGRAM_MISSING', details: { program: 'git' }, cause },
  )
}
