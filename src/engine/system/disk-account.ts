import type { DiskAccount } from '#api/disk-account.ts'
import type { Digest } from '#base/digest.ts'
import { countBlocks, type PileOf } from '#store/usage/blocks.ts'

/** What is to be found below the data root, by the rows. */
export interface KnownObjects {
  /** Layers and blobs that images need, and of those what images with containers need. */
  readonly layers: ReadonlySet<Digest>
  readonly layersInUse: ReadonlySet<Digest>
  readonly blobs: ReadonlySet<Digest>
  readonly blobsInUse: ReadonlySet<Digest>
  /** Whether each container has a process. */
  readonly containers: ReadonlyMap<string, boolean>
  /** Layers that only the build cache has. */
  readonly cachedLayers: ReadonlySet<Digest>
  /** Whether each volume has containers. */
  readonly volumes: ReadonlyMap<string, boolean>
  /** Steps of builds that run, which have snapshots as containers do. */
  readonly steps: ReadonlySet<string>
  /** Images are being pulled, loaded or made: what no row knows yet may be theirs. */
  readonly adding: boolean
}

const descriptions = {
  Images: 'layers with their indexes, configurations and manifests',
  Containers: 'what containers have written',
  'Container files': 'hosts, hostname, resolv.conf and exit records of containers',
  Logs: 'output of containers',
  Volumes: 'local volumes',
  'Partial downloads': 'layers that a pull has begun to fetch',
  'Build caches':
    'results of build steps that no image has, what `RUN --mount=type=cache` keeps, and files fetched for builds',
  Builds: 'what builds that run have at hand',
  Registry: 'repositories of the registry that this engine serves',
  Database: 'rows of everything, their journal, and the space kept for a full disk',
  Engine: 'identity, lock, scripts of runtimes, and what storage was tried out with',
  Staging: 'images that are being pulled, loaded or made',
  Trash: 'removed, and being freed',
  Directories: 'directories that hold the others',
  Unexplained: 'no row explains it: see `fsck`',
} as const

type CategoryName = keyof typeof descriptions

/** Piles are categories; what may be reclaimed has piles of its own. */
const RECLAIMABLE = '\0reclaimable'
const UNEXPLAINED = 'Unexplained\0'

/** Counts every byte below the data root. */
export async function accountFor(
  dataRoot: string,
  known: KnownObjects,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<DiskAccount> {
  const piles = await countBlocks(dataRoot, pilesOf(known), options)
  const Categories = (Object.keys(descriptions) as CategoryName[]).map((Name) => {
    const reclaimable = piles.get(Name + RECLAIMABLE) ?? 0
    return { Name, Size: (piles.get(Name) ?? 0) + reclaimable, Reclaimable: reclaimable }
  })
  const Unexplained = [...piles]
    .filter(([pile]) => pile.startsWith(UNEXPLAINED))
    .map(([pile, Size]) => ({ Path: pile.slice(UNEXPLAINED.length), Size }))
    .toSorted((a, b) => b.Size - a.Size)
  const unexplained = Unexplained.reduce((sum, { Size }) => sum + Size, 0)
  return {
    Root: dataRoot,
    Total: [...piles.values()].reduce((sum, size) => sum + size, 0),
    Categories: Categories.map((each) => ({
      ...each,
      ...(each.Name === 'Unexplained' ? { Size: unexplained, Reclaimable: 0 } : {}),
      Description: descriptions[each.Name],
    })),
    Unexplained,
  }
}

const engineFiles = new Set(['identity.json', 'lock', 'probe', 'empty', 'runtimes'])
const databaseFiles = new Set(['berth.db', 'berth.db-wal', 'berth.db-shm', 'berth.db-ballast'])
const LAYER_PLACE = 'layers/sha256'
const BLOB_PLACE = 'blobs/sha256'
const directories = new Set([
  '',
  'layers',
  LAYER_PLACE,
  'blobs',
  BLOB_PLACE,
  'snapshots',
  'containers',
  'volumes',
  'ingests',
  'build',
  'build/cache-mounts',
  'build/contexts',
  'build/downloads',
  'build/git',
  'build/received',
  'staging',
  'trash',
])

/** The place of every path, by the layout that ARCHITECTURE.md draws. */
function pilesOf(known: KnownObjects): PileOf {
  return (path, isDirectory) => {
    if (isDirectory && directories.has(path)) return 'Directories'
    const parts = path.split('/', 4)
    const [top = '', second = '', third = ''] = parts
    switch (top) {
      case 'layers':
      case 'blobs':
        if (parts.length > 3) return undefined
        return parts.length === 3 && second === 'sha256'
          ? contentPile(known, top, third, path)
          : UNEXPLAINED + path
      case 'snapshots':
        return parts.length === 2 ? snapshotPile(known, second, path) : undefined
      case 'containers':
        return parts.length === 2
          ? containerPile(known, second, 'Container files', path)
          : logPile(known, second, third, parts.length)
      case 'volumes':
        return parts.length === 2 ? volumePile(known, second, path) : undefined
      case 'build':
        return parts.length > 3 ? undefined : buildPile(second, path)
      default:
        return parts.length === 1 ? topPile(path) : ownPile(top, parts.length)
    }
  }
}

function topPile(name: string): string {
  if (databaseFiles.has(name)) return 'Database'
  if (engineFiles.has(name)) return 'Engine'
  if (name === 'registry') return 'Registry'
  return UNEXPLAINED + name
}

/** Below one of these everything is of one kind. */
function ownPile(top: string, depth: number): string | undefined {
  if (depth > 2) return undefined
  if (top === 'staging') return 'Staging'
  if (top === 'trash') return `Trash${RECLAIMABLE}`
  if (top === 'ingests') return `Partial downloads${RECLAIMABLE}`
  return undefined
}

function buildPile(place: string, path: string): string {
  if (!directories.has(`build/${place}`)) return UNEXPLAINED + path
  return place === 'contexts' ? 'Builds' : `Build caches${RECLAIMABLE}`
}

function contentPile(known: KnownObjects, top: 'layers' | 'blobs', name: string, path: string): string {
  const [objects, inUse] =
    top === 'layers' ? [known.layers, known.layersInUse] : [known.blobs, known.blobsInUse]
  const digest: Digest = `sha256:${name}`
  if (inUse.has(digest)) return 'Images'
  if (top === 'layers' && known.cachedLayers.has(digest)) return `Build caches${RECLAIMABLE}`
  if (objects.has(digest)) return `Images${RECLAIMABLE}`
  return known.adding && /^[0-9a-f]{64}$/.test(name) ? 'Staging' : UNEXPLAINED + path
}

function snapshotPile(known: KnownObjects, id: string, path: string): string {
  return known.steps.has(id) ? 'Builds' : containerPile(known, id, 'Containers', path)
}

function containerPile(known: KnownObjects, id: string, name: CategoryName, path: string): string {
  const alive = known.containers.get(id)
  if (alive === undefined) return UNEXPLAINED + path
  return alive ? name : name + RECLAIMABLE
}

/** Logs lie beside the other files of their container. */
function logPile(known: KnownObjects, id: string, name: string, depth: number): string | undefined {
  const alive = known.containers.get(id)
  if (depth !== 3 || alive === undefined || !name.startsWith(`${id}-json.log`)) return undefined
  return alive ? 'Logs' : `Logs${RECLAIMABLE}`
}

function volumePile(known: KnownObjects, name: string, path: string): string {
  const used = known.volumes.get(name)
  if (used === undefined) return UNEXPLAINED + path
  return used ? 'Volumes' : `Volumes${RECLAIMABLE}`
}
