import { stat } from 'node:fs/promises'
import { EngineError, isErrno, isKind, messageOf } from '#base/errors.ts'
import { makeDirectories } from '#os/files.ts'
import type { Helper } from '#os/helper.ts'
import type { TreeEntry, TreeRecord, TreeRoot, Trees } from '#os/tree.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import type { Filling, Volumes, VolumeOwner } from '../volumes/volumes.ts'
import type { Image } from '../images/image-store.ts'
import type { Images } from '../images/images.ts'
import { type MountRequest, mountOptions, plainRequest } from './config/binds.ts'
import type { ContainerMount } from './container.ts'
import { bindSourceMissing, bindSourceUnmade } from './errors.ts'

export interface MountsDeps {
  readonly volumes: Volumes
  readonly images: Pick<Images, 'resolve'>
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

  /** For the container `owner`, which is being created from `image`. */
  async resolve(
    owner: VolumeOwner,
    requests: readonly MountRequest[],
    image: Image,
  ): Promise<ContainerMount[]> {
    const mounts: ContainerMount[] = []
    for (const request of requests) mounts.push(await this.#resolve(owner, request, image))
    return mounts
  }

  async #resolve(owner: VolumeOwner, request: MountRequest, image: Image): Promise<ContainerMount> {
    switch (request.type) {
      case 'bind':
        return { ...mountOf(await knownBind(request), request.source), ...idmapOf(request) }
      case 'volume':
        return this.#volume(owner, request, image)
      case 'tmpfs':
        return mountOf(request, '')
      case 'image':
        return this.#image(request)
    }
  }

  async #volume(owner: VolumeOwner, request: MountRequest, image: Image): Promise<ContainerMount> {
    const { volumes } = this.#deps
    const wanted = {
      Name: request.source,
      Driver: request.driver ?? null,
      DriverOpts: { ...request.driverOptions },
      Labels: { ...request.labels },
    }
    const row = await volumes.ensure(wanted, owner)
    if (!request.noCopy) {
      const copy: Filling = (root, path) => this.#copy(image, request.destination, root, path)
      await volumes.populate(row, owner.id, copy, request.subpath)
    }
    const source = row.driver === 'local' ? volumes.directory(row.name) : ''
    return {
      ...mountOf(request, source),
      name: row.name,
      ...(row.driver === 'local' ? {} : { driver: row.driver }),
      ...(request.subpath === '' ? {} : { subpath: request.subpath }),
    }
  }

  /** The image as it is now: its name may lead elsewhere tomorrow. */
  async #image(request: MountRequest): Promise<ContainerMount> {
    const { id, layers } = await this.#mountedImage(request.source)
    return {
      // Nothing is mounted below it, and it may be a file.
      ...mountOf({ ...request, readWrite: false, recursiveReadOnly: 'no' }, request.source),
      image: { id, layers },
      ...(request.subpath === '' ? {} : { subpath: request.subpath }),
    }
  }

  /** A missing one is not 404: at create Docker's client would pull the image of the container then. */
  async #mountedImage(ref: string): Promise<Image> {
    try {
      return await this.#deps.images.resolve(ref)
    } catch (error) {
      if (!isKind(error, 'not_found')) throw error
      throw new EngineError('invalid_argument', messageOf(error), { code: 'IMAGE_NOT_FOUND', cause: error })
    }
  }

  /** Copies what the image has at a place, ownership included; `false` when it has nothing there. */
  async #copy(image: Image, place: string, target: TreeRoot, path: string): Promise<boolean> {
    const { snapshots, trees, helper } = this.#deps
    await using view = await snapshots.view(image.layers)
    const root = { join: helper.pid, root: view.path }
    const found = await statOrUndefined(trees, root, place)
    if (found?.type !== 'directory') return false
    const entries = trees.read(root, place, { follow: true, name: '' })
    await trees.write(target, path, withTop(found, entries))
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

function idmapOf({ idmap }: MountRequest): Pick<ContainerMount, 'idmap'> {
  return idmap === undefined ? {} : { idmap }
}

function mountOf(request: MountRequest, source: string): ContainerMount {
  return {
    type: request.type,
    source,
    destination: request.destination,
    mode: request.mode,
    readWrite: request.readWrite,
    propagation: request.type === 'bind' ? request.propagation : '',
    options: mountOptions(request),
  }
}

/**
 * A source of `--volume` is made when it is missing; one of `--mount` must be there. Below anything but a directory
 * nothing is mounted, and some versions of crun refuse to make it read-only recursively.
 */
async function knownBind(request: MountRequest): Promise<MountRequest> {
  try {
    const found = await stat(request.source)
    return found.isDirectory() ? request : { ...request, recursiveReadOnly: 'no' }
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
    if (!request.createSource) throw bindSourceMissing(request.source)
    await madeSource(request.source)
    return request
  }
}

async function madeSource(path: string): Promise<void> {
  try {
    await makeDirectories(path, { mode: 0o755 })
  } catch (error) {
    throw bindSourceUnmade(path, error)
  }
}

/** What another container may borrow with `--volumes-from`: binds, volumes and images. */
export function lentMounts(mounts: readonly ContainerMount[]): MountRequest[] {
  return mounts
    .filter(({ type }) => type !== 'tmpfs')
    .map((mount) => ({
      ...plainRequest,
      type: mount.type,
      source: mount.name ?? mount.image?.id ?? mount.source,
      destination: mount.destination,
      mode: mount.mode,
      readWrite: mount.readWrite,
      subpath: mount.subpath ?? '',
      recursive: !mount.options.includes('bind'),
      recursiveReadOnly: mount.options.includes('ro') ? 'no' : 'if-possible',
      ...(mount.idmap === undefined ? {} : { idmap: mount.idmap }),
      ...(mount.propagation === '' ? {} : { propagation: mount.propagation as MountRequest['propagation'] }),
    }))
}
