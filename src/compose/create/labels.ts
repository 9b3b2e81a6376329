import type { Project, Service, Values } from '../model/project.ts'
import { COMPOSE_VERSION, labels } from '../state/labels.ts'

/** What is known of a container besides its service. */
export interface Identity {
  readonly service: string
  readonly number: number
  readonly oneoff: boolean
  readonly hash: string
  /** The id of the image that it is made of. */
  readonly imageId: string | undefined
  /** The id of the container that this one is to replace. */
  readonly replaces?: string | undefined
}

/** The labels of a container: those of its service, and those by which it is found again. */
export function containerLabels(project: Project, service: Service, identity: Identity): Values {
  const { directory, files, envFiles } = project
  return {
    ...service.labels,
    [labels.hash]: identity.hash,
    [labels.number]: String(identity.number),
    [labels.dependsOn]: dependencyLabel(service),
    ...(identity.imageId === undefined ? {} : { [labels.image]: identity.imageId }),
    [labels.oneoff]: identity.oneoff ? 'True' : 'False',
    [labels.project]: project.name,
    [labels.files]: files.join(','),
    [labels.directory]: directory,
    ...(envFiles.length === 0 ? {} : { [labels.envFiles]: envFiles.join(',') }),
    ...(identity.replaces === undefined ? {} : { [labels.replace]: identity.replaces }),
    [labels.service]: identity.service,
    [labels.version]: COMPOSE_VERSION,
  }
}

/** `NAME:CONDITION:RESTART`, with commas between. */
function dependencyLabel({ depends_on = {} }: Service): string {
  return Object.entries(depends_on)
    .map(([name, { condition, restart = false }]) => `${name}:${condition}:${restart}`)
    .join(',')
}

/** The labels of a network or volume. */
export function resourceLabels(
  project: Project,
  {
    own = {},
    hash,
    kind,
    key,
  }: { own?: Values | undefined; hash: string; kind: 'network' | 'volume'; key: string },
): Record<string, string> {
  return {
    ...own,
    [labels.hash]: hash,
    [labels[kind]]: key,
    [labels.project]: project.name,
    [labels.version]: COMPOSE_VERSION,
  }
}
