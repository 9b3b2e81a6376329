import type { Clock } from '#base/clock.ts'
import type { Helper } from '#os/helper.ts'
import type { ImagePlan, RunStep } from '#build/graph/operations.ts'
import type { BuildPlan, BuildRequest, ResolvedImage } from '#build/graph/plan.ts'
import { imageConfig } from '#build/plan/image-config.ts'
import { planBuild } from '#build/plan/plan-build.ts'
import type { Report } from '#build/progress/progress.ts'
import type { Solved } from '#build/solve/solved.ts'
import type { Solver } from '#build/solve/solver.ts'
import type { BuildCache } from '#store/build-cache/build-cache.ts'
import type { BuildLease } from '#store/build-cache/build-lease.ts'
import type { Filesystem } from '#build/graph/operations.ts'
import { hostPlatform, type Platform } from '#oci/platform.ts'
import type { Addition } from '../images/addition.ts'
import { parseAnnotations } from './annotations.ts'
import type { Artifacts } from './artifacts.ts'
import type { Predicate } from './attestations/attestation.ts'
import { provenance } from './attestations/provenance.ts'
import { scanned, scanStep } from './attestations/sbom.ts'
import { buildRequest, slotOf } from './build-request.ts'
import { answerCall } from './calls.ts'
import { BuildContexts, type ContextsDeps } from './contexts.ts'
import { withRecords } from './cache/cache-document.ts'
import { type CacheExportDeps, exportCaches, exportedRecords } from './cache/cache-export.ts'
import { type CacheImportDeps, importCaches } from './cache/cache-import.ts'
import type { BuiltImage } from './image-output.ts'
import { BuildImages, type BuildImagesDeps, localImage } from './image-resolver.ts'
import { layoutReference, type LayoutPlace } from './layout-images.ts'
import { type Built, type OutputsDeps, type Written, writeOutputs } from './outputs.ts'
import type { BuildMessage, BuildOptions, BuildResult } from './service.ts'
import { withTimes } from './rewrite-times.ts'
import { noSecrets, type Sessions } from './sessions.ts'
import { squashed } from './squash.ts'
import { vertexReport } from './vertex-report.ts'

export interface BuildDeps
  extends Omit<ContextsDeps, 'session' | 'secrets'>, OutputsDeps, Omit<BuildImagesDeps, 'clock' | 'images'> {
  readonly images: OutputsDeps['images'] & BuildImagesDeps['images']
  readonly helper: Pick<Helper, 'pid' | 'removeTree'>
  readonly solver: Solver
  readonly cache: BuildCache
  /** `--cache-from` and `--cache-to`. */
  readonly caches: CacheImportDeps & CacheExportDeps
  readonly sessions: Sessions
  readonly artifacts: Artifacts
  readonly clock: Clock
  /** What this daemon allows a build that asks for it: `network.host`, `security.insecure`. */
  readonly entitlements: ReadonlySet<string>
}

interface BuildRun {
  readonly id: string
  readonly options: BuildOptions
  readonly deps: BuildDeps
  readonly report: Report
  readonly tell: (message: BuildMessage) => void
  readonly signal: AbortSignal
  /** Given back when the build is over. */
  readonly held: AsyncDisposableStack
}

