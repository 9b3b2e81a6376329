import type { Project } from '../model/project.ts'
import { imageOf } from '../model/names.ts'
import { labels } from '../state/labels.ts'
import { type Observed, type ObservedContainer, isUp } from '../state/observed.ts'
import type { Plan } from './operation.ts'
import { PlanBuilder } from './plan-builder.ts'

export interface DownWishes {
  /** Services that were named; empty: the whole project, with its networks. */
  readonly named: readonly string[]
  readonly removeVolumes: boolean
  readonly removeImages: 'none' | 'local' | 'all'
  readonly removeOrphans: boolean
}

const CAUSE = 'the project goes down'

/** Removes what there is of a project: containers, those that need others first; then networks; volumes only on demand. */
export function planDown(project: Project | undefined, observed: Observed, wishes: DownWishes): Plan {
  const builder = new PlanBuilder()
  const containers = observed.containers.filter((container) => isConcerned(container, project, wishes))
  const stops = planStops(builder, containers, CAUSE)
  const removals = containers.map((container) =>
    builder.add({ type: 'remove container', container, volumes: wishes.removeVolumes }, CAUSE, [
      stops.get(container.id),
    ]),
  )
  if (wishes.named.length > 0) return builder.plan
  for (const { name, id, own } of observed.networks.values()) {
    if (own) builder.add({ type: 'remove network', name, networkId: id }, CAUSE, removals)
  }
  if (wishes.removeVolumes) {
    for (const { name, own } of observed.volumes.values()) {
      if (own && !isExternal(project, name))
        builder.add({ type: 'remove volume', name }, 'volumes are to go, too', removals)
    }
  }
  for (const image of imagesToRemove(project, observed, wishes)) {
    builder.add({ type: 'remove image', image }, 'images are to go, too', removals)
  }
  return builder.plan
}

function isExternal(project: Project | undefined, name: string): boolean {
  return Object.values(project?.volumes ?? {}).some(
    (volume) => volume.name === name && volume.external === true,
  )
}

/** Without files, everything that has the project's label; with them, orphans only on demand. */
function isConcerned(
  { service, oneoff }: ObservedContainer,
  project: Project | undefined,
  wishes: DownWishes,
): boolean {
  if (wishes.named.length > 0) return wishes.named.includes(service)
  if (project === undefined || wishes.removeOrphans || oneoff) return true
  return Object.hasOwn(project.services, service) || Object.hasOwn(project.disabled, service)
}

function imagesToRemove(
  project: Project | undefined,
  { containers, images }: Observed,
  { removeImages }: DownWishes,
): readonly string[] {
  if (removeImages === 'none') return []
  const services = Object.entries({ ...project?.services, ...project?.disabled })
  const chosen = services.flatMap(([name, service]) => {
    const isLocal = service.image === undefined
    return removeImages === 'all' || isLocal ? [imageOf(project?.name ?? '', name, service)] : []
  })
  const used = removeImages === 'all' ? containers.map(({ image }) => image) : []
  return [...new Set([...chosen, ...used])].filter((image) => images.has(image) || used.includes(image))
}

/** Stops what runs, each after all that depends on it, by their labels. Operations by container. */
function planStops(
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
