import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '#base/logger.ts'
import { processStartTime } from '#os/proc/process-stat.ts'
import type { Ids, ShimPin } from '#runtime/shim.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import type { VolumeRow } from '#store/volumes.ts'
import type { EventPublisher } from './events.ts'
import type { VolumeUser } from '../volumes/volume-documents.ts'
import type { Volumes } from '../volumes/volumes.ts'
import type { Container, ContainerMount } from './container.ts'
import type { PathsOf } from './paths.ts'
import { runOf } from './state.ts'

/** Where the files of one mount are, for a container that is about to run. */
export interface MountSource {
  /** As the helper's mount namespace sees it. */
  readonly path: string
  /** The helper lets go of it as soon as the container has it. */
  readonly mounted: boolean
  /** Runtimes take a bind for writable unless they are told. */
  readonly readOnly?: boolean
}

/** By destination; mounts without an entry are what they say. */
export type MountSources = ReadonlyMap<string, MountSource>

export interface MountSourcesDeps {
  readonly volumes: Pick<Volumes, 'row' | 'mounts'>
  readonly snapshots: Pick<Snapshots, 'view'>
  readonly events: EventPublisher
  readonly paths: PathsOf
  readonly logger: Logger
}

interface Held {
  readonly container: Container
  readonly rows: readonly VolumeRow[]
  views: AsyncDisposableStack | undefined
  released?: Promise<void>
}

interface Mounted {
  readonly sources: MountSources
  readonly rows: readonly VolumeRow[]
  readonly views: AsyncDisposableStack
  /** Gives the volumes back. */
  readonly volumes: AsyncDisposableStack
}

/** Mounts what containers need before they run, and says so (events `mount` and `unmount`); keeps count while they run. */
export class MountSourcesOf {
  readonly #deps: MountSourcesDeps
  readonly #held = new Map<string, Held>()

  constructor(deps: MountSourcesDeps) {
    this.#deps = deps
  }

  /** All or, after a failure, nothing; to be given back by `release`. */
  async acquire(container: Container): Promise<MountSources> {
    const { sources, rows, views, volumes } = await this.#mount(container, container.id)
    volumes.move()
    this.#held.set(container.id, { container, rows, views })
    this.#publish(container, 'mount')
    return sources
  }

  /** For somebody else than the container, `user`, until it is disposed; nobody is told. */
  async open(
    container: Container,
    user: string,
  ): Promise<AsyncDisposable & { readonly sources: MountSources }> {
    const { sources, views, volumes } = await this.#mount(container, user)
    volumes.use(views)
    return { sources, [Symbol.asyncDispose]: () => volumes.disposeAsync() }
  }

