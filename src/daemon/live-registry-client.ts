import type { RegistryClient, Repository } from '#registry/client/repository.ts'

type Opened = RegistryClient & AsyncDisposable

/** A client of registries whose settings may change: what is under way goes on with those that it began with. */
export class LiveRegistryClient implements RegistryClient, AsyncDisposable {
  readonly #open: () => Opened
  /** The newest last. */
  readonly #clients: Opened[]

  constructor(open: () => Opened) {
    this.#open = open
    this.#clients = [open()]
  }

  /** What begins from now on has the settings of now. */
  renew(): void {
    this.#clients.push(this.#open())
  }

  repository(...args: Parameters<RegistryClient['repository']>): Repository {
    return this.#current.repository(...args)
  }

  login(...args: Parameters<RegistryClient['login']>): ReturnType<RegistryClient['login']> {
    return this.#current.login(...args)
  }

  search(...args: Parameters<RegistryClient['search']>): ReturnType<RegistryClient['search']> {
    return this.#current.search(...args)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client[Symbol.asyncDispose]()))
  }

  get #current(): Opened {
    return this.#clients.at(-1) as Opened
  }
}
