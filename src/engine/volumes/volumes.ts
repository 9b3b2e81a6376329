import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Volume } from '#api/generated/types.ts'
import { EngineError, isErrno, isKind } from '#base/errors.ts'
import { newId } from '#base/ids.ts'
import type { Logger } from '#base/logger.ts'
import { KeyedMutex } from '#base/mutex.ts'
import type { Helper } from '#os/helper.ts'
import type { VolumeRow, VolumeRows } from '#store/volumes.ts'
import type { EventPublisher } from '../containers/events.ts'
import type { Filters, VolumeService } from '../services.ts'
import { type Usage, usageOf } from '../system/usage.ts'

export interface VolumesDeps {
  readonly rows: VolumeRows
  readonly dataRoot: string
  readonly helper: Helper
  readonly events: EventPublisher
  readonly logger: Logger
}

export interface VolumeCreateBody {
  readonly Name?: string | null
  readonly Driver?: string | null
  readonly DriverOpts?: Record<string, string> | null
  readonly Labels?: Record<string, string> | null
}

/** Marks a volume that nobody named; Docker's label. */
const ANONYMOUS = 'com.docker.volume.anonymous'
/** Beside `_data` while that is being filled. */
const FILLING = '_filling'
/** Beside `_data` of a volume that is being removed: the directory goes when the row has gone. */
const REMOVING = '_removing'
/** Digits of the container's id in the name of an anonymous volume. */
const OWNER_LENGTH = 32
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/

/** Named directories of the local driver, at `volumes/NAME/_data` under the data root. */
export class Volumes implements VolumeService {
  readonly #deps: VolumesDeps
  readonly #populating = new KeyedMutex()
  /** Volumes of containers that are being created and have no row yet. */
  readonly #held = new Map<string, Set<string>>()

  constructor(deps: VolumesDeps) {
    this.#deps = deps
  }

