import type { Project } from '#compose/model/project.ts'
import { observeContainers } from '#compose/state/observe.ts'
import { type ObservedContainer, isUp } from '#compose/state/observed.ts'
import { commandError } from '../errors.ts'
import type { ComposeContext } from './subcommand.ts'

export interface Found {
  readonly name: string
  /** Undefined: the project is known by its name alone. */
  readonly project: Project | undefined
  readonly containers: readonly ObservedContainer[]
}

/** Containers of the named services, or of all; without those of `run` unless they are asked for. */
export async function findContainers(
  services: readonly string[],
  context: ComposeContext,
  options: { readonly oneoff?: boolean } = {},
): Promise<Found> {
  const { name, project } = await context.source.name()
  const all = await observeContainers(context.client, name)
  const known = new Set([
    ...Object.keys({ ...project?.services, ...project?.disabled }),
    ...all.map(({ service }) => service),
  ])
  const unknown = services.find((service) => !known.has(service))
  if (unknown !== undefined)
    throw commandError(`no such service: ${unknown}; the project has ${[...known].toSorted().join(', ')}`)
  const containers = all
    .filter(({ oneoff }) => options.oneoff === true || !oneoff)
    .filter(({ service }) => services.length === 0 || services.includes(service))
  return { name, project, containers }
}

/** The one container of a service that is meant: that with the number, or the first. */
export async function findContainer(
  service: string,
  index: number | undefined,
  context: ComposeContext,
  options: { readonly running?: boolean } = {},
): Promise<ObservedContainer> {
  const { containers } = await findContainers([service], context)
  const found = containers.find(
    (each) => (index === undefined || each.number === index) && (options.running !== true || isUp(each)),
  )
  if (found !== undefined) return found
  if (index !== undefined)
    throw commandError(`service ${JSON.stringify(service)} is not running container #${index}`)
  const hint =
    options.running === true ? `'berth compose up -d ${service}' starts it` : `'berth compose up' makes it`
  throw commandError(
    `service ${JSON.stringify(service)} ${options.running === true ? 'is not running' : 'has no container'}; ${hint}`,
  )
}

/** Without the name of the project, as lines of logs begin. */
export function shortName(container: Pick<ObservedContainer, 'name'>, project: string): string {
  return container.name.startsWith(`${project}-`) ? container.name.slice(project.length + 1) : container.name
}
