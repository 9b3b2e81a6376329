import { join } from 'node:path'
import type { Digest } from '#base/digest.ts'
import { hexOf } from '#base/digest.ts'
import type { Helper } from '#os/helper.ts'
import { checkIndex } from './erofs-layer.ts'
import { files, type StoredLayer } from './layer-record.ts'

/**
 * Where layers are visible in the helper's mount namespace. An EROFS layer is mounted when it is first needed and
 * stays so until it is removed: its pages are shared by all containers. The mounts die with the helper, hence what
 * is remembered here is the truth.
 */
export class LayerMounts {
  readonly #helper: Pick<Helper, 'mountErofs' | 'unmount'>
  readonly #root: string
  readonly #mounted = new Map<Digest, Promise<string>>()
  readonly #taken = new Map<string, Digest>()

  constructor(helper: Pick<Helper, 'mountErofs' | 'unmount'>, execRoot: string) {
    this.#helper = helper
    this.#root = join(execRoot, 'mnt', 'l')
  }

  /** The path if the layer has been made visible before. */
  known(diffId: Digest): Promise<string> | undefined {
    return this.#mounted.get(diffId)
  }

  /** A directory that shows the layer. */
  show(layer: StoredLayer): Promise<string> {
    const { diffId } = layer
    const known = this.#mounted.get(diffId)
    if (known !== undefined) return known
    const path = this.#show(layer)
    this.#mounted.set(diffId, path)
    path.catch(() => this.#forget(diffId))
    return path
  }

  async hide(diffId: Digest): Promise<void> {
    const mounted = this.#mounted.get(diffId)
    if (mounted === undefined) return
    const path = await mounted
    if (this.#taken.has(path)) await this.#helper.unmount(path)
    this.#forget(diffId)
  }

  async #show(layer: StoredLayer): Promise<string> {
    if (layer.record.kind === 'directory') return join(layer.path, files.unpacked)
    const target = this.#target(layer.diffId)
    await checkIndex(layer)
    await this.#helper.mountErofs(join(layer.path, files.index), join(layer.path, files.tar), target)
    return target
  }

  /** Short, for the sake of long lists of layers; two layers never share one, however their digests were chosen. */
  #target(diffId: Digest): string {
    const hex = hexOf(diffId)
    for (let length = 12; ; length++) {
      const path = join(this.#root, hex.slice(0, length))
      const owner = this.#taken.get(path)
      if (owner !== undefined && owner !== diffId) continue
      this.#taken.set(path, diffId)
      return path
    }
  }

  #forget(diffId: Digest): void {
    this.#mounted.delete(diffId)
    for (const [path, owner] of this.#taken) if (owner === diffId) this.#taken.delete(path)
  }
}