/** One build from what its client has sent to what it gets. Leaves nothing behind when it fails or is cancelled. */
export async function runBuild(
  id: string,
  options: BuildOptions,
  deps: BuildDeps,
  tell: (message: BuildMessage) => void,
  signal: AbortSignal,
): Promise<void> {
  const startedOn = nowOf(deps)()
  await using held = new AsyncDisposableStack()
  const run = { id, options, deps, report: tell, tell, signal, held }
  const session = options.session === undefined ? undefined : held.use(deps.sessions.use(options.session))
  const contexts = await loadContexts(run, session)
  const request = buildRequest(options, contexts, deps.entitlements)
  if (options.call !== 'build') {
    tell(await answerCall(options.call, request, (...image) => localImage(deps.images, ...image)))
    return
  }
  const lease = held.use(deps.cache.lease())
  const { plan, scanner } = await planned(request, lease, run)
  await announce(plan, run)
  const shown = { auth: options.auth, report: tell, now: nowOf(deps), signal }
  const targets = plan.images.map(({ filesystem }) => filesystem)
  const scans = plan.images.flatMap((image) => scanOf(image, scanner))
  const solved = await deps.solver.solve([...targets, ...scans], {
    id,
    open: (origin) => contexts.source(origin),
    secrets: session?.secrets ?? noSecrets,
    report: tell,
    signal,
    slot: slotOf(options),
    lease,
    complete: options.cacheTo.some(({ attributes }) => attributes['mode'] === 'max'),
    foreign: await importCaches(options.cacheFrom, deps.caches, shown),
  })
  await options.solved?.()
  signal.throwIfAborted()
  // Only now: it keeps everybody's garbage, and steps may take long. Until here the lease has kept what is ours.
  const addition = held.use(await deps.images.store.add())
  const built = await builtOf(plan, solved, addition, { ...run, contexts, startedOn, scans })
  const records = (mode: 'min' | 'max') => exportedRecords(mode, targets, solved, deps.cache)
  await exportCaches(options.cacheTo, records, deps.caches, shown)
  const written = await writeOutputs(deps, built, { ...options, ...shown })
  for (const [index, artifact] of written.artifacts) deps.artifacts.put(id, index, artifact)
  tell(resultOf(run, written))
}

/** Of an image without files there is nothing to scan. */
function scanOf({ filesystem, platform }: ImagePlan, scanner: ResolvedImage | undefined): readonly RunStep[] {
  return scanner === undefined || filesystem.kind === 'scratch'
    ? []
    : [scanStep(scanner, filesystem, platform)]
}

/** The plan, and the scanner for an SBOM if one is wanted; the lease keeps the layers of its images, also of those that came with the build and have no rows. */
async function planned(
  request: BuildRequest,
  lease: BuildLease,
  { options, deps, report, signal }: BuildRun,
): Promise<{ readonly plan: BuildPlan; readonly scanner: ResolvedImage | undefined }> {
  await using addition = await deps.images.store.add()
  const images = new BuildImages(
    { ...deps, clock: () => deps.clock.now() },
    { ...options, report, signal, addition, layouts: layoutsOf(options) },
  )
  const plan = await planBuild(request, images, { signal })
  const { sbom } = options
  const scanner = sbom === undefined ? undefined : await images.resolve(sbom, hostPlatform())
  await lease.keep(
    [...plan.materials, ...(scanner === undefined ? [] : [scanner])].flatMap(({ layers }) => layers),
  )
  return { plan, scanner }
}

function layoutsOf({ namedContexts }: BuildOptions): ReadonlyMap<string, LayoutPlace> {
  return new Map(
    Object.entries(namedContexts).flatMap(([name, input]) =>
      input.type === 'oci-layout' ? [[layoutReference(name), input] as const] : [],
    ),
  )
}

interface Making extends BuildRun {
  readonly contexts: BuildContexts
  /** ISO 8601 */
  readonly startedOn: string
  readonly scans: readonly RunStep[]
}

async function builtOf(
  plan: BuildPlan,
  solved: ReadonlyMap<Filesystem, Solved>,
  addition: Addition,
  making: Making,
): Promise<Built> {
  const { options } = making
  const annotations = parseAnnotations(options.annotations)
  const images: BuiltImage[] = []
  for (const image of plan.images) {
    const made = await finished(image, plan, solved, addition, making)
    const scan = making.scans.find(({ mounts }) =>
      mounts.some((mount) => 'from' in mount && mount.from === image.filesystem),
    )
    const said =
      scan === undefined
        ? []
        : await scanned(solved.get(scan)?.layer, making.deps.images.store.deps.snapshots, options.sbom ?? '')
    const predicates = [...predicatesOf(image.platform, plan, making), ...said]
    images.push({ ...made, ...annotations.of(image.platform), predicates })
  }
  const roots = images.map(({ platform, config }) => ({ platform, layers: config.rootfs.diff_ids }))
  return { images, roots, addition, indexAnnotations: annotations.index }
}

