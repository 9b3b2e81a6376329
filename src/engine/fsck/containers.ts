import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { KeyedMutex } from '#base/mutex.ts'
import type { Database } from '#store/db.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import { VolumeRows } from '#store/volumes.ts'
import { prepareRoot } from '../containers/generated-places.ts'
import type { ContainerRegistry } from '../containers/registry.ts'
import { type Problem, noDamage } from './problem.ts'

export interface ContainerCheckDeps {
  readonly registry: ContainerRegistry
  readonly snapshots: Snapshots
  readonly db: Database
  readonly locks: KeyedMutex
  readonly dataRoot: string
}

/** Containers and volumes whose directories are gone. Their content is nobody's but theirs: nothing can check it. */
export async function* checkContainers(deps: ContainerCheckDeps): AsyncGenerator<Problem> {
  const there = new Set(await deps.snapshots.snapshots())
  for (const { id, name, removal, state } of deps.registry.all()) {
    // The list was read before: who has come since is not missing.
    if (there.has(id) || removal !== undefined || state.status === 'dead') continue
    if (existsSync(join(deps.dataRoot, 'snapshots', id))) continue
    yield {
      object: { kind: 'container', name },
      problem: 'its writable directory is missing',
      damage: { images: [], containers: [name] },
      advice: `what ${name} has written is lost; remove it, or repair to begin anew from its image`,
      remedy: { says: 'begin anew from its image', apply: () => prepareAgain(deps, id) },
    }
  }
  const volumes = new VolumeRows(deps.db)
  for (const { name, driver } of volumes.all()) {
    if (driver !== 'local') continue
    if (existsSync(join(deps.dataRoot, 'volumes', name, '_data'))) continue
    if (volumes.get(name) === undefined) continue
    const users = volumes.users(name).map((id) => deps.registry.get(id)?.name ?? id)
    yield {
      object: { kind: 'volume', name },
      problem: 'its directory is missing',
      damage: { ...noDamage, containers: users },
      advice: `restore volumes/${name}/_data from a copy, or remove the volume`,
    }
  }
}

async function prepareAgain({ registry, snapshots, locks }: ContainerCheckDeps, id: string): Promise<void> {
  using _lock = await locks.acquire(id)
  const container = registry.get(id)
  if (container === undefined || (await snapshots.snapshots()).includes(id)) return
  await prepareRoot(snapshots, container)
}
