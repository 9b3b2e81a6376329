/** From files to a project: read, merge, check, and bring into Compose's normal form. */
import { dirname, resolve } from 'node:path'
import { type Problem, composeError, problemAt, projectError } from '../document/errors.ts'
import { type Mapping, type Plain, entryOf, plainOf, textOf } from '../document/node.ts'
import { placeIn } from '../document/places.ts'
import type { Lookup } from '../environment/template.ts'
import { dependencyGraph, findCycle, withDependencies } from '../model/graph.ts'
import { normalService } from '../model/normal.ts'
import type { Project, Service } from '../model/project.ts'
import { checkProjectName, normalProjectName } from '../model/project-name.ts'
import { orderedResource, orderedService } from '../model/write.ts'
import { documentOf, sortedPlain } from '../schema/document.ts'
import { project as projectShape } from '../schema/project.ts'
import { any } from '../schema/shape.ts'
import { inconsistencies, sharedNames } from './consistency.ts'
import { interpolate } from './interpolate.ts'
import { parseDocuments } from '../document/parse.ts'
import { projectVariables } from './environment.ts'
import { type Files, discoverFiles } from './files.ts'
import { loadFiles } from './load.ts'
import { withServiceFiles } from './service-files.ts'
import type { Loading } from './source.ts'

export interface LoadOptions {
  readonly cwd: string
  readonly home: string
  readonly shell: ReadonlyMap<string, string>
  readonly files: Files
  /** Named project files; none: they are looked for. */
  readonly paths: readonly string[]
  readonly directory?: string | undefined
  readonly name?: string | undefined
  readonly envFiles: readonly string[]
  readonly profiles: readonly string[]
  readonly warn: (message: string) => void
  readonly interpolates?: boolean
  readonly resolvesPaths?: boolean
  readonly normalizes?: boolean
  readonly checks?: boolean
}

/** The project that the files describe, services of profiles that are not enabled apart. */
export function loadProject(options: LoadOptions): Project {
  const { cwd, files, shell } = options
  const start = options.directory === undefined ? cwd : resolve(cwd, options.directory)
  const paths = projectFiles(options, start)
  const [first = start] = paths
  const directory = options.directory === undefined ? (first === '-' ? cwd : dirname(first)) : start
  const { variables, envFiles } = projectVariables(shell, { directory, cwd, named: options.envFiles, files })
  const lookup: Lookup = (name) => variables.get(name)
  const chosen = options.name || variables.get('COMPOSE_PROJECT_NAME') || undefined
  const name =
    chosen === undefined
      ? namedInFiles(paths, lookup, files) || nameOfDirectory(directory)
      : checkProjectName(chosen)
  // Files may use the name that one of them gives.
  variables.set('COMPOSE_PROJECT_NAME', name)

  const merged = loadFiles(paths, { directory, lookup, includedBy: [] }, loadingOf(options))
  if (options.checks !== false) throwProblems(inconsistencies(merged))
  const services = servicesOf(merged, options, lookup)
  const profiles = enabledProfiles(options, variables)
  const active = Object.entries(services).filter(([, service]) => isEnabled(service, profiles))
  const disabled = Object.entries(services).filter(([, service]) => !isEnabled(service, profiles))
  const project: Project = {
    name,
    ...resourcesOf(merged, name, options.normalizes !== false),
    services: Object.fromEntries(active),
    disabled: Object.fromEntries(disabled),
    models: modelsOf(merged),
    extensions: extensionsOf(merged),
    directory,
    files: paths,
    envFiles,
    environment: variables,
    placeOf: (...path) => placeIn(merged, path),
  }
  return options.checks === false ? project : checkDependencies(project, merged)
}

function projectFiles({ paths, cwd, files, warn }: LoadOptions, start: string): readonly string[] {
  if (paths.length > 0) return paths.map((path) => (path === '-' ? path : resolve(cwd, path)))
  const found = discoverFiles(files, start, warn)
  if (found !== undefined) return found
  throw projectError(
    `no configuration file provided: not found; there is no compose.yaml in ${start} or above it. Name one with -f`,
  )
}

