import type { HostConfig, Mount as ApiMount } from '#api/generated/types.ts'
import type { FileReference, FileResource, Mount, Project, Service } from '../model/project.ts'

/** A volume without a name that a container had, at the path where it had it; the next one gets it, too. */
export interface InheritedVolume {
  readonly name: string
  readonly target: string
}

/** What is mounted into a container: as `Binds` where only these can make a missing path, otherwise as `Mounts`. */
export function mountsOf(
  project: Project,
  service: Service,
  inherited: readonly InheritedVolume[],
): Pick<HostConfig, 'Binds' | 'Mounts' | 'Tmpfs'> {
  const volumes = service.volumes ?? []
  const binds = volumes.filter(isPlainBind).map(bindText)
  const mounts = volumes
    .filter((mount) => !isPlainBind(mount))
    .map((mount) => apiMount(mount, project, inherited))
  const targets = new Set(volumes.map(({ target }) => target))
  const kept = inherited
    .filter(({ target }) => !targets.has(target))
    .map(({ name, target }): ApiMount => ({ Type: 'volume', Source: name, Target: target }))
  const files = boundFiles(project, service)
  const all = [...mounts, ...kept, ...files]
  const tmpfs = (service.tmpfs ?? []).map((text): [string, string] => {
    const [path = '', options = ''] = text.split(/:(.*)/s)
    return [path, options]
  })
  return {
    ...(binds.length === 0 ? {} : { Binds: binds }),
    ...(all.length === 0 ? {} : { Mounts: all }),
    ...(tmpfs.length === 0 ? {} : { Tmpfs: Object.fromEntries(tmpfs) }),
  }
}

function isPlainBind({ type, bind }: Mount): boolean {
  return (
    type === 'bind' &&
    (bind?.create_host_path === true || bind?.selinux !== undefined) &&
    bind.recursive === undefined
  )
}

function bindText({ source = '', target, read_only, bind, volume }: Mount): string {
  const options = [
    read_only === true ? 'ro' : 'rw',
    bind?.selinux,
    bind?.propagation,
    volume?.nocopy === true ? 'nocopy' : undefined,
  ]
  return `${source}:${target}:${options.filter((option) => option !== undefined).join(',')}`
}

function apiMount(mount: Mount, project: Project, inherited: readonly InheritedVolume[]): ApiMount {
  const common = {
    Type: mount.type,
    Target: mount.target,
    ...(mount.read_only === true ? { ReadOnly: true } : {}),
    ...(mount.consistency === undefined ? {} : { Consistency: mount.consistency }),
  }
  switch (mount.type) {
    case 'bind':
    case 'npipe':
    case 'cluster':
      return { ...common, Source: mount.source, ...bindOptions(mount) }
    case 'volume':
      return { ...common, ...volumeSource(mount, project, inherited), ...volumeOptions(mount) }
    case 'tmpfs':
      return { ...common, ...tmpfsOptions(mount) }
    case 'image': {
      const subpath = mount.image?.subpath
      return {
        ...common,
        Source: mount.source,
        ...(subpath === undefined ? {} : { ImageOptions: { Subpath: subpath } }),
      }
    }
  }
}

function bindOptions({ bind = {} }: Mount): Pick<ApiMount, 'BindOptions'> {
  const { propagation, create_host_path, recursive } = bind
  const options = {
    ...(propagation === undefined ? {} : { Propagation: propagation as 'rprivate' }),
    ...(create_host_path === true ? { CreateMountpoint: true } : {}),
    ...(recursive === 'disabled' ? { NonRecursive: true } : {}),
    ...(recursive === 'writable' ? { ReadOnlyNonRecursive: true } : {}),
    ...(recursive === 'readonly' ? { ReadOnlyForceRecursive: true } : {}),
  }
  return Object.keys(options).length === 0 ? {} : { BindOptions: options }
}

function volumeSource(
  { source, target }: Mount,
  { volumes }: Project,
  inherited: readonly InheritedVolume[],
): Pick<ApiMount, 'Source'> {
  const name =
    source === undefined
      ? inherited.find((each) => each.target === target)?.name
      : (volumes[source]?.name ?? source)
  return name === undefined ? {} : { Source: name }
}

function volumeOptions({ volume = {} }: Mount): Pick<ApiMount, 'VolumeOptions'> {
  const { labels, nocopy, subpath } = volume
  return {
    VolumeOptions: {
      ...(nocopy === true ? { NoCopy: true } : {}),
      ...(subpath === undefined ? {} : { Subpath: subpath }),
      ...(labels === undefined ? {} : { Labels: labels }),
    },
  }
}

function tmpfsOptions({ tmpfs = {} }: Mount): Pick<ApiMount, 'TmpfsOptions'> {
  const { size, mode } = tmpfs
  const options = {
    ...(size === undefined ? {} : { SizeBytes: Number(size) }),
    ...(mode === undefined ? {} : { Mode: mode }),
  }
  return Object.keys(options).length === 0 ? {} : { TmpfsOptions: options }
}

/** A secret or configuration as a service has it, and where it comes from. */
export interface ServiceFile {
  readonly section: 'secrets' | 'configs'
  readonly reference: FileReference
  readonly resource: FileResource
  readonly target: string
}

/** Where they are unless they say otherwise. */
const ROOTS = { secrets: '/run/secrets/', configs: '/' } as const

/** The secrets and configurations of a service. */
export function filesOf(project: Project, service: Service): readonly ServiceFile[] {
  const secrets = (service.secrets ?? []).map((reference) => fileOf(reference, project, 'secrets'))
  const configs = (service.configs ?? []).map((reference) => fileOf(reference, project, 'configs'))
  return [...secrets, ...configs].flatMap((file) => file ?? [])
}

function fileOf(
  reference: FileReference,
  project: Project,
  section: ServiceFile['section'],
): ServiceFile | undefined {
  const resource = project[section][reference.source]
  const name = reference.target || reference.source
  return resource === undefined
    ? undefined
    : { section, reference, resource, target: name.startsWith('/') ? name : `${ROOTS[section]}${name}` }
}

/** Those that are files of the host are bound; the others are written into the container before it starts. */
function boundFiles(project: Project, service: Service): readonly ApiMount[] {
  return filesOf(project, service).flatMap(({ resource, target }): ApiMount[] =>
    resource.file === undefined
      ? []
      : [{ Type: 'bind', Source: resource.file, Target: target, ReadOnly: true }],
  )
}
