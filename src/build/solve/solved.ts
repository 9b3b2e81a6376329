import type { Digest } from '#base/digest.ts'
import type { BuildCache } from '#store/build-cache/build-cache.ts'
import type { BuildLease } from '#store/build-cache/build-lease.ts'
import type { ContextOrigin, DownloadOrigin, Filesystem, GitOrigin } from '../graph/operations.ts'
import type { Report } from '../progress/progress.ts'
import type { FileSource } from '../sources/file-source.ts'
import type { ForeignRecords, StepRecord } from './foreign-records.ts'
import { isIndependent, isStep, keyOfLayers } from './keys.ts'
import type { Secrets } from './ports.ts'

export interface SolveRequest {
  /** Of the build. */
  readonly id: string
  /** Opens files that came with the build or are fetched for it; whoever asked disposes it. */
  readonly open: (origin: ContextOrigin | DownloadOrigin | GitOrigin) => Promise<FileSource>
  readonly secrets: Secrets
  readonly report: Report
  readonly signal: AbortSignal
  /** Which build this repeats: context, Dockerfile and target in one name. Undefined: nothing is remembered or explained by it. */
  readonly slot: string | undefined
  /** Keeps all that is found and made until the image is there: to be disposed by the caller after that. */
  readonly lease: BuildLease
  /** Also what was found to be of no need, as far as the cache has it: for caches that are to have every step. */
  readonly complete?: boolean | undefined
  /** `--cache-from` */
  readonly foreign?: ForeignRecords | undefined
}

/** A filesystem that is there. */
export interface Solved {
  /** Bottom first. */
  readonly layers: readonly Digest[]
  /** The one that the step itself has made; undefined when it changed nothing, or is no step. */
  readonly layer: Digest | undefined
  readonly definition: Digest
  /** Nothing was done for it now. */
  readonly cached: boolean
  /** Of contents; undefined when it was not needed to find the result. */
  readonly content: Digest | undefined
  /** Id of the result in the cache; undefined for what is no step, and for what others have recorded. */
  readonly result: string | undefined
  /** False when a step that it comes of took other files than its keys stand for: then `definition` says nothing about it. */
  readonly asDefined: boolean
}

/** The steps that `filesystem` consists of, the lowest first, as another host can take them over. */
export function recordsOf(
  filesystem: Filesystem,
  solved: ReadonlyMap<Filesystem, Solved>,
  cache: Pick<BuildCache, 'contentOf'>,
): StepRecord[] {
  const records: StepRecord[] = []
  for (let at = filesystem; isStep(at); at = at.on) {
    const made = solved.get(at)
    const below = solved.get(at.on)
    if (made === undefined || below === undefined) break
    if (!made.asDefined) continue
    const content = made.content ?? (made.result === undefined ? undefined : cache.contentOf(made.result))
    if (content === undefined) continue
    records.push({
      definition: { key: made.definition, below: isIndependent(at) ? 'any' : keyOfLayers(below.layers) },
      content,
      layer: made.layer,
      name: at.label.name,
    })
  }
  return records.reverse()
}
