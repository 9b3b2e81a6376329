import type { ContainerConfig } from '#api/generated/types.ts'
import type { KeyedMutex } from '#base/mutex.ts'
import { isKind } from '#base/errors.ts'
import type { RunConfig } from '#oci/image-spec.ts'
import { writeTar } from '#oci/tar/write-tar.ts'
import type { Trees } from '#os/tree.ts'
import type { OciRuntime } from '#runtime/oci-runtime.ts'
import type { CommitOptions } from '../services.ts'
import { mergeConfig } from './config/merge.ts'
import type { Container } from './container.ts'
import type { ContainerEvents } from './events.ts'
import { withoutGenerated } from './generated-places.ts'
import type { ContainerRegistry } from './registry.ts'
import { startedOf } from './state.ts'
import { tarOfTree } from './tree-tar.ts'

/** A new image from an image, one more layer and a configuration. */
export interface CommitImage {
  readonly parent: Container['imageId']
  readonly layer: AsyncIterable<Uint8Array>
  readonly config: ContainerConfig
  readonly containerId: string
  readonly repo: string | undefined
  readonly tag: string | undefined
  readonly author: string
  readonly comment: string
  readonly changes: readonly string[]
  readonly signal?: AbortSignal | undefined
}

export interface CommitsDeps {
  readonly registry: ContainerRegistry
  readonly locks: KeyedMutex
  readonly runtime: OciRuntime
  readonly trees: Trees
  readonly upper: (id: string) => string
  readonly events: ContainerEvents
  readonly commitImage: (image: CommitImage) => Promise<{ readonly id: string }>
}

/** Images from containers: what the container has changed becomes a layer on top of its image. */
export class Commits {
  readonly #deps: CommitsDeps

  constructor(deps: CommitsDeps) {
    this.#deps = deps
  }

  async commit(options: CommitOptions): Promise<{ Id: string }> {
    const { registry, locks, trees, upper, events, commitImage } = this.#deps
    const { id } = registry.resolve(options.container)
    using _lock = await locks.acquire(id, { signal: options.signal })
    const container = registry.resolve(id)
    await using _frozen = await this.#freeze(container, options.pause)
    const changed = trees.read({ directory: upper(id) }, '/', {
      upperDir: true,
      name: '',
      signal: options.signal,
    })
    const image = await commitImage({
      parent: container.imageId,
      layer: writeTar(tarOfTree(withoutGenerated(changed))),
      config: options.config
        ? mergeConfig(options.config, container.config as RunConfig).config
        : container.config,
      containerId: id,
      repo: options.repo,
      tag: options.tag,
      author: options.author,
      comment: options.comment,
      changes: options.changes,
      signal: options.signal,
    })
    const imageRef = options.repo ? `${options.repo}:${options.tag || 'latest'}` : ''
    events.publish(container, 'commit', { comment: options.comment, imageID: image.id, imageRef })
    return { Id: image.id }
  }

  /** Nothing changes while the layer is read; a container that is not running needs no freezing. */
  async #freeze(container: Container, wanted: boolean): Promise<AsyncDisposable> {
    const { runtime } = this.#deps
    const frozen = startedOf(container)
    const freezes = wanted && container.state.status === 'running' && (await isFrozen(runtime.pause(frozen)))
    return { [Symbol.asyncDispose]: async () => (freezes ? runtime.resume(frozen) : undefined) }
  }
}

/** `false`: it has ended meanwhile. */
async function isFrozen(pausing: Promise<void>): Promise<boolean> {
  try {
    await pausing
    return true
  } catch (error) {
    if (isKind(error, 'conflict')) return false
    throw error
  }
}
