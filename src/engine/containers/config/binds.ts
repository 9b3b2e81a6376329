import { posix } from 'node:path'
import type { ContainerConfig, HostConfig, Mount } from '#api/generated/types.ts'
import { invalidConfig } from './errors.ts'
import { checkName } from '../../volumes/names.ts'
import { mountDestination, quotedInvalidMode } from './mount-paths.ts'
import { type MountRequest, plainRequest, propagations } from './mount-request.ts'
import { parseMount } from './mount-specs.ts'
import { checkProcPlace } from './proc-places.ts'
import { tmpfsOptions } from './tmpfs-options.ts'

export { type MountRequest, plainRequest } from './mount-request.ts'

/** What a request for mounts is read with. */
export interface MountContext {
  /** Mounts of another container, for `VolumesFrom`; fails when there is no such container. */
  readonly donorMounts: (container: string) => readonly MountRequest[]
  /** Where the engine keeps its own files. */
  readonly dataRoot: string
  /** Read-only entries of `Binds` leave mounts below them as they are: so it was before API 1.44. */
  readonly shallowReadOnly?: boolean | undefined
}

/**
 * Everything a container mounts, one request per destination: what other containers lend, `Binds`, `Mounts`, `Tmpfs`, and
 * an anonymous volume for each declared volume that nothing else covers. What is lent gives way to the rest; otherwise a
 * destination named twice is `Duplicate mount point: /x`.
 */
export function mountRequests(
  config: ContainerConfig,
  hostConfig: HostConfig,
  { donorMounts, dataRoot, shallowReadOnly }: MountContext,
): MountRequest[] {
  const own = new Map<string, MountRequest>()
  const add = (request: MountRequest): void => {
    if (request.type === 'volume' && request.source !== '') checkName(request.source)
    if (own.has(request.destination)) throw invalidConfig(`Duplicate mount point: ${request.destination}`)
    own.set(request.destination, request)
  }
  for (const bind of hostConfig.Binds ?? []) {
    const request = parseBind(bind, hostConfig.VolumeDriver ?? '')
    const shallow = shallowReadOnly === true ? ({ recursiveReadOnly: 'no' } as const) : {}
    add({ ...aroundDataRoot(request, bindPropagation(bind), dataRoot), ...shallow })
  }
  for (const mount of hostConfig.Mounts ?? []) {
    add(aroundDataRoot(parseMount(mount), mount.BindOptions?.Propagation, dataRoot))
  }
  for (const [path, options] of Object.entries(hostConfig.Tmpfs ?? {})) add(parseTmpfs(path, options))

  const lent = new Map<string, MountRequest>()
  for (const spec of hostConfig.VolumesFrom ?? []) {
    for (const request of borrowed(spec, donorMounts)) lent.set(request.destination, request)
  }
  const all = new Map([...lent, ...own])
  for (const path of Object.keys(config.Volumes ?? {})) {
    // Images may say it relative to the root.
    const destination = mountDestination(posix.join('/', path))
    if (!all.has(destination)) all.set(destination, { ...plainRequest, type: 'volume', destination })
  }
  for (const request of all.values()) checkProcPlace(request)
  return [...all.values()]
}

/** `source:destination[:options]`, or a destination alone for an anonymous volume. */
export function parseBind(raw: string, volumeDriver: string): MountRequest {
  const parts = raw.split(':')
  const [first = '', second, mode = ''] = parts
  const invalid = (reason?: string) =>
    invalidConfig(`invalid volume specification: '${raw}'${reason === undefined ? '' : `: ${reason}`}`)
  if (parts.length > 3 || first === '' || (parts.length === 2 && parseMode(second ?? '') !== undefined))
    throw invalid()
  const flags = parseMode(mode)
  if (flags === undefined) throw quotedInvalidMode(mode)
  const [source, target] = second === undefined ? ['', first] : [first, second]
  const isBind = source.startsWith('/')
  if (isBind && flags.noCopy === true) throw invalid('field VolumeOptions must not be specified')
  if (!isBind && flags.propagation !== undefined) throw invalid('field BindOptions must not be specified')
  try {
    const request = parseMount(bindSpec(isBind, source, target, volumeDriver))
    return { ...request, mode: mode || request.mode, ...flags }
  } catch (error) {
    throw invalid((error as Error).message)
  }
}

function bindSpec(isBind: boolean, source: string, target: string, volumeDriver: string): Mount {
  return {
    Type: isBind ? 'bind' : 'volume',
    Source: source,
    Target: target,
    ...(isBind ? { BindOptions: { CreateMountpoint: true } } : {}),
    ...(!isBind && volumeDriver !== '' ? { VolumeOptions: { DriverConfig: { Name: volumeDriver } } } : {}),
  }
}

