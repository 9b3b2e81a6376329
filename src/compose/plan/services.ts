import { containerName } from '../model/names.ts'
import type { Condition, Project, Service } from '../model/project.ts'
import { type InheritedVolume } from '../create/mounts.ts'
import { type Observed, type ObservedContainer, isUp } from '../state/observed.ts'
import type { NewContainer } from './operation.ts'
import { type Judgement, obsolescence, sharedServices } from './obsolete.ts'
import type { PlanBuilder } from './plan-builder.ts'
import type { ResourcePlan } from './resources.ts'
import type { Wishes } from './wishes.ts'

interface Parts {
  readonly builder: PlanBuilder
  readonly project: Project
  readonly observed: Observed
  readonly wishes: Wishes
  readonly resources: ResourcePlan
  readonly changes: ReadonlyMap<string, readonly string[]>
}

/** Plans one service after the other; each has to come after those that it needs. */
export class ServicePlanner {
  readonly #parts: Parts
  /** Operations after which the containers of a service run, or are there where nothing is started. */
  readonly #ready = new Map<string, string[]>()
  readonly #replaced = new Set<string>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  plan(name: string): void {
    const service = this.#parts.project.services[name]
    if (service === undefined || service.provider !== undefined) return
    this.#ready.set(name, [])
    const kept = this.#settleReplacements(name, service)
    const scale = this.scaleOf(name, service)
    const judged = kept.map((container) => ({ container, cause: this.#obsolescence(container, name) }))
    const { stay, leave } = chooseBySurvival(judged, scale)
    for (const { container } of leave) this.#remove(container, `${name} is to have ${count(scale)}`)
    for (const { container, cause } of stay) {
      if (this.#parts.resources.displaced.has(container.id)) {
        this.#create(
          name,
          service,
          container.number,
          this.#inherited(container),
          this.#parts.resources.displaced.get(container.id) ?? '',
        )
      } else if (cause !== undefined) this.#replace(name, service, container, cause)
      else this.#keep(name, service, container)
    }
    let next = Math.max(0, ...kept.map(({ number }) => number)) + 1
    for (let have = stay.length; have < scale; have += 1)
      this.#create(name, service, next++, [], 'it is not there')
  }

  scaleOf(name: string, service: Service): number {
    return this.#parts.wishes.scale[name] ?? service.scale ?? service.deploy?.replicas ?? 1
  }

  /** Of a pair that an interrupted replacement has left, one goes. Returns the containers that count. */
  #settleReplacements(name: string, service: Service): readonly ObservedContainer[] {
    const { observed, project, builder } = this.#parts
    const all = observed.containers.filter((each) => each.service === name && !each.oneoff)
    const gone = new Set<string>()
    for (const successor of all) {
      const old = all.find(({ id }) => id === successor.replaces)
      const wanted = containerName(project.name, name, service, successor.number)
      if (old === undefined) {
        if (successor.replaces !== undefined && successor.name !== wanted) {
          this.#ready
            .get(name)
            ?.push(
              builder.add(
                { type: 'rename container', container: successor, name: wanted },
                'its replacement was interrupted',
              ),
            )
        }
        continue
      }
      const isDone = isUp(successor) && this.#obsolescence(successor, name) === undefined
      const loser = isDone ? old : successor
      gone.add(loser.id)
      const removed = this.#remove(loser, 'its replacement was interrupted')
      if (isDone)
        builder.add(
          { type: 'rename container', container: successor, name: wanted },
          'its replacement was interrupted',
          [removed],
        )
    }
    return all.filter(({ id }) => !gone.has(id))
  }

  #obsolescence(container: ObservedContainer, name: string): string | undefined {
    const { project, observed, wishes, changes } = this.#parts
    const isNamed = wishes.named.length === 0 || wishes.named.includes(name)
    const recreate = isNamed ? wishes.recreate : wishes.recreateDependencies
    const judgement: Judgement = { project, observed, recreate, replaced: this.#replaced, changes }
    return obsolescence(container, name, judgement)
  }

