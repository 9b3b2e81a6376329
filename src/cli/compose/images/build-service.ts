import { Readable } from 'node:stream'
import { imageOf } from '#compose/model/names.ts'
import type { Build, Project, Service, Ulimit } from '#compose/model/project.ts'
import { buildFlags } from '../../build/flags.ts'
import { runBuild } from '../../build/run-build.ts'
import type { Context } from '../../command.ts'
import { commandError } from '../../errors.ts'
import { parseFlags } from '../../flags.ts'

/** What `compose build` and `up --build` may add to what the file says. */
export interface BuildChoices {
  readonly args?: readonly string[]
  readonly noCache?: boolean
  readonly pull?: boolean
  readonly push?: boolean
  readonly quiet?: boolean
  readonly ssh?: string
  readonly memory?: string
  readonly check?: boolean
  readonly provenance?: string
  readonly sbom?: string
}

/** Builds the image of a service as `berth build` would; rejects when it fails. */
export async function buildService(
  project: Project,
  name: string,
  service: Service,
  context: Context,
  choices: BuildChoices = {},
): Promise<void> {
  const argv = buildArguments(project, name, service, choices)
  const { flags, args } = parseFlags(buildFlags, argv, { interspersed: true })
  const inline = service.build?.dockerfile_inline
  const io = inline === undefined ? context.io : { ...context.io, stdin: Readable.from([inline]) }
  const status = await runBuild(args[0] ?? '.', flags, { ...context, io })
  if (status !== 0) throw commandError(`service ${JSON.stringify(name)}: the build failed (${status})`)
}

/** The flags of `berth build` for a service. */
function buildArguments(
  project: Project,
  name: string,
  service: Service,
  choices: BuildChoices,
): readonly string[] {
  const build = service.build ?? {}
  const platforms = build.platforms ?? (service.platform === undefined ? [] : [service.platform])
  return [
    ...each('tag', [imageOf(project.name, name, service), ...(build.tags ?? [])]),
    ...dockerfileArguments(build),
    ...pairs('build-arg', build.args),
    ...each('build-arg', choices.args),
    ...pairs('label', build.labels),
    ...pairs('build-context', contexts(project, build.additional_contexts)),
    ...each('cache-from', build.cache_from),
    ...each('cache-to', build.cache_to),
    ...each(
      'add-host',
      build.extra_hosts?.map((line) => line.replace('=', ':')),
    ),
    ...each('allow', build.entitlements),
    ...each('platform', platforms),
    ...each('ssh', choices.ssh ? [choices.ssh] : build.ssh),
    ...each(
      'secret',
      build.secrets?.map(({ source, target }) => secretText(project, source, target ?? source)),
    ),
    ...each(
      'ulimit',
      Object.entries(build.ulimits ?? {}).map(([key, limit]) => `${key}=${ulimitText(limit)}`),
    ),
    ...once({
      target: build.target,
      network: build.network,
      'shm-size': build.shm_size,
      provenance: choices.provenance || build.provenance,
      sbom: choices.sbom || build.sbom,
      memory: choices.memory || undefined,
      allow: build.privileged === true ? 'security.insecure' : undefined,
    }),
    ...switches({
      'no-cache': build.no_cache === true || choices.noCache === true,
      pull: build.pull === true || choices.pull === true,
      push: choices.push === true,
      quiet: choices.quiet === true,
      check: choices.check === true,
    }),
    '--',
    build.context ?? '.',
  ]
}

function each(flag: string, values: readonly string[] = []): readonly string[] {
  return values.map((value) => `--${flag}=${value}`)
}

function pairs(flag: string, values: Readonly<Record<string, string | null>> = {}): readonly string[] {
  return each(
    flag,
    Object.entries(values).map(([key, value]) => (value === null ? key : `${key}=${value}`)),
  )
}

function once(values: Readonly<Record<string, string | undefined>>): readonly string[] {
  return Object.entries(values).flatMap(([flag, value]) =>
    value === undefined ? [] : [`--${flag}=${value}`],
  )
}

function switches(values: Readonly<Record<string, boolean>>): readonly string[] {
  return Object.entries(values).flatMap(([flag, given]) => (given ? [`--${flag}`] : []))
}

/** An inline Dockerfile comes on standard input. */
function dockerfileArguments({ context, dockerfile, dockerfile_inline }: Build): readonly string[] {
  if (dockerfile_inline !== undefined) return ['--file=-']
  return dockerfile === undefined ? [] : [`--file=${dockerfilePath(context ?? '.', dockerfile)}`]
}

function ulimitText(limit: Ulimit): string {
  return typeof limit === 'number' ? String(limit) : `${limit.soft}:${limit.hard}`
}

/** Relative to the context, unless it is absolute or the context is no directory. */
function dockerfilePath(context: string, dockerfile: string): string {
  const isLocal = context.startsWith('/')
  return dockerfile.startsWith('/') || !isLocal ? dockerfile : `${context}/${dockerfile}`
}

/** The image of another service stands for `service:NAME`. */
function contexts(
  project: Project,
  given: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const entries = Object.entries(given).map(([key, context]) => {
    const [, other] = /^service:(.+)$/.exec(context) ?? []
    const service = other === undefined ? undefined : project.services[other]
    return [
      key,
      other === undefined || service === undefined
        ? context
        : `docker-image://${imageOf(project.name, other, service)}`,
    ] as const
  })
  return Object.fromEntries(entries)
}

function secretText({ secrets }: Project, source: string, id: string): string {
  const { file, environment } = secrets[source] ?? {}
  return file === undefined ? `id=${id},env=${environment ?? source}` : `id=${id},src=${file}`
}
