import type { Volume } from '#api/generated/types.ts'
import { newId } from '#base/ids.ts'
import { readTar } from '#oci/tar/read-tar.ts'
import { type TarSource, writeTar } from '#oci/tar/write-tar.ts'
import type { Helper } from '#os/helper.ts'
import type { TreeEntry, TreeRoot, Trees } from '#os/tree.ts'
import type { VolumeOrigin, VolumeRow, VolumeRows } from '#store/volumes.ts'
import type { EventPublisher } from '../containers/events.ts'
import type { Cancellable, VolumeTransferService } from '../services.ts'
import { inUse, nameTaken, noSuchVolume, notLocal } from './errors.ts'
import { parseLocalOptions } from './local-options.ts'
import { checkName } from './names.ts'
import { projectFor } from './volume-creation.ts'
import type { Volumes } from './volumes.ts'

export interface VolumeTransfersDeps {
  readonly rows: VolumeRows
  readonly volumes: Volumes
  readonly trees: Trees
  readonly helper: Helper
  readonly events: EventPublisher
}

type Labels = Readonly<Record<string, string>>

/** What Docker has no command for: other names, copies, archives. Each happens as a whole or, after a crash, not at all. */
export class VolumeTransfers implements VolumeTransferService {
  readonly #deps: VolumeTransfersDeps

  constructor(deps: VolumeTransfersDeps) {
    this.#deps = deps
  }

  /** Not while a container has it: that one knows it by its name. */
  async rename(name: string, to: string): Promise<void> {
    const { rows, volumes, events } = this.#deps
    const { creation, directories } = volumes
    checkName(to)
    const [first, second] = [name, to].toSorted()
    using _first = await creation.names.acquire(first ?? name)
    using _second = first === second ? undefined : await creation.names.acquire(second ?? to)
    const row = this.#local('rename', name)
    const users = volumes.users(name)
    if (users.length > 0) throw inUse(name, users, 'rename')
    if (rows.get(to) !== undefined || directories.exists(to)) throw nameTaken(`rename ${name} to`, to)
    directories.rename(name, to, () => rows.rename(name, to))
    await rows.durable()
    directories.renamed(to)
    events.publish('volume', 'rename', to, { driver: row.driver, oldName: name })
  }

  /** The files as they are now, on shared blocks where the filesystem can. */
  async clone(
    name: string,
    to: string,
    { labels, signal }: { readonly labels: Labels } & Cancellable,
  ): Promise<Volume> {
    const { volumes, trees } = this.#deps
    using _name = await volumes.creation.names.acquire(to)
    const source = this.#resolve(name)
    const copier = `clone-${newId()}`
    using _held = volumes.hold(copier, [name])
    await using opened = await this.#open(source, copier)
    const row = this.#newRow(to, { ...source.labels, ...labels }, source.options, {
      by: 'clone',
      volume: name,
    })
    await volumes.creation.filled(row, async (directory) => {
      const entries = trees.read(opened.root, '/', { name: '', data: false, signal })
      const target: TreeRoot = { join: this.#deps.helper.pid, root: directory }
      const contentsFrom = opened.path
      await trees.write(target, '/', this.#withTop(opened.root, entries), { contentsFrom, signal })
    })
    return await volumes.inspect(to)
  }

  /** A tar archive of everything in it: owners, extended attributes, hard links, times. */
  async export(name: string, { signal }: Cancellable): Promise<AsyncIterable<Uint8Array>> {
    return this.#exported(this.#resolve(name), signal)
  }

  /** A new volume with what is in the archive; runs of zeros become holes. */
  async import(
    name: string,
    archive: AsyncIterable<Uint8Array>,
    { labels, signal }: { readonly labels: Labels } & Cancellable,
  ): Promise<Volume> {
    const { volumes, trees } = this.#deps
    checkName(name)
    using _name = await volumes.creation.names.acquire(name)
    const row = this.#newRow(name, labels, {}, { by: 'import' })
    await volumes.creation.filled(row, (directory) =>
      trees.write({ directory }, '/', entriesOf(archive), { sparse: true, signal }),
    )
    return await volumes.inspect(name)
  }

  async *#exported(source: VolumeRow, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    const reader = `export-${newId()}`
    using _held = this.#deps.volumes.hold(reader, [source.name])
    await using opened = await this.#open(source, reader)
    const entries = this.#deps.trees.read(opened.root, '/', { name: '', signal })
    yield* writeTar(membersOf(this.#withTop(opened.root, entries)))
  }

  /** The directory itself comes first: the copy has its owner and mode too. */
  async *#withTop(root: TreeRoot, entries: AsyncIterable<TreeEntry>): AsyncGenerator<TreeEntry> {
    const top = await this.#deps.trees.stat(root, '/', { follow: true })
    yield { record: { ...top, path: '' }, data: nothing() }
    yield* entries
  }

  async #open(
    row: VolumeRow,
    user: string,
  ): Promise<AsyncDisposable & { readonly root: TreeRoot; readonly path: string }> {
    const { volumes, helper } = this.#deps
    const { path } = await volumes.mounts.acquire(row, user)
    return {
      path,
      root: { join: helper.pid, root: path },
      [Symbol.asyncDispose]: () => volumes.mounts.release(row, user),
    }
  }

  /** What is mounted by the options of the source is no part of a copy of its files. */
  #newRow(name: string, labels: Labels, options: VolumeRow['options'], origin: VolumeOrigin): VolumeRow {
    const own = parseLocalOptions(name, options).mount === undefined ? options : {}
    const project = parseLocalOptions(name, own).size === undefined ? null : projectFor(this.#deps.rows)
    const kept = Object.entries(labels).filter(([key]) => key !== 'com.docker.volume.anonymous')
    const createdAt = new Date().toISOString()
    return {
      name,
      driver: 'local',
      labels: Object.fromEntries(kept),
      options: own,
      createdAt,
      origin,
      project,
    }
  }

  #resolve(name: string): VolumeRow {
    const row = this.#deps.rows.get(name)
    if (row === undefined) throw noSuchVolume(name)
    return row
  }

  #local(verb: string, name: string): VolumeRow {
    const row = this.#resolve(name)
    if (row.driver !== 'local') throw notLocal(verb, name, row.driver)
    return row
  }
}

async function* membersOf(entries: AsyncIterable<TreeEntry>): AsyncGenerator<TarSource> {
  for await (const { record, data } of entries) {
    if (record.type === 'whiteout') continue
    const { path, type } = record
    yield { entry: { ...record, type, path: path === '' ? '.' : path }, data }
  }
}

/** What tree writing makes of names that lead out of the volume is a refusal. */
async function* entriesOf(archive: AsyncIterable<Uint8Array>): AsyncGenerator<TreeEntry> {
  for await (const { entry, data } of readTar(archive)) {
    if (entry.path === '' && entry.type !== 'directory') continue
    yield { record: entry, data }
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
