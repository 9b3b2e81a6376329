/** A registry in memory, as its client shows it, that fails when and how a test says. */
import { setImmediate as turn } from 'node:timers/promises'
import { EngineError } from '#base/errors.ts'
import { abortable } from '#base/mutex.ts'
import type { Descriptor } from '#oci/image-spec.ts'
import type { BlobBody, RegistryClient, Repository, RepositoryName } from '#registry/client/repository.ts'
import { RegistryContents } from './registry-images.ts'

const PIECE = 64 << 10

export class FaultyRegistry implements Pick<RegistryClient, 'repository'> {
  readonly contents = new RegistryContents()
  /** What was asked for, in order. */
  readonly requests: string[] = []
  /** Bytes of blobs that were sent. */
  sent = 0
  /** Whether it answers with the part that was asked for. */
  ranges = true
  /** Called before each piece of a blob; what it throws cuts the connection, what it waits for delays it. */
  onPiece: (digest: string, offset: number) => Promise<void> | void = () => undefined
  /** Replaces bytes on their way. */
  onBytes: (digest: string, bytes: Uint8Array) => Uint8Array = (_digest, bytes) => bytes

  repository(name: RepositoryName): Repository {
    const refuse = (): never => {
      throw new Error('not part of this fake')
    }
    return {
      name,
      resolve: async (ref) => (this.#request(`HEAD ${ref}`), this.#resolve(ref)),
      manifest: async (ref) => {
        this.#request(`GET ${ref}`)
        const descriptor = this.#resolve(ref)
        const found = descriptor && this.contents.manifests.get(descriptor.digest)
        if (descriptor === undefined || found === undefined) {
          throw missing(`manifest for ${ref} not found: manifest unknown`)
        }
        return { descriptor, bytes: found.bytes }
      },
      document: async ({ digest }) => {
        this.#request(`document ${digest}`)
        const bytes = this.contents.blobs.get(digest)
        if (bytes === undefined) throw missing('blob unknown')
        return bytes
      },
      blob: (descriptor, options = {}) => this.#blob(descriptor, options),
      tags: () => [...this.contents.tags.keys()] as unknown as AsyncIterable<string>,
      referrers: () => Promise.resolve([]),
      hasBlob: refuse,
      mount: refuse,
      upload: refuse,
      putManifest: refuse,
    }
  }

  login = (): never => {
    throw new Error('not part of this fake')
  }
  search = this.login

  #request(text: string): void {
    this.requests.push(text)
  }

  #resolve(ref: string): Descriptor | undefined {
    const digest = this.contents.find(ref)
    const found = digest && this.contents.manifests.get(digest)
    return digest && found && { digest, mediaType: found.mediaType, size: found.bytes.length }
  }

  async #blob(
    { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
    options: {
      readonly offset?: number | undefined
      readonly end?: number | undefined
      readonly signal?: AbortSignal | undefined
    },
  ): Promise<BlobBody> {
    const bytes = this.contents.blobs.get(digest)
    if (bytes === undefined) throw missing('blob unknown to registry')
    const offset = this.ranges ? (options.offset ?? 0) : 0
    const end = options.end ?? size
    this.#request(`blob ${offset}-${end}`)
    return { offset, chunks: this.#pieces(digest, bytes.subarray(0, end), offset, options.signal) }
  }

  async *#pieces(
    digest: string,
    bytes: Uint8Array,
    offset: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    for (let at = offset; at < bytes.length; at += PIECE) {
      await turn()
      await abortable(Promise.resolve(this.onPiece(digest, at)), signal)
      const piece = bytes.subarray(at, at + PIECE)
      this.sent += piece.length
      yield this.onBytes(digest, Uint8Array.from(piece))
    }
  }
}

/** What the client says of a connection that ended too early. */
export function cut(): EngineError {
  return new EngineError('unavailable', 'the connection was cut', { code: 'REGISTRY_UNAVAILABLE' })
}

function missing(message: string): EngineError {
  return new EngineError('not_found', message, { code: 'MANIFEST_NOT_FOUND' })
}
