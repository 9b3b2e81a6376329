import type {
  ContainerConfig,
  ContainerCreateResponse,
  ContainerUpdateResponse,
  ContainerWaitResponse,
  HostConfig,
  NetworkingConfig,
  PortMap,
  Resources,
  RestartPolicy,
} from '#api/generated/types.ts'
import type { ContainerWhy } from '#api/container-why.ts'
import { filtersQuery, type Filters } from './filters.ts'
import { textOf, type Transport } from './transport.ts'
import { segment } from './segment.ts'

export type ContainerCreateBody = ContainerConfig & {
  HostConfig?: HostConfig
  NetworkingConfig?: NetworkingConfig
}

export type ContainerUpdateBody = Resources & {
  RestartPolicy?: RestartPolicy
  /** Published ports: an extension of ours. A port of `PublishRemove` without bindings goes altogether. */
  Berth?: { PublishAdd?: PortMap; PublishRemove?: PortMap }
}

export type WaitCondition = 'not-running' | 'next-exit' | 'removed'

export interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

export interface StopOptions {
  /** Seconds until SIGKILL; -1 waits for ever. */
  readonly timeout?: number | undefined
  readonly signal?: string | undefined
}

/** What changes the state of a container. References are names, ids or prefixes of ids. */
export class Containers {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** Why it is in its state: who stopped it, how it ended, its last lines. */
  async why(ref: string): Promise<ContainerWhy> {
    return this.#transport.json('GET', `/berth/containers/${segment('container', ref)}/why`)
  }

  async create(
    body: ContainerCreateBody,
    options: {
      readonly name?: string | undefined
      readonly platform?: string | undefined
    } & Cancellable = {},
  ): Promise<ContainerCreateResponse> {
    const { name, platform, signal } = options
    return this.#transport.json('POST', '/containers/create', {
      query: { name, platform },
      json: body,
      signal,
    })
  }

  /** False: it was running already. */
  async start(ref: string, options: Cancellable = {}): Promise<boolean> {
    return (await this.#transport.status('POST', at(ref, '/start'), options)) !== 304
  }

  /** False: it was not running. */
  async stop(ref: string, options: StopOptions = {}): Promise<boolean> {
    const query = { t: options.timeout, signal: options.signal }
    return (await this.#transport.status('POST', at(ref, '/stop'), { query })) !== 304
  }

  async restart(ref: string, options: StopOptions = {}): Promise<void> {
    const query = { t: options.timeout, signal: options.signal }
    await this.#transport.status('POST', at(ref, '/restart'), { query })
  }

  async kill(ref: string, signal?: string): Promise<void> {
    await this.#transport.status('POST', at(ref, '/kill'), { query: { signal } })
  }

  async pause(ref: string): Promise<void> {
    await this.#transport.status('POST', at(ref, '/pause'))
  }

  async unpause(ref: string): Promise<void> {
    await this.#transport.status('POST', at(ref, '/unpause'))
  }

  async rename(ref: string, name: string): Promise<void> {
    await this.#transport.status('POST', at(ref, '/rename'), { query: { name } })
  }

  async update(ref: string, body: ContainerUpdateBody): Promise<ContainerUpdateResponse> {
    return this.#transport.json('POST', at(ref, '/update'), { json: body })
  }

  async remove(
    ref: string,
    options: { readonly force?: boolean; readonly volumes?: boolean; readonly link?: boolean } = {},
  ): Promise<void> {
    const query = { force: options.force, v: options.volumes, link: options.link }
    await this.#transport.status('DELETE', at(ref, ''), { query })
  }

  async prune(
    filters?: Filters,
  ): Promise<{ ContainersDeleted?: string[] | null; SpaceReclaimed?: number | null }> {
    return this.#transport.json('POST', '/containers/prune', {
      query: { filters: filtersQuery(filters) },
    })
  }

  /** Resolves once the server has registered the waiter; only then may the container be started. */
  async wait(
    ref: string,
    condition: WaitCondition,
    options: Cancellable = {},
  ): Promise<{ readonly result: Promise<ContainerWaitResponse> }> {
    const { signal } = options
    const response = await this.#transport.open('POST', at(ref, '/wait'), { query: { condition }, signal })
    const result = textOf(response).then((text) => JSON.parse(text) as ContainerWaitResponse)
    // The caller may look at it much later, or never; a lost connection must not end the process until then.
    result.catch(() => undefined)
    return { result }
  }
}

/** The path of something below a container. */
export function at(ref: string, suffix: string): string {
  return `/containers/${segment('container', ref)}${suffix}`
}