  async list(filters: Filters): Promise<Volume[]> {
    checkFilters(filters)
    return this.#deps.rows
      .all()
      .filter((row) => this.#matches(row, filters))
      .map((row) => this.#document(row))
  }

  /** Idempotent: a volume of that name and driver is returned as it is. */
  async create(body: VolumeCreateBody): Promise<Volume> {
    return this.#document(await this.ensure(body))
  }

  /**
   * Without a name: an anonymous volume, for the container `owner` when there is one. A directory of that name without a
   * record (a copy of the database was restored) is taken into use with what is in it.
   */
  async ensure(body: VolumeCreateBody, owner?: string): Promise<VolumeRow> {
    const { rows, events } = this.#deps
    const named = body.Name !== undefined && body.Name !== null && body.Name !== ''
    const name = named ? String(body.Name) : anonymousName(owner)
    const driver =
      body.Driver === undefined || body.Driver === null || body.Driver === '' ? 'local' : body.Driver
    checkCreate(name, driver, body.DriverOpts ?? {})
    if (owner !== undefined) this.#held.get(owner)?.add(name)
    const existing = rows.get(name)
    if (existing !== undefined) return existing

    const row: VolumeRow = {
      name,
      driver,
      labels: { ...(named ? {} : { [ANONYMOUS]: '' }), ...body.Labels },
      options: { ...body.DriverOpts },
      createdAt: new Date().toISOString(),
    }
    // In one step: nobody comes between directory and row.
    this.#makeDirectory(name)
    rows.insert(row)
    await rows.durable()
    events.publish('volume', 'create', name, { driver })
    return row
  }

  /** Until it is disposed, no volume that is ensured for the container `owner` is removed. */
  hold(owner: string): Disposable {
    this.#held.set(owner, new Set())
    return { [Symbol.dispose]: () => void this.#held.delete(owner) }
  }

  async inspect(name: string): Promise<Volume> {
    return this.#document(this.#resolve(name))
  }

  async remove(name: string, options: { readonly force: boolean }): Promise<void> {
    const row = this.#deps.rows.get(name)
    if (row === undefined) {
      if (options.force) return
      throw noSuchVolume(name)
    }
    await this.#remove(row)
  }

  async prune(filters: Filters): Promise<{ VolumesDeleted: string[]; SpaceReclaimed: number }> {
    const { rows, helper, events } = this.#deps
    const all = (filters.get('all') ?? []).some((value) => value === '1' || value === 'true')
    const kept = new Map([...filters].filter(([key]) => key !== 'all'))
    checkFilters(kept)
    const candidates = rows.all().filter((row) => (all || isAnonymous(row)) && this.#matches(row, kept))
    const deleted: string[] = []
    let reclaimed = 0
    for (const row of candidates) {
      if (this.#users(row.name).length > 0) continue
      const size = await sizeOf(helper, dirname(this.directory(row.name)))
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

  /** For `system df`: every volume with its size and the number of its users. */
  async usage(): Promise<Usage<Volume>> {
    const { rows, helper } = this.#deps
    const items = await Promise.all(
      rows.all().map(async (row) => ({
        ...this.#document(row),
        UsageData: {
          Size: await sizeOf(helper, this.directory(row.name)),
          RefCount: rows.users(row.name).length,
        },
      })),
    )
    return usageOf(
      items,
      ({ UsageData }) => UsageData.Size,
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
      this.#mark(name)
      rows.remove(name)
    }
    return unused
  }

  /** To be called as soon as the transaction is committed: the names are free then, and so are their places. */
  async discard(removed: readonly VolumeRow[]): Promise<void> {
    const { helper, events } = this.#deps
    const trash = removed.flatMap(({ name }) => this.#moveToTrash(name) ?? [])
    for (const { name, driver } of removed) events.publish('volume', 'destroy', name, { driver })
    for (const path of trash) await helper.removeTree(path)
  }

  /** Removes the anonymous volumes of a container that was never finished. */
  async abandoned(owner: string): Promise<void> {
    const prefix = ownerPart(owner)
    const names = this.#deps.rows.all().map(({ name }) => name)
    await this.discard(this.forget(names.filter((name) => name.startsWith(prefix))))
  }

  /**
   * Finishes removals that a crash interrupted and drops fillings that were not finished. A volume is never removed
   * because its record is missing: who restores an older database wants the data back.
   */
  async recover(): Promise<void> {
    const { rows, dataRoot, helper, logger } = this.#deps
    const root = join(dataRoot, 'volumes')
    await mkdir(root, { recursive: true, mode: 0o700 })
    for (const name of await readdir(root)) {
      const volume = join(root, name)
      if (rows.get(name) !== undefined) {
        await helper.removeTree(join(volume, FILLING))
        await rm(join(volume, REMOVING), { force: true })
      } else if (existsSync(join(volume, REMOVING)) || (await isBare(volume))) {
        await helper.removeTree(volume)
      } else {
        logger.warn('a volume has no record; create it again to use it', { volume: name })
      }
    }
    for (const { name } of rows.all()) this.#makeDirectory(name)
  }

  /**
   * Lets `write` fill a directory that becomes the volume's contents, all at once: a crash leaves it empty. `false`:
   * there was nothing to write. A volume that is not empty stays as it is.
   */
  async populate(name: string, write: (directory: string) => Promise<boolean>): Promise<void> {
    const { rows, dataRoot, helper } = this.#deps
    using _lock = await this.#populating.acquire(name)
    if (!(await this.#isEmpty(name))) return
    const directory = this.directory(name)
    // Somebody has it mounted: the directory cannot be replaced by another one.
    if (rows.users(name).length > 0) {
      await write(directory)
      return
    }
    const filling = join(dataRoot, 'volumes', name, FILLING)
    await helper.removeTree(filling)
    await mkdir(filling, { mode: 0o755 })
    if (!(await write(filling))) return await rmdir(filling)
    await helper.syncfs(filling)
    await rename(filling, directory)
  }

  /** The directory that containers see. */
  directory(name: string): string {
    return join(this.#deps.dataRoot, 'volumes', name, '_data')
  }

  /** Nothing has been written to it yet. */
  async #isEmpty(name: string): Promise<boolean> {
    return (await readdir(this.directory(name))).length === 0
  }

  async #remove(row: VolumeRow): Promise<void> {
    const { rows } = this.#deps
    const users = this.#users(row.name)
    if (users.length > 0) throw inUse(row.name, users)
    if (rows.get(row.name) === undefined) throw noSuchVolume(row.name)
    this.#mark(row.name)
    rows.remove(row.name)
    const discarded = this.discard([row])
    await rows.durable()
    await discarded
  }

  /** Ids of containers that have the volume, those that are just being created included. */
  #users(name: string): string[] {
    const creating = [...this.#held].filter(([, names]) => names.has(name)).map(([owner]) => owner)
    return [...new Set([...this.#deps.rows.users(name), ...creating])]
  }

  #makeDirectory(name: string): void {
    const directory = this.directory(name)
    mkdirSync(dirname(directory), { recursive: true, mode: 0o701 })
    // As Docker has it: a process of any user may look into a volume of its container.
    mkdirSync(directory, { recursive: true, mode: 0o755 })
  }

  /** Notes that the directory is to go with the row. */
  #mark(name: string): void {
    const volume = dirname(this.directory(name))
    if (existsSync(volume)) writeFileSync(join(volume, REMOVING), '')
  }

  /** Undefined when there is no directory. */
  #moveToTrash(name: string): string | undefined {
    const trash = join(this.#deps.dataRoot, 'trash')
    const target = join(trash, `volume-${newId()}`)
    mkdirSync(trash, { recursive: true, mode: 0o700 })
    try {
      renameSync(dirname(this.directory(name)), target)
      return target
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined
      throw error
    }
  }

  #resolve(name: string): VolumeRow {
    const row = this.#deps.rows.get(name)
    if (row === undefined) throw noSuchVolume(name)
    return row
  }

  #matches(row: VolumeRow, filters: Filters): boolean {
    return [...filters].every(([key, values]) => matchesFilter(row, key, values, this.#deps.rows))
  }

  #document(row: VolumeRow): Volume {
    return {
      CreatedAt: row.createdAt,
      Driver: row.driver,
      Labels: Object.keys(row.labels).length === 0 ? null : { ...row.labels },
      Mountpoint: this.directory(row.name),
      Name: row.name,
      Options: Object.keys(row.options).length === 0 ? null : { ...row.options },
      Scope: 'local',
    }
  }
}

/** Bytes that a directory takes up; by a program that a hung filesystem holds up alone. */
async function sizeOf(helper: Helper, directory: string): Promise<number> {
  const { stdout } = await helper.run(['du', '-sxB1', directory])
  return Number(stdout.split('\t')[0] ?? 0)
}

function checkCreate(name: string, driver: string, options: Record<string, string>): void {
  if (name.length === 1) {
    const message = 'volume name is too short, names should be at least two alphanumeric characters'
    throw new EngineError('invalid_argument', message, { code: 'VOLUME_NAME_INVALID' })
  }
  if (!NAME.test(name)) {
    const message = `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`
    throw new EngineError('invalid_argument', message, { code: 'VOLUME_NAME_INVALID' })
  }
  if (driver !== 'local') {
    throw new EngineError(
      'not_found',
      `error looking up volume plugin ${driver}: plugin "${driver}" not found`,
      {
        code: 'VOLUME_DRIVER_UNKNOWN',
      },
    )
  }
  const unsupported = Object.keys(options)
  if (unsupported.length > 0) {
    throw new EngineError('invalid_argument', `create ${name}: invalid option: "${unsupported[0] ?? ''}"`, {
      code: 'VOLUME_OPTION_INVALID',
    })
  }
}

/** Tells whose volume it is; the rest is random. */
function anonymousName(owner: string | undefined): string {
  return owner === undefined ? newId() : ownerPart(owner) + newId().slice(OWNER_LENGTH)
}

function ownerPart(owner: string): string {
  return owner.slice(0, OWNER_LENGTH)
}

function isAnonymous(row: VolumeRow): boolean {
  return Object.hasOwn(row.labels, ANONYMOUS)
}

function matchesFilter(row: VolumeRow, key: string, values: readonly string[], rows: VolumeRows): boolean {
  switch (key) {
    case 'name':
      return values.length === 0 || values.some((value) => row.name.includes(value))
    case 'driver':
      return values.length === 0 || values.includes(row.driver)
    case 'label':
      return values.every((value) => hasLabel(row, value))
    case 'label!':
      return !values.some((value) => hasLabel(row, value))
    case 'dangling': {
      const wanted = values.some((value) => value === '1' || value === 'true')
      return (rows.users(row.name).length === 0) === wanted
    }
    default:
      return true
  }
}

const FILTERS = ['name', 'driver', 'label', 'label!', 'dangling']

function checkFilters(filters: Filters): void {
  for (const key of filters.keys()) {
    if (FILTERS.includes(key)) continue
    throw new EngineError('invalid_argument', `invalid filter '${key}'`, { code: 'FILTER_INVALID' })
  }
}

/** Nothing was ever written to it: made by a creation that was not finished. */
async function isBare(volume: string): Promise<boolean> {
  const inside = await readdir(volume)
  if (inside.some((name) => name !== '_data' && name !== FILLING)) return false
  return !inside.includes('_data') || (await readdir(join(volume, '_data'))).length === 0
}

function hasLabel(row: VolumeRow, wanted: string): boolean {
  const at = wanted.indexOf('=')
  if (at < 0) return Object.hasOwn(row.labels, wanted)
  const key = wanted.slice(0, at)
  return Object.hasOwn(row.labels, key) && row.labels[key] === wanted.slice(at + 1)
}

function inUse(name: string, users: readonly string[]): EngineError {
  return new EngineError('conflict', `remove ${name}: volume is in use - [${users.join(', ')}]`, {
    code: 'VOLUME_IN_USE',
    details: { name, users },
  })
}

function noSuchVolume(name: string): EngineError {
  return new EngineError('not_found', `get ${name}: no such volume`, {
    code: 'VOLUME_NOT_FOUND',
    details: { name },
  })
}
