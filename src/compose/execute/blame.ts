import { EngineError, engineErrorOf, messageOf } from '#base/errors.ts'
import { placeText, problemsOf } from '../document/errors.ts'
import type { DocumentPath } from '../document/places.ts'
import type { FileReference, Project, Service } from '../model/project.ts'
import type { Operation } from '../plan/operation.ts'

/**
 * An error of an operation, told with the line of the project files that asks for what could not be done. One that names a
 * line already stays as it is.
 */
export function located(project: Project, operation: Operation, error: unknown): unknown {
  const path = blamedBy(project, operation, messageOf(error))
  return path === undefined ? error : locatedAt(project, path, error)
}

/** The same for an error that is known to be about this part of the project. */
export function locatedAt(project: Project, path: DocumentPath, error: unknown): unknown {
  const place = project.placeOf(...path)
  if (place === undefined || problemsOf(error) !== undefined) return error
  const { kind = 'internal', details = {} } = engineErrorOf(error) ?? {}
  const message = messageOf(error)
  return new EngineError(kind, `${placeText(place)}: ${message}`, {
    code: 'COMPOSE_FAILED',
    cause: error,
    details: { ...details, problems: [{ place, message }] },
  })
}

/** Undefined: what is removed is in no file any more. */
function blamedBy(project: Project, operation: Operation, message: string): DocumentPath | undefined {
  switch (operation.type) {
    case 'create network':
      return ['networks', operation.network]
    case 'create volume':
      return ['volumes', operation.volume]
    case 'pull image':
      return ['services', operation.service, 'image']
    case 'build image':
      return ['services', operation.service, 'build']
    case 'wait for service':
      return waitingFor(project, operation.service)
    case 'start container':
      return partOfService(project, operation.service, message)
    case 'create container':
    case 'replace container':
    case 'restart container':
    case 'stop container':
    case 'remove container':
    case 'rename container':
      return partOfService(project, operation.container.service, message)
    case 'remove network':
    case 'remove volume':
    case 'remove image':
      return undefined
  }
}

/** The dependency on a service, in the first that has it. */
function waitingFor(project: Project, service: string): DocumentPath {
  const waiting = Object.entries(project.services).find(
    ([, { depends_on }]) => depends_on?.[service] !== undefined,
  )
  return waiting === undefined ? ['services', service] : ['services', waiting[0], 'depends_on', service]
}

/** The attribute that an engine's message is about, as far as it tells; else the service. */
function partOfService(project: Project, name: string, message: string): DocumentPath {
  const service = project.services[name]
  const own = ['services', name]
  if (service === undefined) return own
  const file = missingFile(project, service, message)
  if (file !== undefined) return file
  const port = PORT.exec(message)?.groups?.['port']
  if (port !== undefined)
    return [...own, 'ports', ...indexOf(service.ports, ({ published }) => published === port)]
  const mount = indexOf(
    service.volumes,
    ({ type, source = '' }) => type === 'bind' && message.includes(source),
  )
  if (mount.length > 0) return [...own, 'volumes', ...mount]
  if (PROGRAM.test(message)) return [...own, service.entrypoint?.length ? 'entrypoint' : 'command']
  return own
}

const PORT = /failed to bind host port (?:for )?\S*?:(?<port>\d+)(?::|\/)/
const PROGRAM = /exec: "|executable file not found/

function missingFile(
  { secrets, configs }: Project,
  service: Service,
  message: string,
): DocumentPath | undefined {
  const sections = [
    ['secrets', secrets, service.secrets],
    ['configs', configs, service.configs],
  ] as const
  for (const [section, resources, references = []] of sections) {
    const isMissing = ({ source }: FileReference): boolean => {
      const file = resources[source]?.file
      return file !== undefined && message.includes(file)
    }
    const found = references.find(isMissing)
    if (found !== undefined) return [section, found.source, 'file']
  }
  return undefined
}

/** Nothing when there is no such item, or no way to tell. */
function indexOf<T>(items: readonly T[] | undefined, isBlamed: (item: T) => boolean): readonly number[] {
  const index = (items ?? []).findIndex(isBlamed)
  return index === -1 ? [] : [index]
}
