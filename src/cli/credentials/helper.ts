import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { isErrno, messageOf } from '#base/errors.ts'
import { commandError } from '../errors.ts'
import type { Io } from '../io.ts'

/** What a helper keeps for a server; a username of `<token>` marks `secret` as an identity token. */
export interface HelperCredentials {
  readonly username: string
  readonly secret: string
}

export interface HelperOptions {
  /** After `docker-credential-`. */
  readonly name: string
  /** Where it is configured, for messages: `"credsStore" of FILE`. */
  readonly origin: string
  readonly env: Io['env']
  readonly signal: AbortSignal
}

/** How helpers say that they know nothing about a server. */
const NOT_FOUND = 'credentials not found in native keychain'

/**
 * A program `docker-credential-NAME` that keeps credentials outside of the configuration file. Whatever it cannot do is
 * an error, so that nothing is sent anywhere with the wrong credentials or with none.
 */
export class CredentialHelper {
  readonly program: string
  readonly #options: HelperOptions

  constructor(options: HelperOptions) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(options.name)) {
      throw commandError(`${options.origin} names no credential helper: ${JSON.stringify(options.name)}`)
    }
    this.program = `docker-credential-${options.name}`
    this.#options = options
  }

  /** Undefined when it knows nothing about the server. */
  async get(server: string): Promise<HelperCredentials | undefined> {
    const { code, output } = await this.#run('get', server)
    if (code !== 0) {
      if (output.trim() === NOT_FOUND) return undefined
      throw this.#failure('get the credentials for', server, output)
    }
    const { Username, Secret } = this.#parse(output, server) as { Username?: unknown; Secret?: unknown }
    if (typeof Username !== 'string' || typeof Secret !== 'string') {
      throw this.#failure('get the credentials for', server, 'its answer has no Username and Secret')
    }
    return { username: Username, secret: Secret }
  }

  async store(server: string, { username, secret }: HelperCredentials): Promise<void> {
    const input = JSON.stringify({ ServerURL: server, Username: username, Secret: secret })
    const { code, output } = await this.#run('store', input)
    if (code !== 0) throw this.#failure('store the credentials for', server, output)
  }

  /** False when there was nothing to erase. */
  async erase(server: string): Promise<boolean> {
    const { code, output } = await this.#run('erase', server)
    if (code === 0) return true
    if (output.trim() === NOT_FOUND) return false
    throw this.#failure('erase the credentials for', server, output)
  }

  /** The servers it knows, with the username of each. */
  async list(): Promise<Readonly<Record<string, string>>> {
    const { code, output } = await this.#run('list', '')
    if (code !== 0) throw this.#failure('list', 'credentials', output)
    return this.#parse(output, 'list') as Record<string, string>
  }

  async #run(verb: string, input: string): Promise<{ readonly code: number; readonly output: string }> {
    const { env, signal, origin } = this.#options
    const { spawn } = await import('node:child_process')
    // What it says to a person, for instance that a key is to be unlocked, goes to that person.
    const child = spawn(this.program, [verb], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...env }, signal })
    const ended = once(child, 'close').catch((error: unknown) => {
      if (signal.aborted) throw error
      const reason = isErrno(error, 'ENOENT') ? 'there is no such program in $PATH' : messageOf(error)
      throw commandError(
        `cannot run the credential helper ${this.program}: ${reason}; install it, or remove ${origin}`,
        error,
      )
    })
    child.stdin.on('error', () => undefined) // it may end without having read everything
    child.stdin.end(input)
    const [output, [code]] = await Promise.all([text(child.stdout), ended])
    return { code: typeof code === 'number' ? code : 1, output }
  }

  #parse(output: string, server: string): object {
    try {
      const parsed: unknown = JSON.parse(output)
      if (typeof parsed === 'object' && parsed !== null) return parsed
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
    }
    // Not the output itself: it may hold a secret.
    throw this.#failure('get the credentials for', server, 'its answer is not a JSON object')
  }

  #failure(what: string, server: string, output: string): Error {
    const reason = output.trim() === '' ? 'it gives no reason' : output.trim()
    return commandError(`the credential helper ${this.program} cannot ${what} ${server}: ${reason}`)
  }
}