  async #mount(container: Container, user: string): Promise<Mounted> {
    const { volumes, snapshots } = this.#deps
    const sources = new Map<string, MountSource>()
    await using views = new AsyncDisposableStack()
    await using undo = new AsyncDisposableStack()
    const rows: VolumeRow[] = []
    const acquired = new Map<string, MountSource>()
    for (const mount of container.mounts) {
      if (mount.image !== undefined) {
        const view = views.use(await snapshots.view(mount.image.layers))
        sources.set(mount.destination, { path: view.path, mounted: true })
      }
      const row = mount.name === undefined ? undefined : volumes.row(mount.name)
      if (row === undefined) continue
      const before = acquired.get(row.name)
      const source = before ?? (await volumes.mounts.acquire(row, user))
      sources.set(mount.destination, source)
      if (before !== undefined) continue
      acquired.set(row.name, source)
      rows.push(row)
      undo.defer(() => volumes.mounts.release(row, user))
    }
    return { sources, rows, views: views.move(), volumes: undo.move() }
  }

  /** The shim has bound what it needs: the helper need not keep images mounted any more. */
  async pinned(id: string, shimPid: number): Promise<void> {
    const held = this.#held.get(id)
    if (held === undefined) return
    await this.#remember(held.container, shimPid)
    const { views } = held
    held.views = undefined
    await views?.disposeAsync()
  }

  /** A container that was found running when the daemon started. */
  async adopt(container: Container, shimPid: number): Promise<void> {
    const names = new Set(container.mounts.flatMap(({ name }) => name ?? []))
    const rows = [...names].flatMap((name) => this.#deps.volumes.row(name) ?? [])
    this.#held.set(container.id, { container, rows, views: undefined })
    await this.#remember(container, shimPid)
  }

  /** Its process has ended, or was never begun. Idempotent: everybody who asks waits until it is done. */
  async release(id: string): Promise<void> {
    const held = this.#held.get(id)
    if (held === undefined) return
    held.released ??= this.#release(id, held)
    await held.released
  }

  async #release(id: string, held: Held): Promise<void> {
    await held.views?.disposeAsync()
    for (const row of held.rows) await this.#deps.volumes.mounts.release(row, id)
    if (this.#held.get(id) === held) this.#held.delete(id)
    this.#publish(held.container, 'unmount')
  }

  /** A container that ran and has ended while no daemon was there. */
  async ended(container: Container): Promise<void> {
    await this.adopt(container, 0)
    await this.release(container.id)
  }

  async #remember(container: Container, pid: number): Promise<void> {
    const { volumes, paths } = this.#deps
    for (const mount of container.mounts) {
      const row = mount.name === undefined ? undefined : volumes.row(mount.name)
      if (row?.driver !== 'local' || Object.keys(row.options).length === 0 || mount.subpath !== undefined)
        continue
      const startTime = (await processStartTime(pid)) ?? '0'
      const path = pinPlace(paths(container.id).runtime, container, mount)
      volumes.mounts.held(row.name, container.id, { pid, startTime, path })
    }
  }

  #publish({ id, mounts }: Container, action: 'mount' | 'unmount'): void {
    for (const { name, driver = 'local', destination, readWrite, propagation } of mounts) {
      if (name === undefined) continue
      const more = action === 'mount' ? { destination, 'read/write': String(readWrite), propagation } : {}
      this.#deps.events.publish('volume', action, name, { driver, container: id, ...more })
    }
  }
}

/** What the shim is to bind first: of each mount that needs it, by destination. `user` is the container's. */
export async function mountPins(
  container: Container,
  sources: MountSources,
  runtime: string,
  user: Ids,
): Promise<ReadonlyMap<string, ShimPin>> {
  const pins = new Map<string, ShimPin>()
  for (const mount of container.mounts) {
    const source = sources.get(mount.destination) ?? { path: mount.source, mounted: false }
    // Of `bind` crun makes `rbind`.
    const alone = mount.type === 'bind' && mount.options.includes('bind')
    if (!source.mounted && !alone && mount.subpath === undefined && mount.idmap === undefined) continue
    if (mount.propagation.endsWith('shared')) continue
    pins.set(mount.destination, {
      source: source.path,
      destination: pinPlace(runtime, container, mount),
      ...(mount.subpath === undefined ? {} : { path: mount.subpath }),
      ...(alone ? { alone } : {}),
      ...(mount.idmap === undefined ? {} : { owners: { disk: await ownerOf(mount), shown: user } }),
    })
  }
  return pins
}

async function ownerOf({ idmap, source }: ContainerMount): Promise<Ids> {
  if (idmap === 'host' || idmap === undefined) return stat(source)
  const [uid, gid] = idmap.split(':').map(Number)
  return { uid: uid ?? 0, gid: gid ?? uid ?? 0 }
}

/** The same after a restart of the daemon. */
function pinPlace(runtime: string, { mounts }: Container, mount: ContainerMount): string {
  return join(runtime, 'pins', String(mounts.indexOf(mount)))
}

/** What inspect of a volume shows of a container that has it. */
export function volumeUser({ id, name, state, mounts }: Container, volume: string): VolumeUser {
  const own = mounts.filter((mount) => mount.name === volume)
  return {
    Id: id,
    Name: name,
    Running: runOf(state) !== undefined,
    Destinations: own.map(({ destination }) => destination),
  }
}