/** The container and the access of an entry of `VolumesFrom`. */
export function parseVolumesFrom(spec: string): { readonly container: string; readonly readWrite: boolean } {
  if (spec === '') throw invalidConfig('volumes-from specification cannot be an empty string')
  const at = spec.indexOf(':')
  const [container, mode] = at === -1 ? [spec, ''] : [spec.slice(0, at), spec.slice(at + 1)]
  const flags = parseMode(mode)
  // How a mount propagates and is filled is the donor's business.
  if (flags === undefined || 'propagation' in flags || 'noCopy' in flags) throw quotedInvalidMode(mode)
  return { container, readWrite: flags.readWrite ?? true }
}

/**
 * Options of the OCI mount. `canRecurse`: the kernel and the runtime know `rro` (Linux 5.12). Fails when recursive
 * read-only was required and cannot be had.
 */
export function mountOptions(request: MountRequest, canRecurse = true): string[] {
  const { type, readWrite, recursive, recursiveReadOnly, propagation } = request
  if (type === 'tmpfs') return tmpfsOptions(request.data, readWrite)
  if (recursiveReadOnly === 'required' && !readWrite && !canRecurse) {
    throw invalidConfig(
      `recursive read-only mounts are not supported on this machine: ${request.destination}`,
    )
  }
  const readOnly = recursive && recursiveReadOnly !== 'no' && canRecurse ? 'rro' : 'ro'
  return [recursive ? 'rbind' : 'bind', ...(readWrite ? [] : [readOnly]), propagation]
}

function borrowed(spec: string, donorMounts: MountContext['donorMounts']): MountRequest[] {
  const { container, readWrite } = parseVolumesFrom(spec)
  return donorMounts(container).map((request) => ({
    ...request,
    readWrite: request.readWrite && readWrite,
    mode: '',
    noCopy: true,
  }))
}

/** What `raw` says of it, if anything. */
function bindPropagation(raw: string): string | undefined {
  return parseMode(raw.split(':')[2] ?? '')?.propagation
}

/**
 * A bind of the data root, of what is in it or around it must not keep what the engine has unmounted: it follows, and what
 * would not is refused. `said`: how the client wants it to propagate.
 */
function aroundDataRoot(
  request: MountRequest,
  said: string | null | undefined,
  dataRoot: string,
): MountRequest {
  const { type, source } = request
  if (type !== 'bind' || (!isWithin(source, dataRoot) && !isWithin(dataRoot, source))) return request
  if (!said) return { ...request, propagation: 'rslave' }
  if (said === 'rslave' || said === 'rshared') return request
  throw invalidConfig(
    `invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, daemon root: ${JSON.stringify(dataRoot)}, bind mount source: ${JSON.stringify(source)}, propagation: ${JSON.stringify(said)}`,
  )
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`)
}

function parseTmpfs(path: string, options: string): MountRequest {
  const data = options.split(',').filter((option) => option !== '')
  tmpfsOptions(data, true)
  return { ...plainRequest, type: 'tmpfs', destination: mountDestination(path), data }
}

type ModeFlags = Partial<Pick<MountRequest, 'readWrite' | 'propagation' | 'noCopy'>>

const modeKinds: Readonly<Record<string, { readonly kind: string; readonly flags: ModeFlags }>> = {
  rw: { kind: 'access', flags: { readWrite: true } },
  ro: { kind: 'access', flags: { readWrite: false } },
  // SELinux relabelling; there is none.
  z: { kind: 'label', flags: {} },
  Z: { kind: 'label', flags: {} },
  nocopy: { kind: 'copy', flags: { noCopy: true } },
  // Hints for file sharing with a virtual machine.
  consistent: { kind: 'consistency', flags: {} },
  cached: { kind: 'consistency', flags: {} },
  delegated: { kind: 'consistency', flags: {} },
  ...Object.fromEntries(
    propagations.map((propagation) => [propagation, { kind: 'propagation', flags: { propagation } }]),
  ),
}

/** Undefined for an unknown word, or two of one kind. */
function parseMode(mode: string): ModeFlags | undefined {
  if (mode === '') return {}
  const kinds = new Set<string>()
  let flags: ModeFlags = {}
  for (const word of mode.split(',')) {
    const found = Object.hasOwn(modeKinds, word) ? modeKinds[word] : undefined
    if (found === undefined || kinds.has(found.kind)) return undefined
    kinds.add(found.kind)
    flags = { ...flags, ...found.flags }
  }
  return flags
}
