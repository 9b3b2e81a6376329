/** Registries as the commands of `manifest` ask them: by themselves, without an engine, as the person that is logged in. */
import { engineErrorOf, EngineError, isKind } from '#base/errors.ts'
import { type Reference, repositoryOf } from '#oci/reference.ts'
import { openRegistryClient } from '#registry/client/client.ts'
import type { RegistryClient, Repository } from '#registry/client/repository.ts'
import type { Context } from '../command.ts'
import { CredentialStore } from '../credentials/credential-store.ts'
import { HUB_KEY, registryServer } from '../credentials/servers.ts'
import { clientVersion } from '../version.ts'

export interface RegistriesOptions {
  /** Whatever is named: plain HTTP and unknown certificates will do. */
  readonly insecure: boolean
  readonly references: readonly Reference[]
}

export class Registries implements AsyncDisposable {
  readonly #client: RegistryClient & AsyncDisposable
  readonly #credentials: CredentialStore
  readonly #repositories = new Map<string, Promise<Repository>>()

  constructor(context: Context, { insecure, references }: RegistriesOptions) {
    this.#credentials = new CredentialStore(context)
    this.#client = openRegistryClient({
      insecure: insecure ? references.map(({ domain }) => domain) : [],
      environment: context.io.env,
      userAgent: `berth/${clientVersion.version} (${process.platform})`,
    })
  }

  /** Nothing is asked but, for the credentials, the configuration or its helper: once for each repository. */
  repository(reference: Reference): Promise<Repository> {
    const name = repositoryOf(reference)
    const known = this.#repositories.get(name) ?? this.#open(reference)
    this.#repositories.set(name, known)
    return known
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]()
  }

  async #open({ domain, path }: Reference): Promise<Repository> {
    const { identitytoken, registrytoken, ...account } =
      (await this.#credentials.get(registryServer(domain), path)) ?? {}
    const credentials = { ...account, identityToken: identitytoken, registryToken: registrytoken }
    return this.#client.repository({ domain, path }, { credentials })
  }
}

/** What `act` asks of a registry about `reference`; its failures with what to do next. */
export async function asked<T>(reference: Reference, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw explained(reference, error)
  }
}

function explained(reference: Reference, error: unknown): unknown {
  const known = engineErrorOf(error)
  if (known === undefined) return error
  const { code, details, message } = known
  const words = (text: string): EngineError =>
    new EngineError(known.kind, text, { code, details, cause: error })
  if (isKind(error, 'unauthenticated') || isKind(error, 'permission_denied')) {
    const { key } = registryServer(reference.domain)
    return words(`${message}; log in with 'berth login${key === HUB_KEY ? '' : ` ${key}`}'`)
  }
  if (code === 'REGISTRY_CERTIFICATE' || code === 'REGISTRY_TLS') {
    return words(`${message} (here: --insecure)`)
  }
  return error
}
