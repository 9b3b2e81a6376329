import type { Finding } from '#api/finding.ts'
import type { RegistryAuth } from '#api/registry-auth.ts'
import type { Digest } from '#base/digest.ts'
import { messageOf } from '#base/errors.ts'
import { ResultRows } from '#store/build-cache/result-rows.ts'
import type { LayerHealth } from '#store/snapshots/layer-check.ts'
import type { ContainerRegistry } from '../containers/registry.ts'
import type { ImageStore } from '../images/image-store.ts'
import { Damage } from './damage.ts'
import type { Problem } from './problem.ts'
import type { LayerSource } from './layer-source.ts'

export interface LayerCheckDeps {
  readonly images: ImageStore
  readonly registry: ContainerRegistry
  readonly layerSource: LayerSource | undefined
}

interface Fetching {
  readonly signal: AbortSignal
  readonly auths: ReadonlyMap<string, RegistryAuth> | undefined
}

/** Every layer that images, containers or results of builds need, read from its first byte to its last. */
export async function* checkLayers(
  deps: LayerCheckDeps,
  options: Fetching & { readonly progress: (at: number, of: number) => void },
): AsyncGenerator<Problem> {
  const { images, registry } = deps
  const damage = new Damage(images, registry)
  const needed = new Set([...images.layers.sizes().keys(), ...registry.all().flatMap(({ layers }) => layers)])
  let at = 0
  for (const diffId of needed) {
    const health = await images.deps.snapshots.checkLayer(diffId, { signal: options.signal })
    options.progress(++at, needed.size)
    if (health.state === 'whole') continue
    yield problemOf(deps, diffId, health, damage.ofLayer(diffId), options)
  }
}

function problemOf(
  deps: LayerCheckDeps,
  diffId: Digest,
  health: Exclude<LayerHealth, { state: 'whole' }>,
  damage: Finding['damage'],
  fetching: Fetching,
): Problem {
  const isCached = damage.images.length + damage.containers.length === 0
  const remedy =
    remedyFor(deps, diffId, health, fetching) ?? (isCached ? forgetting(deps, diffId) : undefined)
  const [image = 'an image that has it'] = damage.images
  return {
    object: { kind: 'layer', name: diffId },
    problem: health.state === 'missing' ? 'is missing' : health.problem,
    damage,
    advice: isCached ? 'the next build that needs it makes it again' : `pull, load or build ${image} again`,
    ...(remedy === undefined ? {} : { remedy }),
  }
}

function remedyFor(
  deps: LayerCheckDeps,
  diffId: Digest,
  health: LayerHealth,
  { signal, auths }: Fetching,
): Problem['remedy'] {
  const { snapshots } = deps.images.deps
  const parents = (): Promise<readonly Digest[]> => Promise.resolve(layersBelow(deps, diffId))
  if (health.state === 'damaged' && health.archive === 'intact') {
    return {
      says: 'make it again from its archive',
      apply: () => snapshots.rebuildLayer(diffId, { parents, signal }),
    }
  }
  const { layerSource, images } = deps
  const blobs = images.layerBlobs.of(diffId)
  const [first] = blobs
  if (layerSource === undefined || first === undefined) return undefined
  return {
    says: `fetch it again from ${first.repository}`,
    apply: async () => {
      const tar = layerSource.fetch(diffId, { blobs, auths, signal })
      await snapshots.ingest(tar, { expected: diffId, parents, signal })
    },
  }
}

/** Only the build cache has it: what is forgotten is made again by the next build. */
function forgetting({ images }: LayerCheckDeps, diffId: Digest): Problem['remedy'] {
  const { db } = images.deps
  return {
    says: 'forget what builds have made with it',
    apply: async () => {
      const results = new ResultRows(db)
      const layers = db.transaction(
        () => {
          results.remove(results.withLayer(diffId))
          return images.rows.removeUnusedLayers()
        },
        { urgent: true },
      )
      await images.collector.discard({ layers })
    },
  }
}

/** Bottom first; of the first image that has the layer. */
function layersBelow({ images, registry }: LayerCheckDeps, diffId: Digest): readonly Digest[] {
  const stacks = [
    ...images.rows.list().map(({ id }) => images.rows.layers(id)),
    ...registry.all().map(({ layers }) => layers),
  ]
  const stack = stacks.find((layers) => layers.includes(diffId)) ?? []
  return stack.slice(0, stack.indexOf(diffId))
}

/** What went wrong with a remedy, after what to do about it. */
export function failedRemedy(advice: string, error: unknown): string {
  return `${advice} (the repair failed: ${messageOf(error)})`
}
