import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import type { BuildExtras, ContextExtra } from '#api/build-extras.ts'
import { isErrno, isKind, messageOf } from '#base/errors.ts'
import type { Context } from '../command.ts'
import { commandError } from '../errors.ts'
import { type BuildContext, defaultDockerfile, type DockerfileChoice, parseNamedContext } from './contexts.ts'
import { ignoreText, uploadDirectory } from './context-upload.ts'
import type { BuildFlags } from './flags.ts'
import { parseAgent, readSecret } from './secrets.ts'

/** What a build is given before it begins; begun when there is something to give, dropped at its end. */
export class BuildSession implements AsyncDisposable {
  readonly #context: Context
  readonly #say: (text: string) => void
  /** Agents of our own. */
  readonly #held = new AsyncDisposableStack()
  #id: string | undefined

  /** `say` hears how much of a directory is sent; a line. */
  constructor(context: Context, say: (text: string) => void) {
    this.#context = context
    this.#say = say
  }

  /** Undefined: nothing was given. */
  get id(): string | undefined {
    return this.#id
  }

  /** Secrets and agents. */
  async give(flags: Pick<BuildFlags, 'secret' | 'ssh'>): Promise<void> {
    const { client, io } = this.#context
    // All are read before the first is sent.
    const secrets = flags.secret.map((text) => readSecret(text, io))
    const agents = flags.ssh.map((text) => parseAgent(text, io))
    if (agents.length > 0 && !this.#isLocal) {
      throw commandError('--ssh needs an engine on this host: a socket cannot be reached from elsewhere')
    }
    for (const { id, value } of secrets) {
      await client.builds.putSecret(await this.#begin(), id, Readable.from([value]))
    }
    for (const { id, socket, keys } of agents) {
      const path = socket ?? (await this.#agentWith(keys))
      await client.builds.putAgent(await this.#begin(), id, path)
    }
  }

  /** Where the engine finds the files: in place when it is on this host, otherwise what it lacks is sent. */
  async sources(
    source: BuildContext,
    dockerfile: DockerfileChoice,
    flags: Pick<BuildFlags, 'build-context'>,
  ): Promise<Pick<BuildExtras, 'context' | 'dockerfile' | 'namedContexts'>> {
    const named: Record<string, ContextExtra> = {}
    for (const text of flags['build-context']) {
      const { name, context } = parseNamedContext(text, this.#context.io)
      named[name] = await this.#reachable(name, context)
    }
    const written = 'text' in dockerfile ? { dockerfile } : {}
    const namedContexts = Object.keys(named).length === 0 ? {} : { namedContexts: named }
    switch (source.type) {
      case 'stdin':
        return { ...written, ...namedContexts }
      case 'remote':
        return { context: source, ...written, ...namedContexts }
      case 'directory':
        return { ...(await this.#directory(source.path, dockerfile)), ...namedContexts }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _held = this.#held
    if (this.#id === undefined) return
    try {
      await this.#context.client.builds.dropSession(this.#id)
    } catch (error) {
      // It ended with its build, or with the engine.
      if (!isKind(error, 'not_found') && !isKind(error, 'unavailable')) throw error
    }
  }

  /** Whoever listens on a unix socket is mostly on this host. */
  get #isLocal(): boolean {
    return this.#context.client.transport.endpoint.kind === 'unix'
  }

  /** A socket may have been forwarded, or lead out of a container: then the engine sees other files. */
  async #isSeen(path: string): Promise<boolean> {
    if (!this.#isLocal) return false
    const { client, signal } = this.#context
    const { dev, ino } = statSync(path, { bigint: true })
    return client.builds.sees(path, `${dev}:${ino}`, { signal })
  }

  async #agentWith(keys: readonly string[]): Promise<string> {
    const { KeyAgent } = await import('./key-agent.ts')
    return this.#held.use(await KeyAgent.start(keys)).path
  }

  async #begin(): Promise<string> {
    const { client, signal } = this.#context
    return (this.#id ??= await client.builds.beginSession({ signal }))
  }

  async #directory(
    path: string,
    dockerfile: DockerfileChoice,
  ): Promise<Pick<BuildExtras, 'context' | 'dockerfile'>> {
    if (await this.#isSeen(path)) {
      return { context: { type: 'directory', path }, ...('text' in dockerfile ? { dockerfile } : {}) }
    }
    const name = 'text' in dockerfile ? undefined : (dockerfile.path ?? defaultDockerfile(path))
    const ignore = ('text' in dockerfile ? dockerfile.ignore : undefined) ?? ignoreText(path, name)
    await uploadDirectory(
      { session: await this.#begin(), name: 'context', directory: path, ignore, say: this.#say },
      this.#context,
    )
    // Both sent as they are: the one may leave the other out of the context.
    const text = 'text' in dockerfile ? dockerfile.text : readDockerfile(path, name ?? '')
    const written = { name: name ?? ('text' in dockerfile ? dockerfile.name : ''), text, ignore }
    return { context: { type: 'session', name: 'context' }, dockerfile: written }
  }

  /** A named context as the engine can have it. */
  async #reachable(name: string, context: ContextExtra): Promise<ContextExtra> {
    if (context.type !== 'directory' && context.type !== 'oci-layout') return context
    if (await this.#isSeen(context.path ?? '')) return context
    if (context.type === 'oci-layout') {
      throw commandError(
        `context ${name}: an OCI layout needs an engine on this host; push the image, and name it with docker-image://`,
      )
    }
    const directory = context.path ?? ''
    const ignore = ignoreText(directory, undefined)
    await uploadDirectory(
      { session: await this.#begin(), name, directory, ignore, say: this.#say },
      this.#context,
    )
    return { type: 'session', name }
  }
}

function readDockerfile(directory: string, name: string): string {
  try {
    return readFileSync(resolve(directory, name), 'utf8')
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw commandError(`cannot read ${name}: ${messageOf(error)}`, error)
    throw commandError(
      `failed to read dockerfile: open ${name}: no such file or directory; name it with -f`,
      error,
    )
  }
}
