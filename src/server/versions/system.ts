import type {
  BuildCacheDiskUsage,
  Commit,
  ContainersDiskUsage,
  ImagesDiskUsage,
  SystemInfo,
  VolumesDiskUsage,
} from '#api/generated/types.ts'
import { isBefore, type ApiVersion } from '#api/version.ts'

/** `GET /info`. */
export function lowerInfo(document: object, version: ApiVersion): object {
  const info = document as SystemInfo
  const lowered: Record<string, unknown> = { ...info }
  if (isBefore(version, '1.53')) delete lowered['NRI']
  if (isBefore(version, '1.50')) {
    delete lowered['DiscoveredDevices']
    Object.assign(lowered, { BridgeNfIptables: true, BridgeNfIp6tables: true })
  }
  if (isBefore(version, '1.49')) {
    delete lowered['FirewallBackend']
    for (const name of ['ContainerdCommit', 'RuncCommit', 'InitCommit'] as const) {
      lowered[name] = withExpected(info[name])
    }
  }
  if (isBefore(version, '1.46')) delete lowered['Containerd']
  return lowered
}

function withExpected(commit: Commit | null | undefined): object {
  return { ID: commit?.ID ?? '', Expected: commit?.ID ?? '' }
}

interface DiskUsage {
  readonly ImageUsage?: ImagesDiskUsage | null
  readonly ContainerUsage?: ContainersDiskUsage | null
  readonly VolumeUsage?: VolumesDiskUsage | null
  readonly BuildCacheUsage?: BuildCacheDiskUsage | null
  /** Ours alone, in every version. */
  readonly Berth?: object
}

/** `GET /system/df`: one list per type, and a total for the layers alone. */
export function lowerDiskUsage(document: object, version: ApiVersion): object {
  return isBefore(version, '1.52') ? legacyDiskUsage(document) : document
}

/** The lists of before 1.52; a type that was not asked for is left out. */
export function legacyDiskUsage(document: object): object {
  const { ImageUsage, ContainerUsage, VolumeUsage, BuildCacheUsage, Berth } = document as DiskUsage
  return {
    ...(ImageUsage ? { LayersSize: ImageUsage.TotalSize ?? 0, Images: ImageUsage.Items ?? [] } : {}),
    ...(ContainerUsage ? { Containers: ContainerUsage.Items ?? [] } : {}),
    ...(VolumeUsage ? { Volumes: VolumeUsage.Items ?? [] } : {}),
    ...(BuildCacheUsage ? { BuildCache: BuildCacheUsage.Items ?? [] } : {}),
    ...(Berth ? { Berth } : {}),
  }
}