function loadingOf(options: LoadOptions): Loading {
  const told = new Set<string>()
  const { files, home, warn, interpolates = true, resolvesPaths = true } = options
  return {
    files,
    home,
    warn,
    interpolates,
    resolvesPaths,
    missing(name) {
      if (told.has(name)) return
      told.add(name)
      warn(`The "${name}" variable is not set. Defaulting to a blank string.`)
    },
  }
}

/** What the last file with a `name` says, made valid; empty: none of them has one. */
function namedInFiles(paths: readonly string[], lookup: Lookup, files: Files): string {
  let name = ''
  for (const path of paths) {
    for (const document of parseDocuments(files.read(path) ?? '', path)) {
      const given = entryOf(document, 'name')
      const text = given === undefined ? undefined : textOf(interpolate(given, lookup, () => undefined))
      if (text !== undefined && text !== '') name = normalProjectName(text.replaceAll('/', ''))
    }
  }
  return name
}

function nameOfDirectory(directory: string): string {
  const name = normalProjectName(directory)
  if (name !== '') return name
  throw projectError(
    'project name must not be empty; choose one with -p, COMPOSE_PROJECT_NAME, or name: in the file',
  )
}

function servicesOf(
  merged: Mapping,
  options: LoadOptions,
  lookup: Lookup,
): Readonly<Record<string, Service>> {
  const shape = projectShape.fields['services']
  if (shape === undefined) return {}
  const document = documentOf(entryOf(merged, 'services'), shape) ?? {}
  const { normalizes = true } = options
  const services = Object.entries(document as unknown as Readonly<Record<string, Service>>)
  return Object.fromEntries(
    services.map(([name, service]) => [
      name,
      orderedService(normalizes ? normalService(service, lookup) : service),
    ]),
  )
}

type Resources = Pick<Project, 'networks' | 'volumes' | 'secrets' | 'configs'>

/** What services use, under the names that they have in the engine. */
function resourcesOf(merged: Mapping, project: string, normalizes: boolean): Resources {
  const section = (key: keyof Resources): Record<string, { name?: string; external?: boolean }> => {
    const shape = projectShape.fields[key]
    const node = entryOf(merged, key)
    if (shape === undefined || node?.kind !== 'mapping') return {}
    const named = [...node.entries].map(([name, value]) => [
      name,
      { ...(documentOf(value, valueShape(shape)) as object) },
    ])
    return Object.fromEntries(named) as Record<string, { name?: string; external?: boolean }>
  }
  const named = (key: keyof Resources): never => {
    const resources = section(key)
    if (key === 'networks' && normalizes) resources['default'] ??= { ipam: {} } as object
    return Object.fromEntries(
      Object.entries(resources).map(([name, resource]) => {
        const fallback = resource.external === true ? name : `${project}_${name}`
        return [name, orderedResource(key, normalizes ? { name: fallback, ...resource } : resource)]
      }),
    ) as never
  }
  return {
    networks: named('networks'),
    volumes: named('volumes'),
    secrets: named('secrets'),
    configs: named('configs'),
  }
}

function modelsOf(merged: Mapping): Readonly<Record<string, unknown>> {
  const node = entryOf(merged, 'models')
  return node === undefined
    ? {}
    : (documentOf(node, projectShape.fields['models'] ?? any) as Record<string, unknown>)
}

function valueShape(shape: (typeof projectShape)['fields'][string]): typeof shape {
  return shape.kind === 'map' ? shape.value : shape
}

function extensionsOf(merged: Mapping): Readonly<Record<string, Plain>> {
  const own = [...merged.entries].filter(([key]) => key.startsWith('x-'))
  return Object.fromEntries(own.map(([key, node]) => [key, sortedPlain(plainOf(node))]))
}

function enabledProfiles(options: LoadOptions, variables: ReadonlyMap<string, string>): ReadonlySet<string> {
  const configured = (variables.get('COMPOSE_PROFILES') ?? '').split(',').map((each) => each.trim())
  return new Set([...options.profiles, ...configured].filter((each) => each !== ''))
}