  #keep(name: string, service: Service, container: ObservedContainer): void {
    const { builder, wishes } = this.#parts
    if (!wishes.starts || container.status === 'paused') return
    if (!isUp(container)) {
      const { name: containerName_, id } = container
      const action = {
        type: 'start container',
        name: containerName_,
        service: name,
        containerId: id,
      } as const
      this.#ready
        .get(name)
        ?.push(builder.add(action, `it is ${container.status}`, this.#dependencies(name, service)))
      return
    }
    const restarted = Object.entries(service.depends_on ?? {}).find(
      ([other, { restart }]) => restart === true && this.#replaced.has(other),
    )
    if (restarted === undefined) return
    const cause = `${restarted[0]}, which it depends on, is replaced`
    this.#ready
      .get(name)
      ?.push(builder.add({ type: 'restart container', container }, cause, this.#dependencies(name, service)))
  }

  #replace(name: string, service: Service, old: ObservedContainer, cause: string): void {
    const { builder, wishes, project } = this.#parts
    const container: NewContainer = {
      service: name,
      number: old.number,
      name: containerName(project.name, name, service, old.number),
      inherited: this.#inherited(old),
    }
    const { starts } = wishes
    const rolling = starts && wishes.rolling && canOverlap(service)
    const before = rolling ? this.#ready.get(name)?.at(-1) : undefined
    const after = [
      before,

      ...this.#resources(service),
      ...(starts ? this.#dependencies(name, service) : this.#shared(service)),
    ]
    const id = builder.add({ type: 'replace container', container, old, starts, rolling }, cause, after)
    this.#replaced.add(name)
    this.#ready.get(name)?.push(id)
  }

  #create(
    name: string,
    service: Service,
    number: number,
    inherited: readonly InheritedVolume[],
    cause: string,
  ): void {
    const { builder, wishes, project } = this.#parts
    const container = {
      service: name,
      number,
      name: containerName(project.name, name, service, number),
      inherited,
    }
    const created = builder.add({ type: 'create container', container }, cause, [
      ...this.#resources(service),
      ...this.#shared(service),
      ...this.#removals(name),
    ])
    if (!wishes.starts) {
      this.#ready.get(name)?.push(created)
      return
    }
    const action = { type: 'start container', name: container.name, service: name } as const
    this.#ready
      .get(name)
      ?.push(builder.add(action, 'it is new', [created, ...this.#dependencies(name, service)]))
  }

  #remove(container: ObservedContainer, cause: string): string {
    const { builder } = this.#parts
    const stop = isUp(container) ? builder.add({ type: 'stop container', container }, cause) : undefined
    return builder.add({ type: 'remove container', container, volumes: false }, cause, [stop])
  }

  #inherited(container: ObservedContainer): readonly InheritedVolume[] {
    if (this.#parts.wishes.renewAnonymousVolumes) return []
    return container.volumes.filter(({ name }) => /^[0-9a-f]{64}$/.test(name))
  }

  #resources(service: Service): readonly string[] {
    const { networks, volumes } = this.#parts.resources
    return [
      ...Object.keys(service.networks ?? {}).flatMap((key) => networks.get(key) ?? []),
      ...(service.volumes ?? []).flatMap(({ source = '' }) => volumes.get(source) ?? []),
    ]
  }

  /** Containers that are removed because what they use is made anew. */
  #removals(name: string): readonly string[] {
    const { builder, resources, observed } = this.#parts
    return observed.containers
      .filter(({ id, service }) => service === name && resources.displaced.has(id))
      .map(({ name: containerName_ }) => `remove container ${containerName_}`)
      .filter((id) => builder.has(id))
  }

  /** Containers of other services that have to be there to make one of this. */
  #shared(service: Service): readonly string[] {
    return sharedServices(service).flatMap((other) => this.#ready.get(other) ?? [])
  }

  /** What has to have happened before a container of the service is started. */
  #dependencies(name: string, service: Service): readonly string[] {
    return Object.entries(service.depends_on ?? {}).flatMap(([other, { condition, required }]) => {
      const ready = this.#ready.get(other)
      if (ready === undefined) return []
      if (condition === 'service_started') return ready
      if (ready.length === 0 && this.#isFulfilled(other, condition)) return []
      const action = { type: 'wait for service', service: other, condition, required } as const
      return [this.#parts.builder.add(action, `${name} needs it`, ready)]
    })
  }

  #isFulfilled(name: string, condition: Condition): boolean {
    const containers = this.#parts.observed.containers.filter(
      ({ service, oneoff }) => service === name && !oneoff,
    )
    return (
      condition === 'service_healthy' &&
      containers.length > 0 &&
      containers.every((each) => isUp(each) && each.health === 'healthy')
    )
  }
}

interface Judged {
  readonly container: ObservedContainer
  readonly cause: string | undefined
}

/** Of too many containers, those that are out of date go first, then those with the highest numbers. */
function chooseBySurvival(
  judged: readonly Judged[],
  scale: number,
): { stay: readonly Judged[]; leave: readonly Judged[] } {
  const order = judged.toSorted(
    (a, b) =>
      Number(a.cause !== undefined) - Number(b.cause !== undefined) ||
      a.container.number - b.container.number,
  )
  const chosen = new Set(order.slice(0, scale))
  return { stay: judged.filter((each) => chosen.has(each)), leave: order.slice(scale) }
}

function count(scale: number): string {
  return scale === 1 ? 'one container' : `${scale} containers`
}

/**
 * Whether a new container can be tried while the old one works: it says when it is healthy, and needs no port of the host
 * and no address that belongs to one container.
 */
function canOverlap({ ports = [], networks = {}, network_mode, healthcheck }: Service): boolean {
  if (healthcheck === undefined || healthcheck.disable === true) return false
  const isFree = (published: string | undefined): boolean =>
    published === undefined || published === '' || published.includes('-')
  const addresses = Object.values(networks).some(
    (network) => network?.ipv4_address !== undefined || network?.ipv6_address !== undefined,
  )
  return network_mode !== 'host' && !addresses && ports.every(({ published }) => isFree(published))
}
