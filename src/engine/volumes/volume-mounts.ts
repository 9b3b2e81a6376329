import { join } from 'node:path'
import { messageOf } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import { KeyedMutex } from '#base/mutex.ts'
import type { Helper, VolumeMount } from '#os/helper.ts'
import { lookup } from 'node:dns/promises'
import type { VolumeRow } from '#store/volumes.ts'
import { mountFailed } from './errors.ts'
import { parseLocalOptions } from './local-options.ts'
import type { VolumeDirectories } from './volume-directories.ts'
import type { VolumePlugins } from './volume-plugins.ts'

/** A process that has the volume mounted at `path` as it sees the world. */
export interface MountHolder {
  readonly pid: number
  readonly startTime: string
  readonly path: string
}

/** A volume in use. */
export interface VolumeSource {
  /** Directory with its files, as the helper's mount namespace sees it. */
  readonly path: string
  /** It is mounted in the helper's namespace alone, and has to be bound before that is let go of. */
  readonly mounted: boolean
  readonly readOnly: boolean
}

const MS_RDONLY = 1

interface Use {
  /** Who uses it, with the process that holds the mount while the user runs. */
  readonly users: Map<string, MountHolder | undefined>
  /** It is mounted in our helper's namespace. */
  mounted: boolean
}

/**
 * Volumes that have to be mounted before they can be used: those of the driver `local` with options, in the helper's
 * namespace, with the first user and until the last one has gone; those of plugins by their plugin, for each user.
 *
 * The mounts of a killed daemon's helper are gone with it, but running containers hold copies: those are what the
 * next user gets (a tmpfs keeps its files), as long as there is one.
 */
export class VolumeMounts {
  readonly #root: string
  readonly #helper: Helper
  readonly #directories: VolumeDirectories
  readonly #plugins: VolumePlugins
  readonly #logger: Logger
  readonly #uses = new Map<string, Use>()
  readonly #locks = new KeyedMutex()

  constructor(deps: {
    /** A directory in the helper's namespace that nobody else sees. */
    readonly root: string
    readonly helper: Helper
    readonly directories: VolumeDirectories
    readonly plugins: VolumePlugins
    readonly logger: Logger
  }) {
    this.#root = deps.root
    this.#helper = deps.helper
    this.#directories = deps.directories
    this.#plugins = deps.plugins
    this.#logger = deps.logger
  }

  /** To be given back by `release` with the same row and user. */
  async acquire(row: VolumeRow, user: string): Promise<VolumeSource> {
    using _lock = await this.#locks.acquire(row.name)
    if (row.driver !== 'local') return await this.#byPlugin(row, user)
    const { mount } = parseLocalOptions(row.name, row.options)
    if (mount === undefined)
      return { path: this.#directories.data(row.name), mounted: false, readOnly: false }
    const use = this.#useOf(row.name)
    if (!use.mounted) await this.#mount(row, mount, use)
    use.users.set(user, undefined)
    return { path: this.#target(row.name), mounted: true, readOnly: (mount.flags & MS_RDONLY) !== 0 }
  }

  /** The user's process holds the mount now. */
  held(name: string, user: string, holder: MountHolder): void {
    this.#useOf(name).users.set(user, holder)
  }

  /** What cannot be unmounted is said and does not keep the user from going. */
  async release(row: VolumeRow, user: string): Promise<void> {
    using _lock = await this.#locks.acquire(row.name)
    try {
      if (row.driver !== 'local') await (await this.#plugins.get(row.driver)).unmount(row.name, user)
      else await this.#unmount(row.name, user)
    } catch (error) {
      this.#logger.error('a volume cannot be unmounted', { volume: row.name, driver: row.driver, error })
    }
  }

  /** Before the volume is removed; nobody uses it. */
  async forget(name: string): Promise<void> {
    using _lock = await this.#locks.acquire(name)
    const use = this.#uses.get(name)
    this.#uses.delete(name)
    if (use?.mounted === true) await this.#helper.unmount(this.#target(name))
  }

  async #byPlugin(row: VolumeRow, user: string): Promise<VolumeSource> {
    try {
      const plugin = await this.#plugins.get(row.driver)
      return { path: await plugin.mount(row.name, user), mounted: false, readOnly: false }
    } catch (error) {
      throw mountFailed(row.name, '', messageOf(error), error)
    }
  }

  async #unmount(name: string, user: string): Promise<void> {
    const use = this.#uses.get(name)
    if (use === undefined) return
    use.users.delete(user)
    if (use.users.size > 0) return
    this.#uses.delete(name)
    if (use.mounted) await this.#helper.unmount(this.#target(name))
  }

  async #mount(row: VolumeRow, mount: VolumeMount, use: Use): Promise<void> {
    const target = this.#target(row.name)
    for (const holder of use.users.values()) {
      if (holder === undefined || !(await this.#copied(holder, target))) continue
      use.mounted = true
      return
    }
    try {
      await this.#helper.mountVolume(target, await resolved(mount))
      use.mounted = true
    } catch (error) {
      await this.#helper.unmount(target)
      if (use.users.size === 0) this.#uses.delete(row.name)
      const { source, flags } = mount
      const place = this.#directories.data(row.name)
      const why = `failed to mount local volume: mount ${source}:${place}, flags: 0x${flags.toString(16)}: ${reason(error)}`
      throw mountFailed(row.name, place, why, error)
    }
  }

  /** `false` when the process is gone by now, and the mount with it. */
  async #copied(holder: MountHolder, target: string): Promise<boolean> {
    try {
      await this.#helper.copyMount(holder, holder.path, target)
      return true
    } catch (error) {
      this.#logger.warn('the mount of a volume cannot be taken over', { pid: holder.pid, error })
      return false
    }
  }

  #useOf(name: string): Use {
    const use = this.#uses.get(name) ?? { users: new Map<string, MountHolder | undefined>(), mounted: false }
    this.#uses.set(name, use)
    return use
  }

  #target(name: string): string {
    return join(this.#root, name)
  }
}

/** What the kernel said, without what we called it for. */
function reason(error: unknown): string {
  const message = messageOf(error)
  const text = message.slice(message.lastIndexOf(': ') + 2)
  return text.charAt(0).toLowerCase() + text.slice(1)
}

/** The kernel wants the address of a file server as a number. */
async function resolved(mount: VolumeMount): Promise<VolumeMount> {
  if (!/^(?:nfs4?|cifs|smb3)$/.test(mount.type)) return mount
  const words = mount.data.split(',')
  const data = await Promise.all(
    words.map(async (word) => {
      if (!word.startsWith('addr=')) return word
      return `addr=${(await lookup(word.slice('addr='.length))).address}`
    }),
  )
  return { ...mount, data: data.join(',') }
}
