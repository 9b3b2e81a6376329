import type { ContainerSummary, EndpointSettings, Health } from '#api/generated/types.ts'
import { EngineError } from '#base/errors.ts'
import { hasLabel, matchesPattern } from '../filter-values.ts'
import type { Filters } from '../services.ts'
import { commandText, type StatusFacts, statusText } from './config/status.ts'
import type { Container } from './container.ts'
import { mountPoints, networkEndpoints, portSummaries } from './inspect.ts'
import { NEVER, lastOf, runOf } from './state.ts'

export interface ListContext {
  /** Id of a network by name; empty when it is gone. */
  readonly networkId: (name: string) => string
  readonly health: (id: string) => Health | undefined
  readonly now: Date
  /** The name to show for the image: its id once the reference points elsewhere. */
  readonly imageName: (container: Container) => string
  /** Ids of an image and of everything made from it. */
  readonly descendants: (reference: string) => ReadonlySet<string>
  /** Further names that links give to containers, by id. */
  readonly linkNames: ReadonlyMap<string, readonly string[]>
}

/** An entry of `GET /containers/json`. */
export function summaryOf(container: Container, context: ListContext): ContainerSummary {
  const health = context.health(container.id)
  return {
    Id: container.id,
    Names: [`/${container.name}`, ...(context.linkNames.get(container.id) ?? [])],
    Image: context.imageName(container),
    ImageID: container.imageId ?? '',
    Command: commandText(container.path, container.args),
    Created: Math.floor(Date.parse(container.createdAt) / 1000),
    Ports: portSummaries(container),
    Labels: container.config.Labels ?? {},
    State: container.state.status,
    Status: statusText(statusFacts(container, health?.Status ?? 'none'), context.now),
    HostConfig: hostConfigOf(container),
    Health: { Status: health?.Status ?? 'none', FailingStreak: health?.FailingStreak ?? 0 },
    NetworkSettings: { Networks: withoutNames(networkEndpoints(container, context.networkId)) },
    Mounts: mountPoints(container),
  }
}

/** A list has the addresses alone. */
function withoutNames(endpoints: Record<string, EndpointSettings>): Record<string, EndpointSettings> {
  const bare = {
    IPAMConfig: null,
    Links: null,
    Aliases: null,
    DriverOpts: null,
    DNSNames: null,
  }
  return Object.fromEntries(Object.entries(endpoints).map(([name, each]) => [name, { ...each, ...bare }]))
}

function hostConfigOf({ hostConfig }: Container): ContainerSummary['HostConfig'] {
  const { NetworkMode, Annotations } = hostConfig
  return { NetworkMode: NetworkMode ?? 'bridge', ...(Annotations ? { Annotations } : {}) }
}

function statusFacts({ state }: Container, health: StatusFacts['health']): StatusFacts {
  const run = runOf(state)
  const last = lastOf(state)
  const startedAt = run?.startedAt ?? last?.startedAt
  return {
    status: state.status,
    exitCode: last?.exitCode ?? 0,
    startedAt: startedAt === undefined ? undefined : new Date(startedAt),
    finishedAt: last === undefined || last.finishedAt === NEVER ? undefined : new Date(last.finishedAt),
    health,
  }
}

type Test = (container: Container, value: string, context: ListContext, all: readonly Container[]) => boolean

const tests: Readonly<Record<string, Test>> = {
  id: ({ id }, value) => id === value || matchesPattern(id, value),
  name: ({ name }, value) => matchesPattern(name, value) || matchesPattern(`/${name}`, value),
  status: ({ state }, value) => state.status === value,
  exited: ({ state }, value) => state.status === 'exited' && state.last.exitCode === Number(value),
  health: ({ id }, value, context) => (context.health(id)?.Status ?? 'none') === value,
  ancestor: ({ imageId }, value, context) => imageId !== undefined && context.descendants(value).has(imageId),
  before: (container, value, _context, all) => position(all, container.id) > position(all, value),
  since: (container, value, _context, all) => position(all, container.id) < position(all, value),
  volume: ({ mounts }, value) =>
    mounts.some((mount) => mount.name === value || mount.source === value || mount.destination === value),
  network: (container, value, context) =>
    Object.entries(networkEndpoints(container, context.networkId)).some(
      ([name, { NetworkID: id }]) => name === value || (value !== '' && id?.startsWith(value) === true),
    ),
  publish: (container, value) =>
    portSummaries(container).some(
      (port) => port.PublicPort !== undefined && portMatches(port.PublicPort, port.Type, value),
    ),
  // Of what does not run nothing is exposed.
  expose: (container, value) =>
    portSummaries(container).some((port) => portMatches(port.PrivatePort, port.Type, value)),
  isolation: () => true,
  'is-task': (_container, value) => value === 'false',
}

const statuses = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead']
const healths = ['none', 'starting', 'healthy', 'unhealthy']

/** Applies `filters`; values of one key are alternatives, except labels, which must all match. */
export function filterContainers(
  all: readonly Container[],
  filters: Filters,
  context: ListContext,
): Container[] {
  checkFilters(all, filters)
  return all.filter((container) =>
    [...filters].every(([key, values]) => {
      if (key === 'label') return values.every((value) => hasLabel(container.config.Labels, value))
      const test = tests[key]
      return (
        test === undefined ||
        values.length === 0 ||
        values.some((value) => test(container, value, context, all))
      )
    }),
  )
}

function checkFilters(all: readonly Container[], filters: Filters): void {
  for (const [key, values] of filters) {
    if (key !== 'label' && tests[key] === undefined) throw invalid(`invalid filter '${key}'`)
    for (const value of values) checkValue(all, key, value)
  }
}

function checkValue(all: readonly Container[], key: string, value: string): void {
  if (key === 'status' && !statuses.includes(value)) throw notOneOf('status', 'state', value, statuses)
  if (key === 'health' && !healths.includes(value)) throw notOneOf('health', 'health', value, healths)
  if (key === 'is-task' && !isBoolean(value)) throw invalid(`invalid filter 'is-task=[${value}]'`)
  if (key === 'exited' && !/^-?\d+$/.test(value)) throw invalid(`invalid filter 'exited=${value}'`)
  if ((key === 'before' || key === 'since') && position(all, value) < 0) {
    throw new EngineError('not_found', `No such container: ${value}`, { code: 'CONTAINER_NOT_FOUND' })
  }
}

function notOneOf(filter: string, what: string, value: string, known: readonly string[]): EngineError {
  return invalid(
    `invalid filter '${filter}=${value}': invalid value for ${what} (${value}): must be one of ${known.join(', ')}`,
  )
}

function isBoolean(text: string): boolean {
  return /^(1|0|true|false)$/i.test(text)
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'FILTER_INVALID' })
}

function position(all: readonly Container[], ref: string): number {
  const name = ref.replace(/^\//, '')
  const exact = all.findIndex((container) => container.id === ref || container.name === name)
  return exact >= 0 ? exact : all.findIndex((container) => container.id.startsWith(ref))
}

/** `80`, `80/tcp`, `80-90/udp`. */
function portMatches(
  port: number | null | undefined,
  protocol: string | null | undefined,
  wanted: string,
): boolean {
  const [range = '', type = 'tcp'] = wanted.split('/')
  const [first = 0, last = first] = range.split('-').map(Number)
  return port !== null && port !== undefined && type === protocol && port >= first && port <= last
}

/** Whether a filter asks for containers that do not run. */
export function wantsAll(filters: Filters): boolean {
  return (filters.get('status') ?? []).length > 0
}
