import { type Digest, digestOf } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import { abortable } from '#base/mutex.ts'
import { type Descriptor, mediaTypes } from '#oci/image-spec.ts'
import type { RegistryClient, Repository, RepositoryName } from '../../client/repository.ts'

/** A registry in memory, seen through a client; it counts what is asked of it. */
export class FakeUpstream implements RegistryClient {
  readonly asked: string[] = []
  readonly #manifests = new Map<string, { readonly mediaType: string; readonly bytes: Uint8Array }>()
  readonly #tags = new Map<string, Digest>()
  readonly #blobs = new Map<string, Uint8Array>()
  /** What every request fails with. */
  failure: EngineError | undefined
  /** Bytes of a blob after which a transfer waits for `release`. */
  pauseAt = Number.POSITIVE_INFINITY
  /** Bytes of a blob after which a transfer is cut, once per number. */
  readonly cuts: number[] = []
  #paused = Promise.withResolvers<void>()

  release(): void {
    this.pauseAt = Number.POSITIVE_INFINITY
    this.#paused.resolve()
    this.#paused = Promise.withResolvers<void>()
  }

  /** An image of one layer in `path`, named `tag`; its descriptors. */
  addImage(
    path: string,
    tag: string,
    layer: Uint8Array,
  ): { manifest: Digest; layer: Digest; config: Digest } {
    const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', tag }))
    const document = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length },
      layers: [{ mediaType: mediaTypes.ociLayer, digest: digestOf(layer), size: layer.length }],
    }
    const bytes = Buffer.from(JSON.stringify(document))
    const manifest = digestOf(bytes)
    this.#manifests.set(`${path}@${manifest}`, { mediaType: mediaTypes.ociManifest, bytes })
    this.#tags.set(`${path}:${tag}`, manifest)
    this.#blobs.set(`${path}@${digestOf(config)}`, config)
    this.#blobs.set(`${path}@${digestOf(layer)}`, layer)
    return { manifest, layer: digestOf(layer), config: digestOf(config) }
  }

  /** Other bytes under the same digest. */
  corrupt(path: string, digest: Digest, bytes: Uint8Array): void {
    this.#blobs.set(`${path}@${digest}`, bytes)
  }

  count(pattern: RegExp): number {
    return this.asked.filter((entry) => pattern.test(entry)).length
  }

  login(): Promise<{ readonly identityToken: string | undefined }> {
    return Promise.resolve({ identityToken: undefined })
  }

  search(): Promise<[]> {
    return Promise.resolve([])
  }

  repository(name: RepositoryName): Repository {
    const { path } = name
    const refuse = (): Promise<never> => Promise.reject(new Error('nothing is pushed upstream'))
    return {
      name,
      resolve: async (reference) => this.#resolve(path, reference),
      manifest: async (reference) => {
        this.#ask(`GET ${path} manifest ${reference}`)
        const descriptor = this.#find(path, reference)
        const found = descriptor && this.#manifests.get(`${path}@${descriptor.digest}`)
        if (descriptor === undefined || found === undefined) throw missing(reference)
        return { descriptor, bytes: found.bytes }
      },
      document: refuse,
      blob: async ({ digest }, { offset = 0, signal } = {}) => {
        this.#ask(`GET ${path} blob ${digest} from ${offset}`)
        const bytes = this.#blobs.get(`${path}@${digest}`)
        if (bytes === undefined) throw missing(digest)
        return { offset, chunks: this.#send(bytes, offset, signal) }
      },
      async *tags() {
        yield* []
      },
      referrers: () => Promise.resolve([]),
      hasBlob: async (digest) => {
        this.#ask(`HEAD ${path} blob ${digest}`)
        return this.#blobs.has(`${path}@${digest}`)
      },
      mount: refuse,
      upload: refuse,
      putManifest: refuse,
    }
  }

  #resolve(path: string, reference: string): Descriptor | undefined {
    this.#ask(`HEAD ${path} manifest ${reference}`)
    return this.#find(path, reference)
  }

  #find(path: string, reference: string): Descriptor | undefined {
    const digest = this.#tags.get(`${path}:${reference}`) ?? (reference as Digest)
    const found = this.#manifests.get(`${path}@${digest}`)
    return found && { mediaType: found.mediaType, digest, size: found.bytes.length }
  }

  async *#send(bytes: Uint8Array, offset: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const cut = this.cuts.shift()
    for (let at = offset; at < bytes.length; at += 1000) {
      if (at >= this.pauseAt) await abortable(this.#paused.promise, signal)
      if (cut !== undefined && at >= cut)
        throw new EngineError('unavailable', 'cut', { code: 'REGISTRY_CUT' })
      yield bytes.subarray(at, at + 1000)
    }
  }

  #ask(what: string): void {
    this.asked.push(what)
    if (this.failure !== undefined) throw this.failure
  }
}

function missing(what: string): EngineError {
  return new EngineError('not_found', `no ${what}`, { code: 'REGISTRY_NOT_FOUND' })
}
