import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isErrno } from '#base/errors.ts'
import { commandError } from '../errors.ts'

/** An ssh-agent of our own that has these keys, and ends with the build. Keys with a passphrase ask for it on the terminal. */
export class KeyAgent implements AsyncDisposable {
  /** Absolute path of its socket. */
  readonly path: string
  readonly #held: AsyncDisposableStack

  private constructor(path: string, held: AsyncDisposableStack) {
    this.path = path
    this.#held = held
  }

  static async start(keys: readonly string[]): Promise<KeyAgent> {
    await using held = new AsyncDisposableStack()
    const directory = await mkdtemp(join(tmpdir(), 'berth-agent-'))
    held.defer(() => rm(directory, { recursive: true }))
    const path = join(directory, 'agent')
    const agent = spawn('ssh-agent', ['-D', '-a', path], { stdio: ['ignore', 'pipe', 'inherit'] })
    held.defer(() => ended(agent))
    // It says where it listens as soon as it does.
    await Promise.race([started(agent), once(agent.stdout, 'data')])
    await addKeys(path, keys)
    return new KeyAgent(path, held.move())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held[Symbol.asyncDispose]()
  }
}

async function addKeys(path: string, keys: readonly string[]): Promise<void> {
  const add = spawn('ssh-add', ['-q', ...keys], {
    env: { ...process.env, SSH_AUTH_SOCK: path },
    stdio: ['inherit', 'ignore', 'inherit'],
  })
  const [code] = (await once(add, 'exit').catch(missing)) as [number | null]
  if (code !== 0) throw commandError(`ssh-add has not taken ${keys.join(', ')}: a key or a socket is wanted`)
}

/** Rejects when the program cannot be started, or ends. */
async function started(agent: ChildProcess): Promise<never> {
  const [code] = (await once(agent, 'exit').catch(missing)) as [number | null]
  throw commandError(`ssh-agent ended with ${code}; see what it says above`)
}

function missing(error: unknown): never {
  if (!isErrno(error, 'ENOENT')) throw error
  throw commandError(
    '--ssh with a key needs ssh-agent and ssh-add; install openssh-client, or name the socket of an agent',
    error,
  )
}

async function ended(agent: ChildProcess): Promise<void> {
  if (agent.pid === undefined || agent.exitCode !== null || agent.signalCode !== null) return
  agent.kill()
  await once(agent, 'exit')
}
