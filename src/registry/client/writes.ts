/** What is sent to a registry. distribution-spec "Push" */
import { type Digest, digestOf } from '#base/digest.ts'
import { badAnswer, type Subject, wrongDigest } from './errors.ts'
import type { RegistryExchange } from './exchange.ts'
import type {
  ManifestName,
  RepositoryName,
  RequestOptions,
  UploadOptions,
  UploadSource,
  WritableRepository,
} from './repository.ts'
import type { RetryPolicy } from './retries.ts'
import { repositoryScope } from './scopes.ts'
import { cancelUpload, type UploadTarget } from './upload-session.ts'
import { Upload, type UploadResult } from './uploads.ts'

export class RepositoryWrites implements WritableRepository {
  readonly #exchange: () => Promise<RegistryExchange>
  readonly #name: RepositoryName
  readonly #scopes: readonly string[]
  readonly #retries: RetryPolicy

  constructor(exchange: () => Promise<RegistryExchange>, name: RepositoryName, retries: RetryPolicy) {
    this.#exchange = exchange
    this.#name = name
    this.#scopes = [repositoryScope(name.path, 'pull', 'push')]
    this.#retries = retries
  }

  async hasBlob(digest: Digest, { signal }: RequestOptions = {}): Promise<boolean> {
    const exchange = await this.#exchange()
    using reply = await exchange.send({
      method: 'HEAD',
      target: `/v2/${this.#name.path}/blobs/${digest}`,
      scopes: this.#scopes,
      accept: [404],
      retry: 'always',
      subject: this.#subject(),
      signal,
    })
    return reply.status !== 404
  }

  /** end-11 */
  async mount(digest: Digest, from: string, { signal }: RequestOptions = {}): Promise<boolean> {
    const exchange = await this.#exchange()
    const target = await this.#target([...this.#scopes, repositoryScope(from, 'pull')])
    using reply = await exchange.send({
      method: 'POST',
      target: `/v2/${this.#name.path}/blobs/uploads/?mount=${digest}&from=${encodeURIComponent(from)}`,
      body: () => new Uint8Array(),
      scopes: target.scopes,
      // What cannot be mounted is uploaded: who may not read the source gets that answer too.
      accept: [400, 401, 403, 404, 405],
      retry: 'always',
      subject: this.#subject(),
      signal,
    })
    if (reply.status !== 202) return reply.status === 201
    const { location } = reply.headers
    if (location !== undefined) await cancelUpload(target, exchange.follow(reply, location, 'Location'))
    return false
  }

  async upload(source: UploadSource, options: UploadOptions = {}): Promise<UploadResult> {
    return new Upload(await this.#target(this.#scopes), source, options).run()
  }

  /** end-7 */
  async putManifest(
    name: ManifestName,
    { bytes, mediaType }: { readonly bytes: Uint8Array; readonly mediaType: string },
    { signal }: RequestOptions = {},
  ): Promise<{ readonly digest: Digest }> {
    const exchange = await this.#exchange()
    const digest = digestOf(bytes)
    using reply = await exchange.send({
      method: 'PUT',
      target: `/v2/${this.#name.path}/manifests/${name}`,
      headers: { 'content-type': mediaType },
      body: () => bytes,
      scopes: this.#scopes,
      retry: 'always',
      subject: this.#subject(),
      signal,
    })
    if (reply.status >= 300)
      throw badAnswer(reply.url.host, `unexpected status ${reply.status} for a manifest`)
    const said = reply.headers['docker-content-digest']
    if (typeof said === 'string' && said.startsWith('sha256:') && said !== digest) {
      throw wrongDigest(reply.url.host, digest, said)
    }
    return { digest }
  }

  async #target(scopes: readonly string[]): Promise<UploadTarget> {
    const { path } = this.#name
    return {
      exchange: await this.#exchange(),
      path,
      scopes,
      subject: this.#subject(),
      retries: this.#retries,
    }
  }

  #subject(): Subject {
    return { registry: this.#name.domain, repository: this.#name, action: 'push' }
  }
}
