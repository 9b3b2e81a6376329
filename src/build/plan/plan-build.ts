import { EngineError } from '#base/errors.ts'
import { hostPlatform, type Platform } from '#oci/platform.ts'
import { type Dockerfile, parseDockerfile } from '../dockerfile/parse.ts'
import { type BuildArguments, globalScope } from '../dockerfile/scope.ts'
import { findTarget, resolveStages, stagesFor } from '../dockerfile/stages.ts'
import type { ImagePlan } from '../graph/operations.ts'
import type { BuildPlan, BuildRequest, ImageResolver, PlannedInstruction } from '../graph/plan.ts'
import { BaseImages } from './base-images.ts'
import { checkBuild, type CheckedBuild, noticesOf } from './checks.ts'
import { plannedInstructions } from './instructions.ts'
import { StagePlanner } from './stage-planner.ts'
import type { StageState } from './stage-state.ts'

export interface PlanOptions {
  readonly signal: AbortSignal
  /** What RUNs of `--platform=$BUILDPLATFORM` run on; this host, if it is not given. */
  readonly buildPlatform?: Platform | undefined
}

/**
 * Makes of a Dockerfile what has to be done for its target: for each platform the steps, the configuration and the
 * history of an image. Nothing is run; images are looked up, and only those that the target needs. The same request and
 * the same images give the same plan. Errors point at the line (`DOCKERFILE_INVALID`), or are those of the resolver.
 */
export async function planBuild(
  request: BuildRequest,
  images: ImageResolver,
  options: PlanOptions,
): Promise<BuildPlan> {
  options.signal.throwIfAborted()
  const epoch = epochOf(request)
  const file = parseDockerfile(request.dockerfile, request.dockerfileName)
  const bases = new BaseImages(images, file.source)
  const planned = await Promise.all(
    request.platforms.map((target) => planPlatform({ request, file, bases, target, ...options })),
  )
  const warnings = checkBuild({ file, request, builds: planned.map(({ checked }) => checked) })
  const [first] = planned
  if (first === undefined) throw new RangeError('a build is for one platform at least')
  return {
    images: planned.map(({ image }) => image),
    warnings,
    notices: noticesOf(file, first.checked.arguments),
    materials: await bases.materials(),
    target: first.target,
    epoch,
    instructions: first.instructions,
  }
}

interface PlatformInput extends PlanOptions {
  readonly request: BuildRequest
  readonly file: Dockerfile
  readonly bases: BaseImages
  readonly target: Platform
}

interface PlannedPlatform {
  readonly image: ImagePlan
  readonly checked: CheckedBuild
  readonly target: string | undefined
  readonly instructions: readonly PlannedInstruction[]
}

async function planPlatform(input: PlatformInput): Promise<PlannedPlatform> {
  const { request, file, bases, target, signal } = input
  const build: BuildArguments = {
    buildArgs: request.buildArgs,
    buildPlatform: input.buildPlatform ?? hostPlatform(),
    targetPlatform: target,
    ...(request.target === undefined || request.target === '' ? {} : { targetStage: request.target }),
  }
  const global = globalScope(file, build)
  const graph = resolveStages(file, global, new Set(request.contexts.keys()))
  const stage = findTarget(graph, request.target)
  const planner = new StagePlanner({ request, file, graph, global, images: bases, target, signal })
  const state = await planner.plan(stage)
  const needed = stagesFor(graph, stage)
  const stages = new Set(needed.map((each) => each.stage.index))
  const { bases: known } = planner
  const image = imageOf(state, request)
  return {
    image,
    checked: { arguments: build, stages, bases: known },
    target: stage.stage.from.name,
    instructions: plannedInstructions(needed, image),
  }
}

function imageOf({ draft, filesystem }: StageState, { labels }: BuildRequest): ImagePlan {
  const { platform, author, history, baseHistory, base } = draft
  return { platform, filesystem, config: draft.finish(labels), author, history, baseHistory, base }
}

/** Seconds. */
function epochOf({ buildArgs }: BuildRequest): number | undefined {
  const text = buildArgs['SOURCE_DATE_EPOCH']
  if (text === undefined || text === '') return undefined
  const seconds = Number(text)
  if (/^-?\d+$/.test(text) && Number.isSafeInteger(seconds) && Math.abs(seconds) <= LAST_SECOND)
    return seconds
  const hint = 'It is a number of seconds since 1970, such as 1700000000.'
  throw new EngineError('invalid_argument', `invalid SOURCE_DATE_EPOCH: ${text}\n${hint}`, {
    code: 'BUILD_EPOCH_INVALID',
  })
}

/** The end of the year 9999: what comes later has no ISO date of four digits. */
const LAST_SECOND = 253_402_300_799
