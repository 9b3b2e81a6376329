import type { Volume } from '#api/generated/types.ts'
import type { VolumeRow } from '#store/volumes.ts'
import type { PluginVolume } from './volume-plugins.ts'

/** A container that has a volume. */
export interface VolumeUser {
  readonly Id: string
  readonly Name: string
  readonly Running: boolean
  /** Where in the container. */
  readonly Destinations: readonly string[]
}

/** What Docker's document has no place for. */
export interface VolumeExtension {
  /** `request`, `container`, `clone` or `import`; absent when nobody noted it. */
  readonly CreatedBy?: string | undefined
  /** The container that it was made for, as it was then. */
  readonly Container?: { readonly Id: string; readonly Name: string; readonly Image: string } | undefined
  readonly ClonedFrom?: string | undefined
  /** Bytes. */
  readonly SizeLimit?: number | undefined
  readonly UsedBy: readonly VolumeUser[]
}

/** The document of `GET /volumes/{name}`. */
export function volumeDocument(row: VolumeRow, mountpoint: string, more: PluginVolume | undefined): Volume {
  return {
    CreatedAt: row.createdAt || more?.CreatedAt,
    Driver: row.driver,
    Labels: Object.keys(row.labels).length === 0 ? null : { ...row.labels },
    Mountpoint: mountpoint,
    Name: row.name,
    Options: Object.keys(row.options).length === 0 ? null : { ...row.options },
    Scope: more?.Scope ?? 'local',
    ...(more?.Status === undefined ? {} : { Status: more.Status as NonNullable<Volume['Status']> }),
  }
}

export function volumeExtension(
  { origin }: VolumeRow,
  users: readonly VolumeUser[],
  sizeLimit: number | undefined,
): VolumeExtension {
  const { by, container, volume } = origin
  return {
    ...(by === undefined ? {} : { CreatedBy: by }),
    ...(container === undefined
      ? {}
      : { Container: { Id: container.id, Name: container.name, Image: container.image } }),
    ...(volume === undefined ? {} : { ClonedFrom: volume }),
    ...(sizeLimit === undefined ? {} : { SizeLimit: sizeLimit }),
    UsedBy: users,
  }
}
