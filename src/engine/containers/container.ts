import type { ContainerConfig, EndpointSettings, HostConfig } from '#api/generated/types.ts'
import type { Digest } from '#base/digest.ts'
import type { ContainerState } from './state.ts'

/** A container as it is stored: one immutable value, replaced as a whole by every change. */
export interface Container {
  readonly id: string
  /** Without the leading slash. */
  readonly name: string
  /** RFC 3339 with nanoseconds. */
  readonly createdAt: string
  readonly imageId: Digest | undefined
  /** The image as the user named it. */
  readonly image: string
  /** diffIDs of the image, bottom first. */
  readonly layers: readonly Digest[]
  readonly platform: string
  /** The process: entrypoint and command joined. */
  readonly path: string
  readonly args: readonly string[]
  readonly config: ContainerConfig
  readonly hostConfig: HostConfig
  /** The networks it is to be on, in the order of their interfaces; none of its own with another's or the host's stack. */
  readonly attachments: readonly Attachment[]
  readonly mounts: readonly ContainerMount[]
  readonly state: ContainerState
  /** Restarts by policy since the last start by hand. */
  readonly restartCount: number
  /** What its health check said last; undefined before the first start and without one. */
  readonly health?: 'starting' | 'healthy' | 'unhealthy' | undefined
  /** It is being removed, be it still running: what has begun is finished after a crash. */
  readonly removal?: { readonly volumes: boolean } | undefined
  /** Stopped or killed by hand: the restart policy rests until the next start by hand. */
  readonly stoppedByHand: boolean
}

/** What a container is to have on a network whenever it runs. */
export interface Attachment {
  /** Name of the network. */
  readonly network: string
  readonly settings: EndpointSettings
}

/** A mount in its final form: sources exist, volumes are named. */
export interface ContainerMount {
  readonly type: 'bind' | 'volume' | 'tmpfs' | 'image'
  /** Volume name, for a volume. */
  readonly name?: string | undefined
  /** Directory or file of the host; empty for tmpfs. */
  readonly source: string
  readonly destination: string
  readonly mode: string
  readonly readWrite: boolean
  readonly propagation: string
  /** OCI mount options. */
  readonly options: readonly string[]
  /** Of a volume; absent: `local`. */
  readonly driver?: string | undefined
  /** Relative path below the volume or image; absent: all of it. */
  readonly subpath?: string | undefined
  /** Of an image: what was asked for is `source`. */
  readonly image?: { readonly id: Digest; readonly layers: readonly Digest[] } | undefined
  /** Whose the files of a bind are that the container's user makes: `host`, or UID:GID. */
  readonly idmap?: string | undefined
}
