import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno } from '#base/errors.ts'
import type { Helper } from '#os/helper.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import type { ContainerRegistry } from '../containers/registry.ts'
import type { ImageStore } from '../images/image-store.ts'
import { accountFor, type KnownObjects } from '../system/disk-account.ts'
import type { Problem } from './problem.ts'

export interface PlaceCheckDeps {
  readonly dataRoot: string
  readonly images: ImageStore
  readonly registry: ContainerRegistry
  readonly snapshots: Snapshots
  readonly helper: Pick<Helper, 'removeTree'>
  readonly known: () => KnownObjects
  /** Milliseconds since the epoch. */
  readonly clock: () => number
}

/** Milliseconds: what is younger may belong to something that is being made and has no row yet. */
const YOUNG = 60_000

/** What lies below the data root and nobody needs: removed if it is ours, only named if it is not. */
export async function* checkPlaces(
  deps: PlaceCheckDeps,
  { signal }: { readonly signal: AbortSignal },
): AsyncGenerator<Problem> {
  const account = await accountFor(deps.dataRoot, deps.known(), { signal })
  for (const { Path, Size } of account.Unexplained) {
    if (await isYoung(deps, Path)) continue
    const remove = removalOf(deps, Path)
    yield {
      object: { kind: 'file', name: Path },
      problem: `nothing needs it (${Size} bytes)`,
      advice: remove === undefined ? 'the engine did not make it: look at it, and remove it by hand' : REPAIR,
      ...(remove === undefined ? {} : { remedy: { says: 'remove it', apply: remove } }),
    }
  }
  for (const path of await deps.snapshots.leftovers()) {
    yield {
      object: { kind: 'file', name: path },
      problem: 'nobody works on it any more',
      advice: REPAIR,
      remedy: { says: 'remove it', apply: () => deps.snapshots.removeLeftover(path) },
    }
  }
}

const REPAIR = 'repair removes it'

function removalOf(deps: PlaceCheckDeps, path: string): (() => Promise<void>) | undefined {
  const [top = '', name = '', rest] = path.split('/')
  if (/^(?:layers|blobs)\/sha256\/[0-9a-f]{64}$/.test(path)) return () => removeContent(deps, path)
  if (top === 'snapshots' && rest === undefined && ID.test(name)) return () => removeOf(deps, name, path)
  if (top === 'containers' && rest === undefined && ID.test(name)) return () => removeOf(deps, name, path)
  // The first half of a file that was to replace another one.
  if (/^\.[^/]+\.tmp$/.test(path)) return () => deps.helper.removeTree(join(deps.dataRoot, path))
  // A volume without a row is kept: who restores an older database wants the data back.
  return undefined
}

const ID = /^[0-9a-f]{64}$/

/** By the collector, which waits for whoever adds images and looks at the rows again. */
async function removeContent({ images }: PlaceCheckDeps, path: string): Promise<void> {
  const digest = `sha256:${path.slice(-64)}` as const
  await images.collector.discard(path.startsWith('layers') ? { layers: [digest] } : { blobs: [digest] })
}

async function removeOf(deps: PlaceCheckDeps, id: string, path: string): Promise<void> {
  if (deps.registry.get(id) !== undefined) return
  await deps.helper.removeTree(join(deps.dataRoot, path))
}

async function isYoung({ dataRoot, clock }: PlaceCheckDeps, path: string): Promise<boolean> {
  try {
    return clock() - (await lstat(join(dataRoot, path))).mtimeMs < YOUNG
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true
    throw error
  }
}
