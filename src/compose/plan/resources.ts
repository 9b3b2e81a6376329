import { projectError } from '../document/errors.ts'
import { networkHash, volumeHash } from '../model/hash.ts'
import type { Project } from '../model/project.ts'
import type { Observed, ObservedContainer } from '../state/observed.ts'
import { isUp } from '../state/observed.ts'
import type { PlanBuilder } from './plan-builder.ts'

/** What planned networks and volumes mean for containers. */
export interface ResourcePlan {
  /** Operations that make what a service uses, by network or volume key. */
  readonly networks: ReadonlyMap<string, string>
  readonly volumes: ReadonlyMap<string, string>
  /** Containers that have to go first: what they use is made anew. Why, by id. */
  readonly displaced: ReadonlyMap<string, string>
  /** What is not done, and why. */
  readonly warnings: readonly string[]
}

/** Makes networks and volumes that are missing, and anew those whose definition has changed. */
export function planResources(
  builder: PlanBuilder,
  project: Project,
  observed: Observed,
  options: { readonly recreateVolumes: boolean },
): ResourcePlan {
  const planner = new ResourcePlanner(builder, observed)
  for (const [key, network] of Object.entries(project.networks)) {
    const found = observed.networks.get(network.name)
    if (network.external === true) {
      if (found === undefined && !isBuiltIn(network.name)) throw missingExternal(project, 'network', key)
      continue
    }
    if (found === undefined) planner.create('network', key, network.name, 'it is not there', [])
    else if (!found.own)
      planner.warn(
        `a network with name ${network.name} exists but was not created for project ${JSON.stringify(project.name)}; it is used as it is. Set external: true to say so`,
      )
    else if (found.hash !== undefined && found.hash !== networkHash(network))
      planner.recreateNetwork(key, found)
  }
  for (const [key, volume] of Object.entries(project.volumes)) {
    const found = observed.volumes.get(volume.name)
    if (volume.external === true) {
      if (found === undefined) throw missingExternal(project, 'volume', key)
      continue
    }
    if (found === undefined) planner.create('volume', key, volume.name, 'it is not there', [])
    else if (!found.own)
      planner.warn(
        `volume ${JSON.stringify(volume.name)} already exists but was not created for project ${JSON.stringify(project.name)}; it is used as it is. Set external: true to say so`,
      )
    else if (found.hash !== undefined && found.hash !== volumeHash(volume)) {
      if (options.recreateVolumes) planner.recreateVolume(key, found.name)
      else
        planner.warn(
          `volume ${JSON.stringify(volume.name)} exists but is not what the file says; it stays as it is. With -y it is made anew, and what is in it is lost`,
        )
    }
  }
  return planner
}

function isBuiltIn(name: string): boolean {
  return ['host', 'none', 'bridge'].includes(name)
}

function missingExternal(project: Project, kind: 'network' | 'volume', key: string): Error {
  const section = `${kind}s` as const
  const name = project[section][key]?.name ?? key
  return projectError(
    `${kind} ${name} declared as external, but could not be found; 'berth ${kind} create ${name}' makes one`,
    { place: project.placeOf(section, key, 'external') },
  )
}

class ResourcePlanner implements ResourcePlan {
  readonly networks = new Map<string, string>()
  readonly volumes = new Map<string, string>()
  readonly displaced = new Map<string, string>()
  readonly warnings: string[] = []
  readonly #builder: PlanBuilder
  readonly #observed: Observed

  constructor(builder: PlanBuilder, observed: Observed) {
    this.#builder = builder
    this.#observed = observed
  }

  warn(text: string): void {
    this.warnings.push(text)
  }

  create(
    kind: 'network' | 'volume',
    key: string,
    name: string,
    cause: string,
    after: readonly string[],
  ): void {
    const id =
      kind === 'network'
        ? this.#builder.add({ type: 'create network', network: key, name }, cause, after)
        : this.#builder.add({ type: 'create volume', volume: key, name }, cause, after)
    this[kind === 'network' ? 'networks' : 'volumes'].set(key, id)
  }

  recreateNetwork(key: string, { name, id }: { readonly name: string; readonly id: string }): void {
    const cause = 'its definition has changed'
    const users = this.#observed.containers.filter(({ networks }) => networks.has(name))
    const removed = users.map((container) => this.#displace(container, `network ${name} is made anew`))
    const gone = this.#builder.add({ type: 'remove network', name, networkId: id }, cause, removed)
    this.create('network', key, name, cause, [gone])
  }

  recreateVolume(key: string, name: string): void {
    const cause = 'its definition has changed'
    const users = this.#observed.containers.filter(({ volumes }) =>
      volumes.some((volume) => volume.name === name),
    )
    const removed = users.map((container) => this.#displace(container, `volume ${name} is made anew`))
    const gone = this.#builder.add({ type: 'remove volume', name }, cause, removed)
    this.create('volume', key, name, cause, [gone])
  }

  #displace(container: ObservedContainer, cause: string): string {
    this.displaced.set(container.id, cause)
    const stop = isUp(container) ? this.#builder.add({ type: 'stop container', container }, cause) : undefined
    return this.#builder.add({ type: 'remove container', container, volumes: false }, cause, [stop])
  }
}
