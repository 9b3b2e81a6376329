/** Desired minus observed: the operations that make a project what its files say. Pure. */
import { dependencyGraph, inDependencyOrder } from '../model/graph.ts'
import type { Project } from '../model/project.ts'
import { type Observed, type ObservedContainer, isUp } from '../state/observed.ts'
import type { Plan } from './operation.ts'
import { PlanBuilder } from './plan-builder.ts'
import { planResources } from './resources.ts'
import { ServicePlanner } from './services.ts'
import type { Wishes } from './wishes.ts'

export interface Reconciliation {
  readonly plan: Plan
  readonly warnings: readonly string[]
}

/** `changes`: what exactly has changed in containers whose hash differs, by id. */
export function reconcile(
  project: Project,
  observed: Observed,
  wishes: Wishes,
  changes: ReadonlyMap<string, readonly string[]> = new Map(),
): Reconciliation {
  const builder = new PlanBuilder()
  const resources = planResources(builder, project, observed, wishes)
  const planner = new ServicePlanner({ builder, project, observed, wishes, resources, changes })
  for (const name of inDependencyOrder(dependencyGraph(project.services))) planner.plan(name)
  const orphans = orphansOf(project, observed)
  if (wishes.removeOrphans) planRemoval(builder, orphans, 'the project has no such service')
  return {
    plan: builder.plan,
    warnings: [...resources.warnings, ...(wishes.removeOrphans ? [] : orphanWarning(orphans, project))],
  }
}

/** Containers of services that the project does not have, and one-off ones that have ended their work. */
function orphansOf(
  project: Project,
  { containers }: Pick<Observed, 'containers'>,
): readonly ObservedContainer[] {
  const known = new Set([...Object.keys(project.services), ...Object.keys(project.disabled)])
  return containers.filter(
    ({ service, oneoff, status }) => !known.has(service) || (oneoff && !isUp({ status })),
  )
}

function orphanWarning(
  orphans: readonly ObservedContainer[],
  { name, environment }: Project,
): readonly string[] {
  const others = orphans.filter(({ oneoff }) => !oneoff)
  const ignored = /^(?:1|true|yes)$/i.test(environment.get('COMPOSE_IGNORE_ORPHANS') ?? '')
  if (others.length === 0 || ignored) return []
  const names = others.map((container) => container.name).join(', ')
  return [
    `Found orphan containers (${names}) for project ${name}: no service in the files has that name. --remove-orphans removes them`,
  ]
}

function planRemoval(
  builder: PlanBuilder,
  containers: readonly ObservedContainer[],
  cause: string,
): readonly string[] {
  return containers.map((container) => {
    const stop = isUp(container) ? builder.add({ type: 'stop container', container }, cause) : undefined
    return builder.add({ type: 'remove container', container, volumes: false }, cause, [stop])
  })
}
