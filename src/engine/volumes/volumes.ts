import type { PlannedRemoval } from '#api/prune-plan.ts'
import { dirname } from 'node:path'
import type { Volume } from '#api/generated/types.ts'
import { isKind } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import { KeyedMutex } from '#base/mutex.ts'
import type { Helper } from '#os/helper.ts'
import type { TreeRoot, Trees } from '#os/tree.ts'
import { isForeignKeyViolation } from '#store/db.ts'
import type { VolumeOrigin, VolumeRow, VolumeRows } from '#store/volumes.ts'
import type { EventPublisher } from '../containers/events.ts'
import type { Filters, VolumeService } from '../services.ts'
import { type Usage, usageOf } from '../system/usage.ts'
import { inUse, noSuchVolume, pluginRefused } from './errors.ts'
import { checkFilters, filterFlag, matches } from './filters.ts'
import { parseLocalOptions } from './local-options.ts'
import { isAnonymous, ownerPart } from './names.ts'
import type { PluginVolume, VolumePlugins } from './volume-plugins.ts'
import { VolumeCreation, type VolumeCreateBody } from './volume-creation.ts'
import { VolumeDirectories } from './volume-directories.ts'
import { type VolumeUser, volumeDocument, volumeExtension } from './volume-documents.ts'
import { VolumeMounts } from './volume-mounts.ts'

export interface VolumesDeps {
  readonly rows: VolumeRows
  readonly dataRoot: string
  /** Where volumes are mounted in the helper's namespace. */
  readonly mountRoot: string
  readonly helper: Helper
  readonly trees: Trees
  readonly plugins: VolumePlugins
  readonly events: EventPublisher
  readonly logger: Logger
  /** What inspect shows of a container that has a volume. */
  readonly describeUser: (id: string, volume: string) => VolumeUser | undefined
}

/** The container that an anonymous volume is made for. */
export type VolumeOwner = NonNullable<VolumeOrigin['container']>

/** Writes into an empty directory of a volume; `false`: there was nothing to write. */
export type Filling = (root: TreeRoot, path: string) => Promise<boolean>

/** Volumes: directories of the engine, what their options mount, and those of plugins. */
export class Volumes implements VolumeService {
  readonly #deps: VolumesDeps
  readonly #populating = new KeyedMutex()
  /** Volumes of containers that are being created and have no row yet, and of copies under way. */
  readonly #held = new Map<string, Set<string>>()
  readonly directories: VolumeDirectories
  readonly creation: VolumeCreation
  readonly mounts: VolumeMounts

  constructor(deps: VolumesDeps) {
    this.#deps = deps
    this.directories = new VolumeDirectories(deps.dataRoot, deps.helper)
    this.creation = new VolumeCreation({ ...deps, directories: this.directories })
    this.mounts = new VolumeMounts({ ...deps, root: deps.mountRoot, directories: this.directories })
  }

