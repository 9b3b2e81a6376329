import type { Finding } from '#api/finding.ts'
import type { RegistryAuth } from '#api/registry-auth.ts'
import { EngineError } from '#base/errors.ts'
import { reporting } from '../images/progress.ts'
import type { FsckMessage, FsckService } from '../services.ts'
import { checkContainers, type ContainerCheckDeps } from './containers.ts'
import { noDamage, type Problem } from './problem.ts'
import { checkImages } from './images.ts'
import { checkLayers, failedRemedy, type LayerCheckDeps } from './layers.ts'
import { type CheckedRegistry, checkOwnRegistry } from './own-registry.ts'
import { checkPlaces, type PlaceCheckDeps } from './places.ts'

export type FsckDeps = LayerCheckDeps &
  ContainerCheckDeps &
  PlaceCheckDeps & { readonly ownRegistry?: CheckedRegistry | undefined }

/**
 * Compares everything below the data root with what it should be, while the engine works: blobs with their digests,
 * layers with their diffIDs, rows with files both ways. With `repair`, what can be made right is made right.
 */
export class Fsck implements FsckService {
  readonly #deps: FsckDeps
  #running = false

  constructor(deps: FsckDeps) {
    this.#deps = deps
  }

  check(options: {
    readonly repair: boolean
    readonly auths?: ReadonlyMap<string, RegistryAuth>
    readonly signal?: AbortSignal | undefined
  }): AsyncIterable<FsckMessage> {
    return reporting<FsckMessage>(async (report, signal) => {
      if (this.#running) throw alreadyRunning()
      this.#running = true
      try {
        let findings = 0
        let repaired = 0
        for await (const problem of this.#problems(report, options.auths, signal)) {
          const finding = await settled(problem, options.repair, signal)
          findings++
          if (finding.repaired) repaired++
          report({ finding })
        }
        report({ summary: { findings, repaired } })
      } finally {
        this.#running = false
      }
    }, options)
  }

  async *#problems(
    report: (message: FsckMessage) => void,
    auths: ReadonlyMap<string, RegistryAuth> | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<Problem> {
    const deps = this.#deps
    report({ status: 'Checking images' })
    yield* checkImages(deps, { signal })
    report({ status: 'Checking layers' })
    const progress = (current: number, total: number): void =>
      report({ status: 'Checking layers', id: 'layers', progressDetail: { current, total } })
    yield* checkLayers(deps, { signal, progress, auths })
    report({ status: 'Checking containers and volumes' })
    yield* checkContainers(deps)
    if (deps.ownRegistry !== undefined) {
      report({ status: 'Checking the registry' })
      yield* checkOwnRegistry(deps.ownRegistry, { signal })
    }
    report({ status: 'Checking what else lies in the data root' })
    yield* checkPlaces(deps, { signal })
  }
}

async function settled(problem: Problem, repair: boolean, signal: AbortSignal): Promise<Finding> {
  const { object, advice, remedy, damage = noDamage } = problem
  const found = { object, problem: problem.problem, damage }
  if (remedy === undefined) return { ...found, action: advice, repaired: false }
  if (!repair) return { ...found, action: `repair will ${remedy.says}; or ${advice}`, repaired: false }
  try {
    await remedy.apply()
    const { containers } = damage
    // Mounts of running containers keep the files that were there when they were made.
    const then =
      object.kind === 'layer' && containers.length > 0
        ? `; what runs sees that after a restart: ${containers.join(', ')}`
        : ''
    return { ...found, action: `done: ${remedy.says}${then}`, repaired: true }
  } catch (error) {
    signal.throwIfAborted()
    return { ...found, action: failedRemedy(advice, error), repaired: false }
  }
}

function alreadyRunning(): EngineError {
  return new EngineError('conflict', 'the data root is being checked already', { code: 'FSCK_RUNNING' })
}
