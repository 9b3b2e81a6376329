import { randomInt } from 'node:crypto'
import { EngineError, messageOf } from '#base/errors.ts'
import { KeyedMutex } from '#base/mutex.ts'
import type { Helper } from '#os/helper.ts'
import type { VolumeOrigin, VolumeRow, VolumeRows } from '#store/volumes.ts'
import type { EventPublisher } from '../containers/events.ts'
import { nameTaken, otherDriver, pluginRefused } from './errors.ts'
import { parseLocalOptions } from './local-options.ts'
import { ANONYMOUS, anonymousName, checkName } from './names.ts'
import type { VolumePlugins } from './volume-plugins.ts'
import type { VolumeDirectories } from './volume-directories.ts'

export interface VolumeCreateBody {
  readonly Name?: string | null
  readonly Driver?: string | null
  readonly DriverOpts?: Record<string, string> | null
  readonly Labels?: Record<string, string> | null
}

export interface VolumeCreationDeps {
  readonly rows: VolumeRows
  readonly directories: VolumeDirectories
  readonly plugins: VolumePlugins
  readonly helper: Helper
  readonly events: EventPublisher
}

/** Makes volumes: what is theirs first, the row last. */
export class VolumeCreation {
  readonly #deps: VolumeCreationDeps
  /** By name; also while a volume is renamed, cloned or imported. */
  readonly names = new KeyedMutex()

  constructor(deps: VolumeCreationDeps) {
    this.#deps = deps
  }

  /** A volume of that name and driver is returned as it is. `named` is told the name before anything is made. */
  async ensure(
    body: VolumeCreateBody,
    origin: VolumeOrigin,
    named: (name: string) => void = () => undefined,
  ): Promise<VolumeRow> {
    const { rows } = this.#deps
    const anonymous = !body.Name
    const name = body.Name || anonymousName(origin.container?.id)
    const driver = body.Driver || 'local'
    const options = { ...body.DriverOpts }
    checkName(name)
    const { size } = driver === 'local' ? parseLocalOptions(name, options) : { size: undefined }
    named(name)
    using _lock = await this.names.acquire(name)
    const existing = rows.get(name)
    if (existing !== undefined) {
      if (body.Driver && existing.driver !== driver) throw otherDriver(name, existing.driver)
      return existing
    }
    const labels = { ...(anonymous ? { [ANONYMOUS]: '' } : {}), ...body.Labels }
    const createdAt = new Date().toISOString()
    const project = size === undefined ? null : projectFor(rows)
    return await this.#make({ name, driver, labels, options, createdAt, origin, project }, size)
  }

  /**
   * A new volume of the driver `local` with what `fill` writes: it is there with all of that or, after a failure or a crash,
   * not at all. The caller has the lock of the name.
   */
  async filled(row: VolumeRow, fill: (directory: string) => Promise<void>): Promise<VolumeRow> {
    const { rows, directories, helper } = this.#deps
    checkName(row.name)
    if (rows.get(row.name) !== undefined || directories.exists(row.name)) throw nameTaken('create', row.name)
    const { size } = parseLocalOptions(row.name, row.options)
    // Noted before there is anything: without a row it goes at the next start.
    directories.make(row.name)
    directories.mark(row.name)
    try {
      if (size !== undefined) await this.#limit(row, size)
      await directories.fill(row.name, async (directory) => {
        if (size !== undefined) await helper.limitSize(directory, row.project ?? 0, size)
        await fill(directory)
        return true
      })
    } catch (error) {
      await this.#discard(row.name)
      throw error
    }
    await this.#commit(row)
    directories.unmark(row.name)
    return row
  }

  async #make(row: VolumeRow, size: number | undefined): Promise<VolumeRow> {
    const { directories, plugins } = this.#deps
    if (row.driver !== 'local') {
      try {
        const plugin = await plugins.get(row.driver)
        await plugin.create(row.name, row.options)
      } catch (error) {
        throw pluginRefused('create', row.name, error)
      }
    } else {
      // Of a directory without a record (a copy of the database was restored) what is in it is taken into use.
      directories.make(row.name)
      if (size !== undefined) await this.#limit(row, size)
    }
    await this.#commit(row)
    return row
  }

  async #commit(row: VolumeRow): Promise<void> {
    const { rows, directories, events } = this.#deps
    // In one step: nobody comes between directory and row.
    if (row.driver === 'local') directories.make(row.name)
    rows.insert(row)
    await rows.durable()
    events.publish('volume', 'create', row.name, { driver: row.driver })
  }

  async #limit(row: VolumeRow, size: number): Promise<void> {
    const { helper, directories } = this.#deps
    try {
      await helper.limitSize(directories.data(row.name), row.project ?? 0, size)
    } catch (error) {
      await this.#discard(row.name)
      throw new EngineError(
        'invalid_argument',
        `create ${row.name}: the size of a volume cannot be limited here: ${messageOf(error)}`,
        { code: 'VOLUME_SIZE_UNSUPPORTED', cause: error },
      )
    }
  }

  async #discard(name: string): Promise<void> {
    const left = this.#deps.directories.moveToTrash(name)
    if (left !== undefined) await this.#deps.helper.removeTree(left)
  }
}

/** Far from the numbers that people give their own projects, and of no other volume. */
export function projectFor(rows: VolumeRows): number {
  const taken = new Set(rows.all().map(({ project }) => project))
  let project: number
  do project = randomInt(0x40000000, 0x7fffffff)
  while (taken.has(project))
  return project
}
