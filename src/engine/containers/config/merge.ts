import { posix } from 'node:path'
import type { ContainerConfig, HealthConfig } from '#api/generated/types.ts'
import type { RunConfig } from '#oci/image-spec.ts'
import { invalidConfig } from './errors.ts'

export interface MergedConfig {
  /** The container's final configuration, with the fields that Docker always emits. */
  readonly config: ContainerConfig
  /** What is executed. */
  readonly path: string
  readonly args: readonly string[]
}

/**
 * The configuration of a new container: what the client said, completed from the image. Environment, labels, exposed
 * ports and volumes are united with the client winning; an entrypoint of the client's drops the image's command. Nothing
 * of the image reaches the host's side of a container. Fails with `no command specified`.
 */
export function mergeConfig(body: ContainerConfig, image: RunConfig): MergedConfig {
  const { entrypoint, command } = mergeCommand(body, image)
  const [path, ...args] = [...(entrypoint ?? []), ...(command ?? [])]
  if (path === undefined) throw invalidConfig('no command specified')

  const config = { ...plainFields(body), ...mergedFields(body, image), Cmd: command, Entrypoint: entrypoint }
  return { config, path, args }
}

/** What only the client can say. */
function plainFields(body: ContainerConfig): ContainerConfig {
  return {
    Hostname: body.Hostname ?? '',
    Domainname: body.Domainname ?? '',
    AttachStdin: body.AttachStdin ?? false,
    AttachStdout: body.AttachStdout ?? false,
    AttachStderr: body.AttachStderr ?? false,
    Tty: body.Tty ?? false,
    OpenStdin: body.OpenStdin ?? false,
    StdinOnce: body.StdinOnce ?? false,
    Image: body.Image ?? '',
    ...(body.NetworkDisabled ? { NetworkDisabled: true } : {}),
    ...(typeof body.StopTimeout === 'number' ? { StopTimeout: body.StopTimeout } : {}),
  }
}

/** What the image completes. */
function mergedFields(body: ContainerConfig, image: RunConfig): ContainerConfig {
  const exposed = { ...image.ExposedPorts, ...body.ExposedPorts }
  const healthcheck = mergeHealthcheck(body.Healthcheck, image.Healthcheck)
  // That of the image is for its own build alone.
  const shell = filled(body.Shell)
  const stopSignal = body.StopSignal || image.StopSignal
  return {
    User: body.User || image.User || '',
    ...(isEmpty(exposed) ? {} : { ExposedPorts: exposed }),
    Env: mergeEnv(body.Env ?? [], image.Env ?? []),
    ...(healthcheck === undefined ? {} : { Healthcheck: healthcheck }),
    Volumes: emptyToNull({ ...image.Volumes, ...body.Volumes }),
    WorkingDir: cleanDirectory(body.WorkingDir || image.WorkingDir || ''),
    OnBuild: body.OnBuild ?? null,
    Labels: { ...image.Labels, ...body.Labels },
    ...(stopSignal ? { StopSignal: stopSignal } : {}),
    ...(shell === undefined ? {} : { Shell: shell }),
  }
}

/** `/a//b/` is `/a/b`; what is not absolute is refused later. */
function cleanDirectory(path: string): string {
  return path.startsWith('/') ? posix.resolve(path) : path
}

/**
 * No entrypoint in the request: the image's. `[]`: none, but the image's command is kept. `[""]`: none, and no command
 * of the image either.
 */
function mergeCommand(
  body: ContainerConfig,
  image: RunConfig,
): { entrypoint: string[] | null; command: string[] | null } {
  const own = filled(body.Entrypoint)
  const command = filled(body.Cmd) ?? (own === undefined ? copy(image.Cmd) : null)
  if (own?.length === 1 && own[0] === '') return { entrypoint: null, command }
  return { entrypoint: own ?? body.Entrypoint ?? copy(image.Entrypoint), command }
}

/**
 * The client's entries, then those of the image whose names it does not use. An entry of an image without a name or a
 * value would mean "take it from the environment" to some; it is dropped (CVE-2026-57231).
 */
function mergeEnv(own: readonly string[], image: readonly string[]): string[] {
  const names = new Set(own.map(nameOf))
  return [...own, ...image.filter((entry) => entry.indexOf('=') > 0 && !names.has(nameOf(entry)))]
}

function nameOf(entry: string): string {
  return entry.split('=', 1)[0] ?? ''
}

/** Field by field; zero means "not said". `["NONE"]` in the request turns the image's off. */
function mergeHealthcheck(
  own: HealthConfig | null | undefined,
  image: RunConfig['Healthcheck'],
): HealthConfig | undefined {
  if (!own && !image) return undefined
  const said = (check: object | null | undefined): HealthConfig =>
    Object.fromEntries(
      Object.entries(check ?? {}).filter(([, value]) =>
        Array.isArray(value) ? value.length > 0 : Boolean(value),
      ),
    )
  return { ...said(image), ...said(own) }
}

function filled<T>(list: readonly T[] | null | undefined): T[] | undefined {
  return list && list.length > 0 ? [...list] : undefined
}

function copy(list: readonly string[] | null | undefined): string[] | null {
  return list ? [...list] : null
}

function isEmpty(record: object): boolean {
  return Object.keys(record).length === 0
}

function emptyToNull<T extends object>(record: T): T | null {
  return isEmpty(record) ? null : record
}
