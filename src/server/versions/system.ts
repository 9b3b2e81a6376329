import type {
  BuildCacheDiskUsage,
  Commit,
  ContainersDiskUsage,
  ImagesDiskUsage,
  SystemInfo,
  VolumesDiskUsage,
} from '#api/generated/types.ts'
import { isBefore, type ApiVersion } from '#api/version.ts'
import { lowerContainerSummaries } from './container-responses.ts'
import { lowerUsedImages } from './images.ts'

/** `GET /info`. */
export function lowerInfo(document: object, version: ApiVersion): object {
  const info = document as SystemInfo
  const lowered: Record<string, unknown> = { ...info }
  if (isBefore(version, '1.53')) delete lowered['NRI']
  if (isBefore(version, '1.50')) {
    delete lowered['DiscoveredDevices']
    Object.assign(lowered, { BridgeNfIptables: false, BridgeNfIp6tables: false })
  }
  if (isBefore(version, '1.49')) {
    delete lowered['FirewallBackend']
    for (const name of ['ContainerdCommit', 'RuncCommit', 'InitCommit'] as const) {
      lowered[name] = withExpected(info[name])
    }
  }
  // What the kernel could once limit, and where layers that others may not pass on were sent.
  if (isBefore(version, '1.52')) lowered['KernelMemoryTCP'] = info.CgroupVersion === '1'
  if (isBefore(version, '1.47')) lowered['RegistryConfig'] = { ...info.RegistryConfig, ...nondistributable }
  if (isBefore(version, '1.46')) delete lowered['Containerd']
  if (isBefore(version, '1.25')) lowered['SecurityOptions'] = info.SecurityOptions?.map(nameAlone)
  if (isBefore(version, '1.42')) lowered['KernelMemory'] = info.CgroupVersion === '1'
  return lowered
}

/** `name=seccomp,profile=builtin` */
function nameAlone(option: string): string {
  return /^name=([^,]*)/.exec(option)?.[1] ?? option
}

const nondistributable = {
  AllowNondistributableArtifactsCIDRs: null,
  AllowNondistributableArtifactsHostnames: null,
}

function withExpected(commit: Commit | null | undefined): object {
  return { ID: commit?.ID ?? '', ...(commit?.ID ? { Expected: commit.ID } : {}) }
}

interface DiskUsage {
  readonly ImageUsage?: ImagesDiskUsage | null
  readonly ContainerUsage?: ContainersDiskUsage | null
  readonly VolumeUsage?: VolumesDiskUsage | null
  readonly BuildCacheUsage?: BuildCacheDiskUsage | null
  /** Ours alone, in every version. */
  readonly Berth?: object
}

/** `GET /system/df`: one list per type, null when it was not asked for, and a total for the layers alone. */
export function lowerDiskUsage(document: object, version: ApiVersion): object {
  if (!isBefore(version, '1.52')) return document
  const { Images = null, Containers = null, ...rest } = legacyDiskUsage(document)
  return {
    LayersSize: 0,
    Images: Images === null ? null : lowerUsedImages(Images, version),
    Containers: Containers === null ? null : lowerContainerSummaries(Containers, version),
    Volumes: null,
    BuildCache: null,
    ...rest,
  }
}

interface LegacyDiskUsage {
  readonly LayersSize?: number
  readonly Images?: readonly unknown[]
  readonly Containers?: readonly unknown[]
  readonly Volumes?: readonly unknown[]
  readonly BuildCache?: readonly unknown[]
  readonly Berth?: object
}

/** The lists of before 1.52; a type that was not asked for is left out. */
export function legacyDiskUsage(document: object): LegacyDiskUsage {
  const { ImageUsage, ContainerUsage, VolumeUsage, BuildCacheUsage, Berth } = document as DiskUsage
  return {
    ...(ImageUsage ? { LayersSize: ImageUsage.TotalSize ?? 0, Images: ImageUsage.Items ?? [] } : {}),
    ...(ContainerUsage ? { Containers: ContainerUsage.Items ?? [] } : {}),
    ...(VolumeUsage ? { Volumes: VolumeUsage.Items ?? [] } : {}),
    ...(BuildCacheUsage ? { BuildCache: BuildCacheUsage.Items ?? [] } : {}),
    ...(Berth ? { Berth } : {}),
  }
}
