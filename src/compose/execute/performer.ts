import type { Client } from '#client/client.ts'
import { containerBody } from '../create/body.ts'
import { endpointsOf } from '../create/networks.ts'
import { resourceLabels } from '../create/labels.ts'
import { networkHash, serviceHash, volumeHash } from '../model/hash.ts'
import { imageOf } from '../model/names.ts'
import type { NetworkResource, Project, Service, VolumeResource } from '../model/project.ts'
import type { NewContainer, Operation } from '../plan/operation.ts'
import type { Observed, ObservedContainer } from '../state/observed.ts'
import { isUp } from '../state/observed.ts'
import { ContainerStates } from './container-states.ts'
import { runHooks } from './hooks.ts'
import { Made } from './made.ts'
import { networkBody, volumeBody } from './resource-bodies.ts'
import { writeServiceFiles } from './service-files.ts'
import { unlessGone } from './unless-gone.ts'
import { waitFor, waitForReady } from './wait.ts'

/** Gets images; how, with whose credentials, and what is shown of it, is the caller's business. */
export interface ImageSource {
  pull(image: string, service: Service, signal: AbortSignal): Promise<void>
  build(name: string, service: Service, signal: AbortSignal): Promise<void>
}

interface Parts {
  readonly client: Client
  readonly project: Project
  readonly observed: Observed
  readonly images: ImageSource
  /** Seconds that a container has to stop; undefined: as it was made. */
  readonly stopTimeout?: number | undefined
  readonly warn: (message: string) => void
}

type Of<T extends Operation['type']> = Extract<Operation, { type: T }>

/** Carries out operations against an engine, and takes back what never ran when something fails. */
export class Performer implements AsyncDisposable {
  readonly #parts: Parts
  readonly #states: ContainerStates
  /** Ids of containers by name, by service, as they are made. */
  readonly #ids: Map<string, string>
  readonly #made: Made

  constructor(parts: Parts) {
    this.#parts = parts
    this.#states = new ContainerStates(parts.client, parts.project.name)
    this.#made = new Made(parts.client, parts.project.name)
    this.#ids = new Map(parts.observed.containers.map(({ name, id }) => [name, id]))
  }

  readonly perform = async (operation: Operation, signal: AbortSignal): Promise<void> => {
    const { client, images } = this.#parts
    switch (operation.type) {
      case 'create network':
        return this.#createNetwork(operation)
      case 'remove network':
        return unlessGone(client.networks.remove(operation.networkId))
      case 'create volume':
        return this.#createVolume(operation)
      case 'remove volume':
        return unlessGone(client.volumes.remove(operation.name))
      case 'pull image':
        return images.pull(operation.image, this.#service(operation.service), signal)
      case 'build image':
        return images.build(operation.service, this.#service(operation.service), signal)
      case 'remove image':
        return unlessGone(client.images.remove(operation.image, {}).then(() => undefined))
      case 'create container':
        await this.#create(operation.container)
        return
      case 'replace container':
        return this.#replace(operation, signal)
      case 'start container':
        return this.#start(operation)
      case 'restart container':
        return this.#restart(operation.container)
      case 'stop container':
        return this.#stop(operation.container)
      case 'remove container':
        return unlessGone(
          client.containers.remove(operation.container.id, { force: true, volumes: operation.volumes }),
        )
      case 'rename container':
        return client.containers.rename(operation.container.id, operation.name)
      case 'wait for service':
        return this.#wait(operation, signal)
    }
  }

  /** Nothing half made remains after a failure. Returns what was removed. */
  takeBack(): Promise<readonly string[]> {
    return this.#made.takeBack()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#states[Symbol.asyncDispose]()
  }

  #service(name: string): Service {
    const service = this.#parts.project.services[name]
    if (service === undefined) throw new TypeError(`no service ${name} in the project`)
    return service
  }

  async #createNetwork({ network, name }: Of<'create network'>): Promise<void> {
    const { client, project } = this.#parts
    const resource = project.networks[network] as NetworkResource
    const labels = resourceLabels(project, {
      own: resource.labels,
      hash: networkHash(resource),
      kind: 'network',
      key: network,
    })
    await client.networks.create({ Name: name, ...networkBody(resource), Labels: labels })
    this.#made.addNetwork(name)
  }

