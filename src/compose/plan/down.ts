import type { Project } from '../model/project.ts'
import { imageOf } from '../model/names.ts'
import type { Observed, ObservedContainer } from '../state/observed.ts'
import type { Plan } from './operation.ts'
import { PlanBuilder } from './plan-builder.ts'
import { planStops } from './stop.ts'

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
