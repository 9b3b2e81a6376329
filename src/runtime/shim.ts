/**
 * The daemon's end of a shim: one supervisor process per running container (native/PROTOCOL.md §2). It outlives the
 * daemon; `connect` finds it again.
 */
import type { Duplex } from 'node:stream'

/** Everything a shim is told; becomes `shim.conf`. */
export interface ShimConfig {
  readonly id: string
  readonly runtime: string
  readonly runtimeRoot: string
  readonly bundle: string
  readonly rootfs: string
  readonly lower: readonly string[]
  readonly upper: string
  readonly work: string
  readonly volatile: boolean
  /** `/etc/mtab` leads to `/proc/mounts` where the image has none: programs of old read it. */
  readonly mtab?: boolean
  readonly hide?: string | undefined
  readonly tty: boolean
  readonly stdin: boolean
  readonly stdinOnce: boolean
  readonly log?: ShimLog | undefined
  readonly exitRecord: string
  /** Where the shim leaves the seccomp filter that the runtime has compiled, for `SeccompFilters`. */
  readonly seccompFilter?: string | undefined
  readonly cgroup?: { readonly version: 'v1' | 'v2'; readonly directory: string } | undefined
  readonly network: ShimNetwork
  readonly shares: readonly {
    readonly source: string
    readonly destination: string
    /** Mounts of the container stay its own. */
    readonly follows?: boolean | undefined
  }[]
  readonly pins?: readonly ShimPin[] | undefined
}

/** Docker's json-file: `file`, and `file.1`, … after rotation. */
export interface ShimLog {
  readonly file: string
  /** Bytes; 0: unlimited. */
  readonly maxSize: number
  readonly maxFiles: number
  /** Rotated files are packed to `file.N.gz`. */
  readonly compress?: boolean | undefined
  /** `attrs` of every record. */
  readonly attributes?: Readonly<Record<string, string>> | undefined
}

/** A source of a mount that the shim binds before it lets go of the helper's mounts; the runtime mounts `destination`. */
export interface ShimPin {
  /** As the helper sees it. */
  readonly source: string
  /** Below the container's runtime directory. */
  readonly destination: string
  /** Relative path below the source, which no symlink leads out of. */
  readonly path?: string | undefined
  /** The source is a directory in the mount namespace of this process, of which only the topmost mount is taken. */
  readonly process?: number | undefined
  /** Without the mounts below it. */
  readonly alone?: boolean | undefined
  /** Files of `disk` are shown as those of `shown`, and what `shown` makes is `disk`'s. */
  readonly owners?: { readonly disk: Ids; readonly shown: Ids } | undefined
}

export interface Ids {
  readonly uid: number
  readonly gid: number
}

export type ShimNetwork =
  | { readonly mode: 'host' }
  | {
      readonly mode: 'none' | 'new'
      /** The container's `eth0`. */
      readonly link?: ShimLink | undefined
      /** `eth1` and so on; only together with `link`. */
      readonly moreLinks?: readonly ShimLink[] | undefined
      readonly sysctls: Readonly<Record<string, string>>
    }
  | { readonly mode: 'join'; readonly path: string }

/** A veth pair into a bridge, or an interface on a link of the host. */
export type ShimLink = ShimPair | (ShimInterface & { readonly on: ShimParent })

export interface ShimPair extends ShimInterface {
  readonly veth: string
  readonly bridge: string
}

/** A link of the host that carries interfaces of containers. */
export type ShimParent =
  | { readonly kind: 'macvlan'; readonly parent: string; readonly mode: string }
  | { readonly kind: 'ipvlan'; readonly parent: string; readonly mode: string; readonly flag: string }

/** The container's side of a link; addresses with prefix length. */
interface ShimInterface {
  /** Default: `eth0`, `eth1`, … in the order of the links. */
  readonly name?: string | undefined
  /** 0: that of the parent. */
  readonly mtu: number
  /** None where the parent's is used. */
  readonly mac?: string | undefined
  readonly addresses: readonly string[]
  /** The unspecified address: a default route to the link itself. */
  readonly gateways: readonly string[]
}

export type ShimEvent =
  | { readonly type: 'ready' }
  | { readonly type: 'error'; readonly message: string }
  | { readonly type: 'started'; readonly pid: number; readonly startTime: string; readonly at: Date }
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'oom' }
  | { readonly type: 'exec-started'; readonly exec: string; readonly pid: number }
  | { readonly type: 'exec-failed'; readonly exec: string; readonly message: string }
  | { readonly type: 'exec-exit'; readonly exec: string; readonly code: number }
  | ExitEvent

export interface ExitEvent {
  readonly type: 'exit'
  readonly code: number
  readonly oomKilled: boolean
  readonly at: Date
}

export interface StreamSelection {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
}

export interface Shim {
  readonly directory: string
  /**
   * Events from the beginning, also after the daemon was restarted; ends when the shim has cleaned up and is gone, or
   * quietly when the signal is aborted.
   */
  watch(options?: { readonly signal?: AbortSignal | undefined }): AsyncIterable<ShimEvent>
  /** Starts the process. Fails with the runtime's text when it cannot be started. */
  start(): Promise<{ readonly pid: number }>
  /** stdout and stderr are stdcopy-framed unless the target has a terminal; ending the writable side ends stdin. */
  attach(target: string, streams: StreamSelection): Promise<Duplex>
  /** Starts an exec from `DIR/exec/ID.json`. With no streams selected it is detached and `stream` is undefined. */
  exec(
    id: string,
    tty: boolean,
    streams: StreamSelection,
  ): Promise<{ readonly pid: number; readonly stream?: Duplex }>
  resize(target: string, rows: number, columns: number): Promise<void>
  /** `false` when the process has ended. */
  kill(target: string, signal: number): Promise<boolean>
  discard(): Promise<void>
}

export interface Shims {
  /**
   * Writes `shim.conf`, removes the exit record of an earlier life and starts the shim; resolves when it accepts connections.
   */
  spawn(directory: string, config: ShimConfig): Promise<Shim & { readonly pid: number }>
  /** The shim living in `directory`, or undefined when nobody listens there. */
  connect(directory: string): Promise<Shim | undefined>
  /** What the shim wrote at the end of its process, if it did. */
  exitRecord(file: string): Promise<ExitEvent | undefined>
}
