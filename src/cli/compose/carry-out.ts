import { converge, planConvergence } from '#compose/converge.ts'
import { execute } from '#compose/execute/execute.ts'
import { Performer } from '#compose/execute/performer.ts'
import { namedProject } from '#compose/model/named-project.ts'
import type { Project } from '#compose/model/project.ts'
import type { ImageWishes } from '#compose/plan/images.ts'
import type { Plan } from '#compose/plan/operation.ts'
import { planDocument, planText } from '#compose/plan/print.ts'
import type { Wishes } from '#compose/plan/wishes.ts'
import type { Observed } from '#compose/state/observed.ts'
import type { Found } from './containers.ts'
import { imageSource } from './images/image-source.ts'
import { progressFor } from './progress/progress.ts'
import type { ComposeContext } from './subcommand.ts'

interface Options {
  /** Seconds; undefined: as the containers were made. */
  readonly stopTimeout?: number | undefined
}

/** Makes a project what it is to be, and shows it; with `--dry-run` the plan is all. */
export async function bringUp(
  project: Project,
  wishes: Wishes,
  imageWishes: ImageWishes,
  { stopTimeout }: Options,
  context: ComposeContext,
): Promise<void> {
  const { client, globals, io, signal } = context
  using progress = progressFor(globals, io)
  const warn = (message: string): void => progress.warn(message)
  const parts = {
    client,
    project,
    wishes,
    imageWishes,
    stopTimeout,
    signal,
    warn,
    parallel: parallelOf(context),
  }
  if (globals['dry-run']) showPlan(await planConvergence(parts), context)
  else await converge({ ...parts, reporter: progress, images: imageSource({ project, progress }, context) })
}

/** Carries a plan out, and shows it; with `--dry-run` the plan is all. */
export async function carryOut(
  plan: Plan,
  project: Project,
  observed: Observed,
  { stopTimeout }: Options,
  context: ComposeContext,
): Promise<void> {
  const { client, globals, io, signal } = context
  if (globals['dry-run']) {
    showPlan(plan, context)
    return
  }
  if (plan.length === 0) return
  using progress = progressFor(globals, io)
  const images = imageSource({ project, progress }, context)
  const warn = (message: string): void => progress.warn(message)
  await using performer = new Performer({ client, project, observed, images, stopTimeout, warn })
  await execute(plan, performer.perform, { reporter: progress, signal, parallel: parallelOf(context) })
}

/** The same for containers that were found, of a project that may be known by its name alone. */
export async function carryOutOn(
  { name, project = namedProject(name), containers }: Found,
  plan: Plan,
  options: Options,
  context: ComposeContext,
): Promise<void> {
  const nothing = { networks: new Map(), volumes: new Map(), images: new Map() }
  await carryOut(plan, project, { containers, ...nothing }, options, context)
}

/** The operations that would be carried out: lines for people, with `--progress json` a document. */
function showPlan(plan: Plan, { globals, out }: ComposeContext): void {
  if (globals.progress === 'json') out(`${JSON.stringify(planDocument(plan), undefined, 2)}\n`)
  else out(plan.length === 0 ? 'Nothing is to be done.\n' : planText(plan))
}

function parallelOf({ globals, source }: ComposeContext): number | undefined {
  const given = globals.parallel ?? Number(source.shell.get('COMPOSE_PARALLEL_LIMIT') ?? -1)
  return given > 0 ? given : undefined
}