function isEnabled({ profiles = [] }: Service, enabled: ReadonlySet<string>): boolean {
  return profiles.length === 0 || enabled.has('*') || profiles.some((each) => enabled.has(each))
}

/** No circles, no name twice, and nothing that is needed is disabled. Dependencies that need not be there are dropped when they are not. */
function checkDependencies(project: Project, merged: Mapping): Project {
  const all = { ...project.services, ...project.disabled }
  const cycle = findCycle(dependencyGraph(all))
  if (cycle !== undefined) {
    const [first = '', second = ''] = cycle
    throw problemAt(
      placeIn(merged, ['services', first, 'depends_on', second]),
      `dependency cycle detected: ${cycle.join(' -> ')}`,
    )
  }
  const problems: Problem[] = [...sharedNames(project)]
  for (const [name, service] of Object.entries(project.services)) {
    for (const [other, { required }] of Object.entries(service.depends_on ?? {})) {
      if (!required || Object.hasOwn(project.services, other) || !Object.hasOwn(project.disabled, other))
        continue
      const profiles = project.disabled[other]?.profiles ?? []
      problems.push({
        place: placeIn(merged, ['services', name, 'depends_on', other]),
        message: `service ${JSON.stringify(name)} depends on ${JSON.stringify(other)}, which needs a profile; enable it with --profile ${profiles[0] ?? ''}`,
      })
    }
  }
  throwProblems(problems)
  return project
}

function throwProblems(problems: readonly Problem[]): void {
  if (problems.length > 0) throw composeError(problems)
}

/**
 * The project as far as these services and what they need go; all when none is named. Naming a service enables it. With
 * `dependencies` off, the named ones alone.
 */
export function selectServices(
  project: Project,
  names: readonly string[],
  options: { readonly dependencies: boolean } = { dependencies: true },
): Project {
  if (names.length === 0) return project
  const all = { ...project.services, ...project.disabled }
  for (const name of names) {
    if (!Object.hasOwn(all, name)) throw projectError(`no such service: ${name}${known(Object.keys(all))}`)
  }
  const wanted = options.dependencies ? withDependencies(names, dependencyGraph(all)) : new Set(names)
  const chosen = Object.entries(all).filter(([name]) => wanted.has(name))
  const others = Object.entries(all).filter(([name]) => !wanted.has(name))
  return { ...project, services: Object.fromEntries(chosen), disabled: Object.fromEntries(others) }
}

function known(names: readonly string[]): string {
  return names.length === 0 ? '' : `; the project has ${names.toSorted().join(', ')}`
}

/** The project with what `env_file` and `label_file` of its services say in the place of these. */
export function withFilesRead(project: Project, files: Files): Project {
  const lookup: Lookup = (name) => project.environment.get(name)
  const services = Object.entries(project.services).map(([name, service]) => [
    name,
    orderedService(withServiceFiles(name, service, { files, lookup, placeOf: project.placeOf })),
  ])
  return { ...project, services: Object.fromEntries(services) as Project['services'] }
}

/** Without networks, volumes, secrets and configurations that no service uses. */
export function withoutUnused(project: Project): Project {
  const services = Object.values(project.services)
  const used = {
    networks: services.flatMap(({ networks = {} }) => Object.keys(networks)),
    volumes: services.flatMap(({ volumes = [] }) => volumes.map(({ source }) => source)),
    secrets: services.flatMap(({ secrets = [], build }) =>
      [...secrets, ...(build?.secrets ?? [])].map(({ source }) => source),
    ),
    configs: services.flatMap(({ configs = [] }) => configs.map(({ source }) => source)),
  }
  const kept = <T>(
    resources: Readonly<Record<string, T>>,
    names: readonly (string | undefined)[],
  ): Record<string, T> =>
    Object.fromEntries(Object.entries(resources).filter(([name]) => names.includes(name)))
  return {
    ...project,
    networks: kept(project.networks, used.networks),
    volumes: kept(project.volumes, used.volumes),
    secrets: kept(project.secrets, used.secrets),
    configs: kept(project.configs, used.configs),
  }
}