  async #createVolume({ volume, name }: Of<'create volume'>): Promise<void> {
    const { client, project } = this.#parts
    const resource = project.volumes[volume] as VolumeResource
    const labels = resourceLabels(project, {
      own: resource.labels,
      hash: volumeHash(resource),
      kind: 'volume',
      key: volume,
    })
    await client.volumes.create({ Name: name, ...volumeBody(resource), Labels: labels })
    this.#made.addVolume(name)
  }

  /** Under another name when it is to replace one that is still there; hidden: without the names of its service. Returns the id. */
  async #create(container: NewContainer, old?: ObservedContainer, hidden = false): Promise<string> {
    const { client, project, warn } = this.#parts
    const { service: name, number, inherited } = container
    const service = this.#service(name)
    const image = imageOf(project.name, name, service)
    const body = containerBody(project, service, {
      service: name,
      number,
      name: container.name,
      image,
      inherited,
      oneoff: false,
      hash: serviceHash(service),
      imageId: (await client.images.inspect(image)).Id ?? undefined,
      containerOf: (other) => this.#containerOf(other),
      aliases: !hidden,
      ...(old === undefined ? {} : { replaces: old.id }),
    })
    const temporary = old === undefined ? container.name : `${old.id.slice(0, 12)}_${container.name}`
    const created = await client.containers.create(body, { name: temporary, platform: service.platform })
    for (const warning of created.Warnings ?? []) warn(`${container.name}: ${warning}`)
    const id = created.Id ?? ''
    this.#ids.set(container.name, id)
    this.#made.addContainer(temporary, id)
    await writeServiceFiles(client, id, { project, name, service })
    return id
  }

  /** The old one is there, stopped or (rolling) at work, until the new one runs; if that fails it is as before. */
  async #replace(
    { container, old, starts, rolling }: Of<'replace container'>,
    signal: AbortSignal,
  ): Promise<void> {
    const { client } = this.#parts
    const id = await this.#create(container, old, rolling)
    const wasUp = isUp(old)
    if (wasUp && !rolling) await this.#stop(old)
    if (starts) {
      try {
        await client.containers.start(id)
        if (rolling) await this.#takeOver(id, container, signal)
      } catch (error) {
        await this.#takeBackOne(id)
        if (wasUp && !rolling) await client.containers.start(old.id)
        throw error
      }
    }
    // Point of no return: the new one has taken over.
    this.#made.forgetContainer(id)
    if (wasUp && rolling) await this.#stop(old)
    await unlessGone(client.containers.remove(old.id, { force: true }))
    await client.containers.rename(id, container.name)
    if (starts) await this.#hooks({ id, name: container.name }, container.service, 'post_start')
  }

  /** Gives a new container the names of its service once it is ready, so that nobody asks it before. */
  async #takeOver(id: string, { name, service: key }: NewContainer, signal: AbortSignal): Promise<void> {
    const { client, project } = this.#parts
    const service = this.#service(key)
    await waitForReady(this.#states, { id, name }, signal)
    const { endpoints } = endpointsOf(project, service, { name: key, container: name, aliases: true })
    for (const [network, settings] of Object.entries(endpoints)) {
      await client.networks.disconnect(network, { Container: id })
      await client.networks.connect(network, { Container: id, EndpointConfig: settings })
    }
  }

  async #takeBackOne(id: string): Promise<void> {
    this.#made.forgetContainer(id)
    await unlessGone(this.#parts.client.containers.remove(id, { force: true }))
  }

  async #start({ name, service, containerId }: Of<'start container'>): Promise<void> {
    const id = containerId ?? this.#ids.get(name) ?? name
    await this.#parts.client.containers.start(id)
    this.#made.forgetContainer(id)
    await this.#hooks({ id, name }, service, 'post_start')
  }

  async #restart(container: ObservedContainer): Promise<void> {
    await this.#hooks(container, container.service, 'pre_stop')
    await this.#parts.client.containers.restart(container.id, { timeout: this.#parts.stopTimeout })
    await this.#hooks(container, container.service, 'post_start')
  }

  async #stop(container: ObservedContainer): Promise<void> {
    const { client, stopTimeout } = this.#parts
    if (container.status === 'running') await this.#hooks(container, container.service, 'pre_stop')
    await unlessGone(client.containers.stop(container.id, { timeout: stopTimeout }))
  }

  async #hooks(
    container: { id: string; name: string },
    service: string,
    when: 'post_start' | 'pre_stop',
  ): Promise<void> {
    const hooks = this.#parts.project.services[service]?.[when] ?? []
    await runHooks(this.#parts.client, container, hooks, when)
  }

  /** The first container of another service, whose namespaces or volumes are used. */
  #containerOf(service: string): string {
    const { project, observed } = this.#parts
    const known = observed.containers.find((each) => each.service === service && !each.oneoff)
    const name = project.services[service]?.container_name ?? known?.name ?? `${project.name}-${service}-1`
    return this.#ids.get(name) ?? name
  }

  async #wait({ service, condition, required }: Of<'wait for service'>, signal: AbortSignal): Promise<void> {
    const { client, project, warn } = this.#parts
    const found = await client.containerQuery.list({
      all: true,
      filters: {
        label: [
          `com.docker.compose.project=${project.name}`,
          `com.docker.compose.service=${service}`,
          'com.docker.compose.oneoff=False',
        ],
      },
    })
    const containers = found.map(({ Id, Names }) => ({
      id: Id ?? '',
      name: (Names?.[0] ?? '').replace(/^\//, ''),
    }))
    try {
      await Promise.all(containers.map((container) => waitFor(this.#states, container, condition, signal)))
    } catch (error) {
      if (required || signal.aborted) throw error
      warn(
        `optional dependency ${service} failed to start: ${error instanceof Error ? error.message : String(error)}`,
      )
    }
  }
}