/** With what was asked for besides building it. */
async function finished(
  image: ImagePlan,
  plan: BuildPlan,
  solved: ReadonlyMap<Filesystem, Solved>,
  addition: Addition,
  { options, deps, signal }: Making,
): Promise<BuiltImage> {
  const made = builtImage(image, plan, solved, deps)
  const { snapshots } = deps.images.store.deps
  const base = image.base?.layers ?? []
  const one = options.squash ? await squashed(made, base, { addition, snapshots, signal }) : made
  const rewritten = options.outputs.some(({ attributes }) => attributes['rewrite-timestamp'] === 'true')
  if (rewritten && plan.epoch !== undefined) {
    return withTimes(one, base, plan.epoch, { addition, snapshots, signal })
  }
  if (!isInline(options) || one !== made) return one
  const own = exportedRecords('min', [image.filesystem], solved, deps.cache)
  return { ...made, config: withRecords(made.config, own) }
}

function predicatesOf(
  platform: Platform,
  { materials }: BuildPlan,
  { id, options, contexts: { dockerfile }, startedOn, deps }: Making,
): readonly Predicate[] {
  const mode = options.provenance
  if (mode === 'none') return []
  const finishedOn = nowOf(deps)()
  return [provenance(mode, { id, options, platform, dockerfile, materials, startedOn, finishedOn })]
}

function nowOf({ clock }: Pick<BuildDeps, 'clock'>): () => string {
  return () => clock.now().toISOString()
}

async function loadContexts(
  { options, deps, report, signal, held }: BuildRun,
  session: ReturnType<Sessions['use']> | undefined,
): Promise<BuildContexts> {
  const contextsDeps = {
    ...deps,
    secrets: session?.secrets ?? noSecrets,
    session: (name: string) => {
      if (session === undefined) throw new TypeError('a context of a session needs a session')
      return session.context(name)
    },
  }
  return held.use(
    await vertexReport('[internal] load build definition and context', report, nowOf(deps), () =>
      BuildContexts.open(options, contextsDeps, signal),
    ),
  )
}

/** Tells what the planner has found before the first step. */
async function announce(
  { instructions, warnings, notices }: BuildPlan,
  { tell, deps }: BuildRun,
): Promise<void> {
  tell({ type: 'instructions', instructions })
  if (warnings.length + notices.length === 0) return
  await vertexReport('[internal] check the Dockerfile', tell, nowOf(deps), async ({ id, status }) => {
    for (const notice of notices) status(notice)
    for (const warning of warnings) tell({ type: 'warning', vertex: id, warning })
  })
}

function builtImage(
  image: ImagePlan,
  plan: BuildPlan,
  solved: ReadonlyMap<Filesystem, Solved>,
  { cache, clock }: BuildDeps,
): BuiltImage {
  const madeAt = (step: Filesystem): string | undefined => {
    const result = solved.get(step)?.result
    const time = result === undefined ? undefined : cache.madeAt(result)
    return time === undefined ? undefined : new Date(time).toISOString()
  }
  const config = imageConfig(image, (step) => solved.get(step)?.layer, {
    now: clock.now().toISOString(),
    epoch: plan.epoch,
    createdOf: madeAt,
  })
  return { platform: image.platform, config }
}

/** Whether the image is to tell which steps have made its layers. */
function isInline({ cacheTo, buildArgs }: BuildOptions): boolean {
  return cacheTo.some(({ type }) => type === 'inline') || buildArgs['BUILDKIT_INLINE_CACHE'] === '1'
}

function resultOf({ id }: BuildRun, { image, digest, names, artifacts }: Written): BuildResult {
  const described =
    image === undefined
      ? {}
      : {
          'containerimage.config.digest': image.id,
          'containerimage.descriptor': image.target,
          'containerimage.digest': digest,
        }
  return {
    type: 'result',
    id,
    imageId: image?.id,
    digest: image?.target.digest,
    names,
    artifacts: [...artifacts.keys()],
    metadata: {
      'buildx.build.ref': `default/default/${id}`,
      ...described,
      ...(names.length === 0 ? {} : { 'image.name': names.join(',') }),
    },
  }
}
