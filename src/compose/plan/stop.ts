import type { Project } from '../model/project.ts'
import { dependencyGraph, inDependencyOrder } from '../model/graph.ts'
import { labels } from '../state/labels.ts'
import { type ObservedContainer, isUp } from '../state/observed.ts'
import type { Plan } from './operation.ts'
import { PlanBuilder } from './plan-builder.ts'

/** Stops what runs of these containers, those that need others first. */
export function planStop(containers: readonly ObservedContainer[], cause: string): Plan {
  const builder = new PlanBuilder()
  planStops(builder, containers, cause)
  return builder.plan
}

/** Restarts containers, each after those that it needs; with them those that want to be restarted together. */
export function planRestart(
  project: Project | undefined,
  containers: readonly ObservedContainer[],
  named: readonly string[],
  options: { readonly dependencies: boolean },
): Plan {
  const builder = new PlanBuilder()
  const services = project?.services ?? {}
  const order =
    project === undefined
      ? [...new Set(containers.map(({ service }) => service))]
      : inDependencyOrder(dependencyGraph(services))
  const restarted = new Map<string, string[]>()
  for (const service of order) {
    const needs = Object.entries(services[service]?.depends_on ?? {})
    const because = needs.find(
      ([other, { restart }]) => options.dependencies && restart === true && restarted.has(other),
    )
    const isNamed = named.length === 0 || named.includes(service)
    if (!isNamed && because === undefined) continue
    const cause = isNamed ? 'it is asked for' : `${because?.[0]}, which it depends on, is restarted`
    const after = needs.flatMap(([other]) => restarted.get(other) ?? [])
    const own = containers.filter((each) => each.service === service)
    restarted.set(
      service,
      own.map((container) => builder.add({ type: 'restart container', container }, cause, after)),
    )
  }
  return builder.plan
}

/** Stops what runs, each after all that depends on it, by their labels. Operations by container. */
export function planStops(
  builder: PlanBuilder,
  containers: readonly ObservedContainer[],
  cause: string,
): ReadonlyMap<string, string> {
  const stops = new Map<string, string>()
  const visit = (container: ObservedContainer, trail: readonly string[]): void => {
    if (stops.has(container.id) || trail.includes(container.id) || !isUp(container)) return
    const dependents = containers.filter((other) => dependencies(other).includes(container.service))
    for (const dependent of dependents) visit(dependent, [...trail, container.id])
    const after = dependents.map(({ id }) => stops.get(id))
    stops.set(container.id, builder.add({ type: 'stop container', container }, cause, after))
  }
  for (const container of containers) visit(container, [])
  return stops
}

/** Services that a container's label says it needs. */
function dependencies({ labels: own }: Pick<ObservedContainer, 'labels'>): readonly string[] {
  return (own[labels.dependsOn] ?? '').split(',').flatMap((part) => part.split(':')[0] || [])
}