  async list(filters: Filters): Promise<{ Volumes: Volume[]; Warnings: string[] | null }> {
    checkFilters(filters)
    const own = this.#deps.rows.all()
    const rows = new Map(own.map((row) => [row.name, row]))
    const { volumes, problems } = await this.#deps.plugins.volumes()
    const foreign = new Map(volumes.map(({ volume }) => [volume.Name, volume]))
    for (const { volume, driver } of volumes) {
      if (!rows.has(volume.Name)) rows.set(volume.Name, unknownRow(volume, driver))
    }
    // A socket that a program has left behind is nobody's concern until a volume is its.
    const warnings = problems.filter(({ driver }) => own.some((row) => row.driver === driver))
    const shown = [...rows.values()].filter((row) => this.#matches(row, filters))
    return {
      Volumes: shown.map((row) => this.#document(row, foreign.get(row.name))),
      Warnings: warnings.length === 0 ? null : warnings.map(({ message }) => message),
    }
  }

  /** Idempotent: a volume of that name and driver is returned as it is. */
  async create(body: VolumeCreateBody): Promise<Volume> {
    const row = await this.creation.ensure(body, { by: 'request' })
    return this.#document(row, await this.#ofPlugin(row))
  }

  /** For a container that is being created; without a name an anonymous volume. */
  async ensure(body: VolumeCreateBody, owner: VolumeOwner): Promise<VolumeRow> {
    const origin = { by: 'container', container: owner } as const
    return this.creation.ensure(body, origin, (name) => this.#held.get(owner.id)?.add(name))
  }

  /** Until it is disposed, no volume that is ensured for the container `owner` is removed. */
  hold(owner: string, names: readonly string[] = []): Disposable {
    this.#held.set(owner, new Set(names))
    return { [Symbol.dispose]: () => void this.#held.delete(owner) }
  }

  async inspect(name: string): Promise<Volume> {
    const row = await this.#resolve(name)
    const { rows, describeUser } = this.#deps
    const users = rows.users(name).flatMap((id) => describeUser(id, name) ?? [])
    const limit = row.driver === 'local' ? parseLocalOptions(name, row.options).size : undefined
    return Object.assign(this.#document(row, await this.#ofPlugin(row)), {
      Berth: volumeExtension(row, users, limit),
    })
  }

  /** The row; undefined for one that only its plugin knows. */
  row(name: string): VolumeRow | undefined {
    return this.#deps.rows.get(name)
  }

  async remove(name: string, { force }: { readonly force: boolean }): Promise<void> {
    try {
      await this.#remove(await this.#resolve(name))
    } catch (error) {
      if (!force || !isKind(error, 'not_found')) throw error
    }
  }

  async prune(filters: Filters): Promise<{ VolumesDeleted: string[]; SpaceReclaimed: number }> {
    const { helper, events } = this.#deps
    const deleted: string[] = []
    let reclaimed = 0
    for (const row of this.#prunable(filters)) {
      if (this.users(row.name).length > 0) continue
      const size = await sizeOf(helper, dirname(this.directories.data(row.name)))
      try {
        await this.#remove(row)
      } catch (error) {
        // Somebody has taken it into use, or removed it, meanwhile.
        if (isKind(error, 'conflict') || isKind(error, 'not_found')) continue
        throw error
      }
      deleted.push(row.name)
      reclaimed += size
    }
    events.publish('volume', 'prune', '', { reclaimed: String(reclaimed) })
    return { VolumesDeleted: deleted, SpaceReclaimed: reclaimed }
  }

  async planPrune(filters: Filters, without: ReadonlySet<string>): Promise<PlannedRemoval[]> {
    const free = this.#prunable(filters).filter(({ name }) => this.users(name).every((id) => without.has(id)))
    return Promise.all(
      free.map(async ({ name }) => {
        const Size = await sizeOf(this.#deps.helper, dirname(this.directories.data(name)))
        return { Kind: 'volume' as const, ID: name, Name: name, Size }
      }),
    )
  }

  /** Those that a prune with these filters is about; users are not asked for. */
  #prunable(filters: Filters): readonly VolumeRow[] {
    const all = (filters.get('all') ?? []).some((value) => filterFlag('all', value))
    const kept = new Map([...filters].filter(([key]) => key !== 'all'))
    checkFilters(kept)
    // Only what is on this host alone; the volumes of plugins may be others' as well.
    return this.#deps.rows
      .all()
      .filter((row) => row.driver === 'local' && (all || isAnonymous(row)) && this.#matches(row, kept))
  }

  /** For `system df`: every volume with its size (-1: its plugin's business) and the number of its users. */
  async usage(): Promise<Usage<Volume>> {
    const { rows, helper } = this.#deps
    const items = await Promise.all(
      rows.all().map(async (row) => ({
        ...this.#document(row, undefined),
        UsageData: {
          Size: row.driver === 'local' ? await sizeOf(helper, this.directories.data(row.name)) : -1,
          RefCount: rows.users(row.name).length,
        },
      })),
    )
    return usageOf(
      items,
      ({ UsageData }) => Math.max(0, UsageData.Size),
      ({ UsageData }) => UsageData.RefCount > 0,
    )
  }

  /**
   * Removes the rows of those of `names` that are anonymous and not used by anybody, as part of the caller's
   * transaction; `discard` removes what they were.
   */
  forget(names: readonly string[]): VolumeRow[] {
    const { rows } = this.#deps
    const unused = names.flatMap((name) => {
      const row = rows.get(name)
      return row !== undefined && isAnonymous(row) && rows.users(name).length === 0 ? [row] : []
    })
    for (const { name } of unused) {
      this.directories.mark(name)
      rows.remove(name)
    }
    return unused
  }

  /** To be called as soon as the transaction is committed: the names are free then, and so are their places. */
  async discard(removed: readonly VolumeRow[]): Promise<void> {
    const { helper, events, plugins } = this.#deps
    const trash = removed.flatMap(({ name }) => this.directories.moveToTrash(name) ?? [])
    for (const { name, driver } of removed) events.publish('volume', 'destroy', name, { driver })
    for (const path of trash) await helper.removeTree(path)
    for (const { name, driver, project } of removed) {
      await this.mounts.forget(name)
      if (project !== null) await helper.limitSize(this.#deps.dataRoot, project, 0)
      // An anonymous one, whose container has gone.
      if (driver !== 'local') await (await plugins.get(driver)).remove(name)
    }
  }

  /** Removes the anonymous volumes of a container that was never finished. */
  async abandoned(owner: string): Promise<void> {
    const prefix = ownerPart(owner)
    const names = this.#deps.rows.all().map(({ name }) => name)
    await this.discard(this.forget(names.filter((name) => name.startsWith(prefix))))
  }

  /** At start. */
  async recover(): Promise<void> {
    const { rows, logger } = this.#deps
    await this.directories.recover((name) => rows.get(name) !== undefined, logger)
    for (const { name, driver } of rows.all()) if (driver === 'local') this.directories.make(name)
  }

  /**
   * Lets `write` fill an empty volume, or an empty directory in one (`below`). A directory of ours is filled all at once: a
   * crash leaves it empty. What is not empty stays as it is; a directory that is not there is the start's to complain of.
   */
  async populate(row: VolumeRow, user: string, write: Filling, below = ''): Promise<void> {
    const { rows, helper } = this.#deps
    using _lock = await this.#populating.acquire(row.name)
    if (row.driver === 'local' && parseLocalOptions(row.name, row.options).mount === undefined) {
      if (below !== '') {
        await this.#fill({ directory: this.directories.data(row.name) }, below, write)
        return
      }
      if (!(await this.directories.isEmpty(row.name))) return
      // Somebody has it mounted: the directory cannot be replaced by another one. Nor can one with a limit.
      if (rows.users(row.name).length > 0 || row.project !== null) {
        await write({ directory: this.directories.data(row.name) }, '/')
      } else await this.directories.fill(row.name, (directory) => write({ directory }, '/'))
      return
    }
    const { path } = await this.mounts.acquire(row, user)
    try {
      await this.#fill({ join: helper.pid, root: path }, below, write)
    } finally {
      await this.mounts.release(row, user)
    }
  }

  async #fill(root: TreeRoot, below: string, write: Filling): Promise<void> {
    const path = `/${below}`
    if (await isEmptyDirectory(this.#deps.trees, root, path)) await write(root, path)
  }

  /** The directory that containers see of a volume that is one. */
  directory(name: string): string {
    return this.directories.data(name)
  }

  /** Ids of containers that have the volume, those that are just being created included. */
  users(name: string): string[] {
    const creating = [...this.#held].filter(([, names]) => names.has(name)).map(([owner]) => owner)
    return [...new Set([...this.#deps.rows.users(name), ...creating])]
  }

  async #remove(row: VolumeRow): Promise<void> {
    const { rows, plugins, events } = this.#deps
    const { name, driver } = row
    const users = this.users(name)
    if (users.length > 0) throw inUse(name, users)
    if (driver !== 'local') {
      const plugin = await plugins.get(driver)
      try {
        await plugin.remove(name)
      } catch (error) {
        throw pluginRefused('remove', name, error)
      }
      this.#removeRow(name)
      await rows.durable()
      events.publish('volume', 'destroy', name, { driver })
      return
    }
    if (rows.get(name) === undefined) throw noSuchVolume(name)
    this.directories.mark(name)
    this.#removeRow(name)
    const discarded = this.discard([row])
    await rows.durable()
    await discarded
  }

  #removeRow(name: string): void {
    try {
      this.#deps.rows.remove(name)
    } catch (error) {
      // A container has come to have it while its plugin was asked.
      if (isForeignKeyViolation(error)) throw inUse(name, this.users(name))
      throw error
    }
  }

  /** Ours, or the one that some plugin has. */
  async #resolve(name: string): Promise<VolumeRow> {
    const row = this.#deps.rows.get(name)
    if (row !== undefined) return row
    for (const plugin of await this.#deps.plugins.all()) {
      const found = await plugin.find(name)
      if (found !== undefined) return unknownRow(found, plugin.name)
    }
    throw noSuchVolume(name)
  }

  async #ofPlugin({ name, driver }: VolumeRow): Promise<PluginVolume | undefined> {
    return driver === 'local' ? undefined : (await this.#deps.plugins.get(driver)).find(name)
  }

  #matches(row: VolumeRow, filters: Filters): boolean {
    return matches(row, filters, () => this.#deps.rows.users(row.name).length > 0)
  }

  #document(row: VolumeRow, more: PluginVolume | undefined): Volume {
    const mountpoint = row.driver === 'local' ? this.directories.data(row.name) : (more?.Mountpoint ?? '')
    return volumeDocument(row, mountpoint, more)
  }
}

/** Bytes that a directory takes up; by a program that a hung filesystem holds up alone. */
async function sizeOf(helper: Helper, directory: string): Promise<number> {
  const { stdout } = await helper.run(['du', '-sxB1', directory])
  return Number(stdout.split('\t')[0] ?? 0)
}

async function isEmptyDirectory(trees: Trees, root: TreeRoot, path: string): Promise<boolean> {
  try {
    const options = { name: '', data: false, follow: true }
    for await (const { record } of trees.read(root, path, options)) {
      if (record.path === '' && record.type !== 'directory') return false
      // Every new ext4 filesystem has this one.
      if (record.path !== '' && record.path !== 'lost+found') return false
    }
    return true
  } catch (error) {
    if (isKind(error, 'not_found') || isKind(error, 'invalid_argument')) return false
    throw error
  }
}

/** A volume that was made past us. */
function unknownRow({ Name, CreatedAt }: PluginVolume, driver: string): VolumeRow {
  return {
    name: Name,
    driver,
    labels: {},
    options: {},
    createdAt: CreatedAt ?? '',
    origin: {},
    project: null,
  }
}
