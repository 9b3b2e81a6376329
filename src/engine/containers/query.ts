import { setImmediate as turn } from 'node:timers/promises'
import type {
  ContainerInspectResponse,
  ContainerSummary,
  ContainerTopResponse,
  FilesystemChange,
  Health,
} from '#api/generated/types.ts'
import type { Helper } from '#os/helper.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import type { Cancellable, ContainerQuery, Filters } from '../services.ts'
import { usageOrZero } from '../system/usage.ts'
import { linkNames, linkTarget, shownLinks } from '../networks/legacy-links.ts'
import type { Changes } from './changes.ts'
import type { Container } from './container.ts'
import type { ContainerEvents } from './events.ts'
import { isRestarting, notRunning } from './errors.ts'
import { inspectDocument } from './inspect.ts'
import { filterContainers, type ListContext, summaryOf, wantsAll } from './list.ts'
import type { PathsOf } from './paths.ts'
import type { ContainerRegistry } from './registry.ts'
import { runOf } from './state.ts'
import { parseTop } from './top.ts'

/** Samples the resources of running containers. */
export interface StatsSampler {
  sample(
    container: { readonly id: string; readonly name: string; readonly pid: number | undefined },
    options: {
      readonly stream: boolean
      readonly oneShot: boolean
      readonly ended: Promise<unknown>
    } & Cancellable,
  ): AsyncIterable<unknown>
}

export interface QueryDeps {
  readonly registry: ContainerRegistry
  readonly snapshots: Snapshots
  readonly helper: Helper
  readonly changes: Changes
  readonly stats: StatsSampler
  /** Id of a network by name; empty when it is gone. */
  readonly networkId: (name: string) => string
  readonly events: ContainerEvents
  readonly paths: PathsOf
  readonly upper: (id: string) => string
  readonly execsOf: (id: string) => readonly string[]
  readonly healthOf: (id: string) => Health | undefined
  readonly imageName: (container: Container) => string
  readonly descendants: (reference: string) => Promise<ReadonlySet<string>>
  /** Pids of all processes of a container. */
  readonly processes: (container: Container) => Promise<readonly number[]>
  /** Settles when the container's process has ended. */
  readonly ended: (id: string) => Promise<unknown>
}

/** Everything that only looks. Never waits for an operation on a container. */
export class Query implements ContainerQuery {
  readonly #deps: QueryDeps

  constructor(deps: QueryDeps) {
    this.#deps = deps
  }

  async list(options: {
    readonly all: boolean
    readonly limit: number | undefined
    readonly size: boolean
    readonly filters: Filters
  }): Promise<ContainerSummary[]> {
    const { registry } = this.#deps
    const context = await this.#listContext(options.filters)
    const limit = options.limit ?? 0
    const everything = options.all || limit > 0 || wantsAll(options.filters)
    const found = filterContainers(registry.all(), options.filters, context).filter(
      ({ state }) => everything || runOf(state) !== undefined || state.status === 'restarting',
    )
    const shown = limit > 0 ? found.slice(0, limit) : found
    const summaries = await summariesOf(shown, context)
    if (!options.size) return summaries
    return Promise.all(
      shown.map(async (container, i) => ({ ...summaries[i], ...(await this.#sizes(container)) })),
    )
  }

  async inspect(ref: string, options: { readonly size: boolean }): Promise<ContainerInspectResponse> {
    const { registry, networkId, paths, snapshots, execsOf, healthOf, upper } = this.#deps
    const container = linkTarget(registry, ref.replace(/^\//, '')) ?? registry.resolve(ref)
    const { id, state } = container
    const run = runOf(state)
    const document = inspectDocument(container, {
      paths: paths(id),
      networkId,
      links: shownLinks(this.#deps.registry, container),
      execIds: execsOf(id),
      health: healthOf(id),
      driver: snapshots.driver === 'erofs' ? 'erofs' : 'overlay2',
      upper: upper(id),
      sandboxKey: run === undefined ? '' : `/proc/${run.shimPid}/ns/net`,
    })
    return options.size ? { ...document, ...(await this.#sizes(container)) } : document
  }

  async top(ref: string, psArgs: string): Promise<ContainerTopResponse> {
    const { registry, helper, processes, events } = this.#deps
    const container = registry.resolve(ref)
    if (container.state.status === 'restarting') throw isRestarting(container.id)
    if (runOf(container.state) === undefined) throw notRunning(container.id)
    const args = psArgs.split(/\s+/).filter((arg) => arg !== '')
    const pids = await processes(container)
    // By itself ps leaves out what has a terminal; not every selection can be combined with the list.
    const picked = await helper.run(['ps', ...args, `-q${pids.join(',')}`])
    const top = parseTop(picked.code === 0 ? picked : await helper.run(['ps', ...args]), pids)
    events.publish(container, 'top')
    return top
  }

  async changes(ref: string): Promise<FilesystemChange[]> {
    return this.#deps.changes.of(this.#deps.registry.resolve(ref))
  }

  async *stats(
    ref: string,
    options: { readonly stream: boolean; readonly oneShot: boolean } & Cancellable,
  ): AsyncIterable<unknown> {
    const { id, name, state } = this.#deps.registry.resolve(ref)
    const pid = runOf(state)?.pid
    yield* this.#deps.stats.sample({ id, name, pid }, { ...options, ended: this.#deps.ended(id) })
  }

  async #sizes(container: Container): Promise<{ SizeRw: number; SizeRootFs: number }> {
    const { snapshots } = this.#deps
    const own = await usageOrZero(snapshots, container.id)
    const layers = await Promise.all(container.layers.map((layer) => snapshots.layer(layer)))
    return { SizeRw: own, SizeRootFs: own + layers.reduce((sum, layer) => sum + (layer?.size ?? 0), 0) }
  }

  async #listContext(filters: Filters): Promise<ListContext> {
    const { networkId, healthOf, imageName, descendants } = this.#deps
    const ancestors = new Map<string, ReadonlySet<string>>()
    for (const ancestor of filters.get('ancestor') ?? []) ancestors.set(ancestor, await descendants(ancestor))
    return {
      networkId,
      health: healthOf,
      now: new Date(),
      imageName: remembered(imageName),
      descendants: (reference) => ancestors.get(reference) ?? new Set(),
      linkNames: linkNames(this.#deps.registry),
    }
  }
}

/** Containers of a list that are described before others get their turn. */
const AT_ONCE = 100

async function summariesOf(
  containers: readonly Container[],
  context: ListContext,
): Promise<ContainerSummary[]> {
  const summaries: ContainerSummary[] = []
  for (const [i, container] of containers.entries()) {
    if (i > 0 && i % AT_ONCE === 0) await turn()
    summaries.push(summaryOf(container, context))
  }
  return summaries
}

/** Many containers have one image, and every look is one into the database. */
function remembered(imageName: ListContext['imageName']): ListContext['imageName'] {
  const names = new Map<string, string>()
  return (container) => {
    const key = `${container.image} ${container.imageId ?? ''}`
    const name = names.get(key) ?? imageName(container)
    names.set(key, name)
    return name
  }
}
