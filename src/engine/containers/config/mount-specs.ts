import { EngineError } from '#base/errors.ts'
import type { Mount } from '#api/generated/types.ts'
import { type MountRequest, type Propagation, plainRequest, propagations } from './mount-request.ts'
import { invalidConfig } from './errors.ts'
import { checkAbsolute, isLocalPath, mountDestination } from './mount-paths.ts'
import { tmpfsData, tmpfsOptions } from './tmpfs-options.ts'

/** An entry of `HostConfig.Mounts`. Fails with Docker's texts, which say the type of the mount. */
export function parseMount(mount: Mount): MountRequest {
  refuseStrays(mount)
  try {
    return requestOf(mount)
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    throw invalidConfig(`invalid mount config for type "${mount.Type ?? ''}": ${error.message}`, error)
  }
}

function requestOf(mount: Mount): MountRequest {
  if (!mount.Target) throw invalidConfig('field Target must not be empty')
  const common = {
    ...plainRequest,
    destination: mountDestination(mount.Target),
    readWrite: mount.ReadOnly !== true,
  }
  switch (mount.Type) {
    case 'bind':
      return { ...common, type: 'bind', ...bindFields(mount) }
    case 'volume':
      return { ...common, type: 'volume', ...volumeFields(mount) }
    case 'tmpfs':
      return { ...common, type: 'tmpfs', ...tmpfsFields(mount) }
    case 'image':
      return { ...common, type: 'image', ...imageFields(mount) }
    default:
      throw invalidConfig('mount type unknown')
  }
}

function bindFields(mount: Mount): Partial<MountRequest> {
  if (!mount.Source) throw invalidConfig('field Source must not be empty')
  const options = mount.BindOptions ?? {}
  const propagation = options.Propagation || 'rprivate'
  if (!isPropagation(propagation)) throw invalidConfig(`invalid propagation mode: ${String(propagation)}`)
  const { ReadOnlyNonRecursive: shallow, ReadOnlyForceRecursive: force } = options
  if (shallow === true && force === true) {
    throw invalidConfig('ReadOnlyNonRecursive and ReadOnlyForceRecursive are mutually exclusive')
  }
  if (force === true && propagation !== 'rprivate') {
    throw invalidConfig('ReadOnlyForceRecursive requires the propagation rprivate')
  }
  return {
    source: checkAbsolute(mount.Source),
    ...idmapOf(options, propagation),
    propagation,
    recursive: options.NonRecursive !== true,
    recursiveReadOnly: force === true ? 'required' : shallow === true ? 'no' : 'if-possible',
    createSource: options.CreateMountpoint === true,
  }
}

type BindOptions = NonNullable<Mount['BindOptions']>

/** `BindOptions.IDMap`, an extension: `host`, or the owner on the host as `UID` or `UID:GID`. */
function idmapOf({ IDMap: idmap }: BindOptions, propagation: string): Partial<MountRequest> {
  if (idmap === undefined || idmap === null || idmap === '') return {}
  if (!/^(?:host|\d{1,10}(?::\d{1,10})?)$/.test(idmap)) {
    throw invalidConfig(`invalid idmap ${JSON.stringify(idmap)}: want host, UID or UID:GID`)
  }
  if (propagation === 'shared' || propagation === 'rshared') {
    throw invalidConfig(`idmap cannot be combined with the propagation ${propagation}`)
  }
  return { idmap }
}

function volumeFields(mount: Mount): Partial<MountRequest> {
  const name = mount.Source ?? ''
  const options = mount.VolumeOptions ?? {}
  const subpath = options.Subpath ?? ''
  if (name === '' && subpath !== '') throw invalidConfig('must not set Subpath when using anonymous volumes')
  if (name === '' && mount.ReadOnly === true) {
    throw invalidConfig('must not set ReadOnly mode when using anonymous volumes')
  }
  checkSubpath(subpath)
  return {
    source: name,
    // What Docker notes for its own driver: to be relabelled for SELinux, which there is none of.
    mode: (options.DriverConfig?.Name || 'local') === 'local' ? 'z' : '',
    noCopy: options.NoCopy === true,
    subpath,
    driver: options.DriverConfig?.Name || undefined,
    driverOptions: options.DriverConfig?.Options ?? {},
    labels: options.Labels ?? {},
  }
}

function tmpfsFields(mount: Mount): Partial<MountRequest> {
  if (mount.Source) throw invalidConfig('field Source must not be specified')
  const data = tmpfsData(mount.TmpfsOptions ?? {})
  tmpfsOptions(data, true)
  return { data }
}

function imageFields(mount: Mount): Partial<MountRequest> {
  if (!mount.Source) throw invalidConfig('field Source must not be empty')
  const subpath = mount.ImageOptions?.Subpath ?? ''
  checkSubpath(subpath)
  return { source: mount.Source, readWrite: false, subpath }
}

const ownOptions = {
  BindOptions: 'bind',
  VolumeOptions: 'volume',
  TmpfsOptions: 'tmpfs',
  ImageOptions: 'image',
} as const

function refuseStrays(mount: Mount): void {
  for (const [field, type] of Object.entries(ownOptions)) {
    if (!mount[field as keyof typeof ownOptions] || mount.Type === type) continue
    throw invalidConfig(`${field} must not be specified on mount type ${JSON.stringify(mount.Type ?? '')}`)
  }
}

function checkSubpath(subpath: string): void {
  if (subpath !== '' && !isLocalPath(subpath)) {
    throw invalidConfig('subpath must be a relative path within the volume')
  }
}

function isPropagation(text: string): text is Propagation {
  return propagations.some((known) => known === text)
}
