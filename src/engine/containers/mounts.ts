import { mkdir, stat } from 'node:fs/promises'
import { EngineError, isErrno, isKind } from '#base/errors.ts'
import type { Helper } from '#os/helper.ts'
import type { TreeEntry, TreeRecord, TreeRoot, Trees } from '#os/tree.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import type { Volumes } from '../volumes/volumes.ts'
import type { Image } from '../images/image-store.ts'
import { type MountRequest, mountOptions, plainRequest } from './config/binds.ts'
import type { ContainerMount } from './container.ts'
import { bindSourceMissing } from './errors.ts'

export interface MountsDeps {
  readonly volumes: Volumes
  readonly snapshots: Snapshots
  readonly trees: Trees
  readonly helper: Helper
}

/** Turns what was asked for into mounts whose sources exist: directories made, volumes created and filled. */
export class Mounts {
  readonly #deps: MountsDeps

  constructor(deps: MountsDeps) {
    this.#deps = deps
  }

  async resolve(id: string, requests: readonly MountRequest[], image: Image): Promise<ContainerMount[]> {
    const mounts: ContainerMount[] = []
    for (const request of requests) mounts.push(await this.#resolve(id, request, image))
    return mounts
  }

  async #resolve(id: string, request: MountRequest, image: Image): Promise<ContainerMount> {
    switch (request.type) {
      case 'bind':
        await checkBind(request)
        return mountOf(request, request.source)
      case 'volume':
        return this.#volume(id, request, image)
      case 'tmpfs':
        return mountOf(request, '')
      case 'image':
        throw unsupported(`mounting an image at ${request.destination}`)
    }
  }

  async #volume(id: string, request: MountRequest, image: Image): Promise<ContainerMount> {
    const { volumes } = this.#deps
    // A path below a volume may be a symlink of a container's making; it needs to be pinned before it is mounted.
    if (request.subpath !== '') throw unsupported(`mounting the path ${request.subpath} of a volume`)
    const wanted = {
      Name: request.source,
      Driver: request.driver ?? null,
      DriverOpts: { ...request.driverOptions },
      Labels: { ...request.labels },
    }
    const row = await volumes.ensure(wanted, id)
    if (!request.noCopy) {
      await volumes.populate(row.name, (directory) => this.#copy(image, request.destination, directory))
    }
    return { ...mountOf(request, volumes.directory(row.name)), name: row.name }
  }

  /** Copies what the image has at a place, ownership included; `false` when it has nothing there. */
  async #copy(image: Image, place: string, directory: string): Promise<boolean> {
    const { snapshots, trees, helper } = this.#deps
    await using view = await snapshots.view(image.layers)
    const root = { join: helper.pid, root: view.path }
    const found = await statOrUndefined(trees, root, place)
    if (found?.type !== 'directory') return false
    const entries = trees.read(root, place, { follow: true, name: '' })
    await trees.write({ directory }, '/', withTop(found, entries))
    return true
  }
}

async function statOrUndefined(trees: Trees, root: TreeRoot, path: string): Promise<TreeRecord | undefined> {
  try {
    return await trees.stat(root, path, { follow: true })
  } catch (error) {
    if (isKind(error, 'not_found')) return undefined
    throw error
  }
}

/** The directory itself comes first: the copy has its owner and mode too. */
async function* withTop(top: TreeRecord, entries: AsyncIterable<TreeEntry>): AsyncGenerator<TreeEntry> {
  yield { record: { ...top, path: '' }, data: nothing() }
  yield* entries
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

function unsupported(what: string): EngineError {
  return new EngineError('not_implemented', `${what} is not supported yet`, { code: 'MOUNT_UNSUPPORTED' })
}

function mountOf(request: MountRequest, source: string): ContainerMount {
  return {
    type: request.type as ContainerMount['type'],
    source,
    destination: request.destination,
    mode: request.mode,
    readWrite: request.readWrite,
    propagation: request.type === 'bind' ? request.propagation : '',
    options: mountOptions(request),
  }
}

/** A source of `--volume` is made when it is missing; one of `--mount` must be there. */
async function checkBind(request: MountRequest): Promise<void> {
  try {
    await stat(request.source)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
    if (!request.createSource) throw bindSourceMissing(request.source)
    await mkdir(request.source, { recursive: true, mode: 0o755 })
  }
}

/** What another container may borrow with `--volumes-from`: binds and volumes. */
export function lentMounts(mounts: readonly ContainerMount[]): MountRequest[] {
  return mounts
    .filter(({ type }) => type !== 'tmpfs')
    .map(({ type, name, source, destination, mode, readWrite, propagation }) => ({
      ...plainRequest,
      type,
      source: name ?? source,
      destination,
      mode,
      readWrite,
      ...(propagation === '' ? {} : { propagation: propagation as MountRequest['propagation'] }),
    }))
}
