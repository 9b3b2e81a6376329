/**
 * What the engine offers to the HTTP API: one interface per noun. Documents are Docker's, in their newest form
 * (API 1.55); older forms exist only in server/versions.
 */
import type { Duplex } from 'node:stream'
import type {
  AttestationStatement,
  AuthResponse,
  ContainerConfig,
  ContainerInspectResponse,
  ContainerSummary,
  ContainerTopResponse,
  ContainerUpdateResponse,
  ContainerWaitResponse,
  DistributionInspect,
  EventMessage,
  FilesystemChange,
  HostConfig,
  ImageDeleteResponseItem,
  ImageHistoryResponseItem,
  ImageInspect,
  ImageSummary,
  IPAM,
  Network,
  NetworkConnectRequest,
  NetworkCreateResponse,
  NetworkDisconnectRequest,
  NetworkSummary,
  NetworkingConfig,
  PortMap,
  Resources,
  RestartPolicy,
  SystemInfo,
  SystemVersion,
  Volume,
} from '#api/generated/types.ts'
import type { ContainerWhy } from '#api/container-why.ts'
import type { Finding } from '#api/finding.ts'
import type { Diagnosis, Exposure } from '#api/network-reports.ts'
import type { PlannedRemoval } from '#api/prune-plan.ts'
import type { RegistryAuth } from '#api/registry-auth.ts'
import type { BuildService } from './builds/service.ts'

/** Parsed `filters`: every key with its values; a value with `false` in the map form is left out. */
export type Filters = ReadonlyMap<string, readonly string[]>

export interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

export type ContainerCreateBody = ContainerConfig & {
  readonly HostConfig?: HostConfig | null | undefined
  readonly NetworkingConfig?: NetworkingConfig | null | undefined
  /** Read-only `Binds` leave mounts below them as they are: said for clients before API 1.44 by `server/versions`. */
  readonly ShallowReadOnlyBinds?: boolean | undefined
}

export type ContainerUpdateBody = Resources & {
  readonly RestartPolicy?: RestartPolicy | null | undefined
  /** Published ports, which Docker cannot change. A port of `PublishRemove` without bindings goes altogether. */
  readonly Berth?:
    | { readonly PublishAdd?: PortMap | null; readonly PublishRemove?: PortMap | null }
    | null
    | undefined
}

export interface ContainerLifecycle {
  create(
    body: ContainerCreateBody,
    options: { readonly name?: string | undefined; readonly platform?: string | undefined },
  ): Promise<{ Id: string; Warnings: string[] }>
  /** `false`: it was running already. */
  start(ref: string, options?: Cancellable): Promise<boolean>
  /** `false`: it was not running. `timeout` in seconds; -1 waits for ever. */
  stop(
    ref: string,
    options: { readonly timeout?: number | undefined; readonly signal?: string | undefined },
  ): Promise<boolean>
  restart(
    ref: string,
    options: { readonly timeout?: number | undefined; readonly signal?: string | undefined },
  ): Promise<void>
  kill(ref: string, signal: string | undefined): Promise<void>
  pause(ref: string): Promise<void>
  unpause(ref: string): Promise<void>
  rename(ref: string, name: string): Promise<void>
  update(ref: string, body: ContainerUpdateBody): Promise<ContainerUpdateResponse>
  remove(
    ref: string,
    options: { readonly force: boolean; readonly volumes: boolean; readonly link: boolean },
  ): Promise<void>
  prune(filters: Filters): Promise<{ ContainersDeleted: string[] | null; SpaceReclaimed: number }>
  /** What `prune` would remove. */
  planPrune(filters: Filters): Promise<PlannedRemoval[]>
  /** Returns once the waiter is registered; `result` settles later. */
  wait(
    ref: string,
    condition: string | undefined,
    options?: Cancellable,
  ): { readonly result: Promise<ContainerWaitResponse> }
}

export interface ContainerQuery {
  list(options: {
    readonly all: boolean
    readonly limit: number | undefined
    readonly size: boolean
    readonly filters: Filters
  }): Promise<ContainerSummary[]>
  inspect(ref: string, options: { readonly size: boolean }): Promise<ContainerInspectResponse>
  top(ref: string, psArgs: string): Promise<ContainerTopResponse>
  changes(ref: string): Promise<FilesystemChange[]>
  /** One object per second, or a single one. Counters may exceed 2^53: they are bigint where needed. */
  stats(
    ref: string,
    options: { readonly stream: boolean; readonly oneShot: boolean } & Cancellable,
  ): AsyncIterable<unknown>
}

export interface LogOptions extends Cancellable {
  readonly stdout: boolean
  readonly stderr: boolean
  readonly follow: boolean
  readonly timestamps: boolean
  readonly details: boolean
  /** Nanoseconds since the epoch. */
  readonly since: bigint | undefined
  readonly until: bigint | undefined
  /** Undefined: everything. */
  readonly tail: number | undefined
}

export interface AttachOptions extends Cancellable {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly stream: boolean
  readonly logs: boolean
  readonly detachKeys: string | undefined
}

/** The engine's half of a taken-over connection: already framed (stdcopy) unless `tty`. Ending it ends stdin. */
export interface AttachedStream {
  readonly tty: boolean
  readonly stream: Duplex
}

export interface ContainerStreams {
  /** Already framed unless `tty`. */
  logs(
    ref: string,
    options: LogOptions,
  ): Promise<{ readonly tty: boolean; readonly stream: AsyncIterable<Uint8Array> }>
  /** Rejects with a normal error before anything is taken over. Works on a container that is not started yet. */
  attach(ref: string, options: AttachOptions): Promise<AttachedStream>
  resize(ref: string, rows: number, columns: number): Promise<void>
}

/** As in `X-Docker-Container-Path-Stat`; `mode` in Go's os.FileMode bits. */
export interface PathStat {
  readonly name: string
  readonly size: number
  readonly mode: number
  readonly mtime: string
  readonly linkTarget: string
}

export interface ContainerFiles {
  stat(ref: string, path: string): Promise<PathStat>
  get(
    ref: string,
    path: string,
    options?: Cancellable,
  ): Promise<{ readonly stat: PathStat; readonly tar: AsyncIterable<Uint8Array> }>
  /** `tar` may be compressed. */
  put(
    ref: string,
    path: string,
    tar: AsyncIterable<Uint8Array>,
    options: { readonly noOverwriteDirNonDir: boolean; readonly copyUIDGID: boolean } & Cancellable,
  ): Promise<void>
  export(ref: string, options?: Cancellable): Promise<AsyncIterable<Uint8Array>>
  commit(options: CommitOptions): Promise<{ Id: string }>
}

export interface CommitOptions extends Cancellable {
  readonly container: string
  readonly repo: string | undefined
  readonly tag: string | undefined
  readonly comment: string
  readonly author: string
  readonly pause: boolean
  readonly changes: readonly string[]
  readonly config: ContainerConfig | undefined
}

export interface ExecCreateBody {
  readonly AttachStdin?: boolean | null
  readonly AttachStdout?: boolean | null
  readonly AttachStderr?: boolean | null
  readonly ConsoleSize?: readonly number[] | null
  readonly DetachKeys?: string | null
  readonly Tty?: boolean | null
  readonly Env?: readonly string[] | null
  readonly Cmd?: readonly string[] | null
  readonly Privileged?: boolean | null
  readonly User?: string | null
  readonly WorkingDir?: string | null
}

export interface ExecService {
  create(containerRef: string, body: ExecCreateBody): Promise<{ Id: string }>
  /** `undefined` when detached. */
  start(
    id: string,
    options: {
      readonly detach: boolean
      readonly tty: boolean
      readonly consoleSize?: readonly number[] | undefined
    },
  ): Promise<AttachedStream | undefined>
  inspect(id: string): object
  resize(id: string, rows: number, columns: number): Promise<void>
  /** `conflict` when it does not run. */
  signal(id: string, signal: number): Promise<void>
}

/** A line of a progress stream (pull, load, import). */
export interface ProgressMessage {
  readonly stream?: string
  readonly status?: string
  readonly id?: string
  readonly progressDetail?: { readonly current?: number; readonly total?: number; readonly units?: string }
  /** The same as a bar of text, for clients that do not draw one. */
  readonly progress?: string
  readonly aux?: unknown
}

export interface ImageService {
  list(options: {
    readonly all: boolean
    readonly filters: Filters
    readonly sharedSize: boolean
    readonly digests: boolean
    readonly manifests: boolean
  }): Promise<ImageSummary[]>
  inspect(
    ref: string,
    options: { readonly platform?: string | undefined; readonly manifests: boolean },
  ): Promise<ImageInspect>
  history(ref: string, platform?: string): Promise<ImageHistoryResponseItem[]>
  /** In-toto statements that came with the image, about one platform: the host's unless another is given. */
  attestations(
    ref: string,
    options: {
      readonly platform: string | undefined
      /** Predicate types; none: all. */
      readonly types: readonly string[]
      /** With the statements themselves. */
      readonly statement: boolean
    },
  ): Promise<AttestationStatement[]>
  tag(ref: string, repo: string, tag: string | undefined): Promise<void>
  remove(
    ref: string,
    options: {
      readonly force: boolean
      readonly noprune: boolean
      /** Only these of an image of several platforms. */
      readonly platforms?: readonly string[] | undefined
    },
  ): Promise<ImageDeleteResponseItem[]>
  prune(
    filters: Filters,
  ): Promise<{ ImagesDeleted: ImageDeleteResponseItem[] | null; SpaceReclaimed: number }>
  /** What `prune` would remove once the containers with these ids were gone. */
  planPrune(filters: Filters, without: ReadonlySet<string>): Promise<PlannedRemoval[]>
  /** What `remove` of these, one after the other, would do; throws what the first that cannot be done would throw. */
  planRemove(
    refs: readonly string[],
    options: { readonly force: boolean; readonly noprune: boolean },
  ): Promise<PlannedRemoval[]>
  load(
    tar: AsyncIterable<Uint8Array>,
    options: { readonly quiet: boolean; readonly platforms?: readonly string[] | undefined } & Cancellable,
  ): AsyncIterable<ProgressMessage>
  /** `platforms`: only these of images of several platforms. */
  save(
    refs: readonly string[],
    options?: { readonly platforms?: readonly string[] | undefined } & Cancellable,
  ): Promise<AsyncIterable<Uint8Array>>
  import(
    /** The bytes, or the http(s) address where the daemon is to fetch them. */
    archive: AsyncIterable<Uint8Array> | string,
    options: {
      readonly repo?: string | undefined
      readonly tag?: string | undefined
      readonly message: string
      readonly changes: readonly string[]
      readonly platform?: string | undefined
    } & Cancellable,
  ): AsyncIterable<ProgressMessage>
}

/** Fetching images from registries. */
export interface PullService {
  /**
   * `from` as in `fromImage` (a name, perhaps with tag or digest), `tag` a tag or a digest; neither given: all tags.
   * What fails before the first message is an ordinary error. Ends with Docker's `Digest:` and `Status:` lines.
   */
  pull(
    from: string,
    options: {
      readonly tag: string | undefined
      /** `os[/architecture[/variant]]`; undefined: that of the host. */
      readonly platform: string | undefined
      readonly auth: RegistryAuth | undefined
    } & Cancellable,
  ): AsyncIterable<ProgressMessage>
}

/** Sending images to registries. */
export interface PushService {
  /** `tag` undefined or empty: all tags of the repository. Ends with an `aux` of Tag, Digest and Size per tag. */
  push(
    name: string,
    options: {
      readonly tag: string | undefined
      /** Only the image of this platform instead of the whole index. */
      readonly platform: string | undefined
      /** `gzip` or `zstd`, for layers that the registry does not have yet; undefined: as configured. */
      readonly compression?: string | undefined
      readonly auth: RegistryAuth | undefined
    } & Cancellable,
  ): AsyncIterable<ProgressMessage>
}

/** Everything else that is asked of a registry. */
export interface RegistryService {
  login(auth: RegistryAuth, options?: Cancellable): Promise<AuthResponse>
  search(
    term: string,
    options: {
      readonly limit: number | undefined
      readonly filters: Filters
      readonly auth: RegistryAuth | undefined
    } & Cancellable,
  ): Promise<readonly SearchItem[]>
  inspect(
    name: string,
    options: { readonly auth: RegistryAuth | undefined } & Cancellable,
  ): Promise<DistributionInspect>
}

/** A row of `GET /images/search`. */
export interface SearchItem {
  readonly name: string
  readonly description: string
  readonly star_count: number
  readonly is_official: boolean
  readonly is_automated: boolean
}

/** Why containers are in their state. */
export interface WhyService {
  why(ref: string): Promise<ContainerWhy>
}

export interface EventService {
  /** Replays from `since`, then live until `until` or the signal. Nanoseconds since the epoch. */
  subscribe(
    options: {
      readonly since: bigint | undefined
      readonly until: bigint | undefined
      readonly filters: Filters
    } & Cancellable,
  ): AsyncIterable<EventMessage>
}

export interface SystemService {
  version(): Promise<SystemVersion>
  info(): Promise<SystemInfo>
  diskUsage(options: { readonly types: readonly string[] }): Promise<object>
  /** How clients are to build unless they choose: `2` is by BuildKit's protocol, `1` by the classic request. */
  readonly builderVersion: '1' | '2'
}

/** A step, how far it is, a finding, or (last) what came of it. */
export interface FsckMessage extends ProgressMessage {
  readonly finding?: Finding
  readonly summary?: { readonly findings: number; readonly repaired: number }
}

/** Checks all that is stored, and repairs it. */
export interface FsckService {
  /** One at a time: `conflict` otherwise. Without `repair` nothing is changed. */
  check(
    options: {
      readonly repair: boolean
      /** For the registries that layers are fetched from again, as in parseRegistryConfig(). */
      readonly auths?: ReadonlyMap<string, RegistryAuth>
    } & Cancellable,
  ): AsyncIterable<FsckMessage>
}

export interface VolumeService {
  /** `Warnings`: plugins that do not answer. */
  list(filters: Filters): Promise<{ Volumes: Volume[]; Warnings: string[] | null }>
  create(body: {
    readonly Name?: string | null
    readonly Driver?: string | null
    readonly DriverOpts?: Record<string, string> | null
    readonly Labels?: Record<string, string> | null
  }): Promise<Volume>
  inspect(name: string): Promise<Volume>
  remove(name: string, options: { readonly force: boolean }): Promise<void>
  prune(filters: Filters): Promise<{ VolumesDeleted: string[]; SpaceReclaimed: number }>
  /** What `prune` would remove once the containers with these ids were gone. */
  planPrune(filters: Filters, without: ReadonlySet<string>): Promise<PlannedRemoval[]>
}

/** `POST /networks/create`. */
export interface NetworkCreateBody {
  readonly Name?: string | null
  readonly Driver?: string | null
  readonly EnableIPv4?: boolean | null
  readonly EnableIPv6?: boolean | null
  readonly Internal?: boolean | null
  readonly Attachable?: boolean | null
  readonly Ingress?: boolean | null
  readonly Scope?: string | null
  readonly ConfigOnly?: boolean | null
  readonly ConfigFrom?: { readonly Network?: string | null } | null
  readonly IPAM?: IPAM | null
  readonly Options?: Record<string, string> | null
  readonly Labels?: Record<string, string> | null
}

/** What Docker has no command for. All of it happens as a whole or, after a crash, not at all. */
export interface VolumeTransferService {
  /** `conflict` while a container has it, or when there is one of the new name. */
  rename(name: string, to: string): Promise<void>
  /** A new volume with the files, options and labels of another one, and more labels. */
  clone(
    name: string,
    to: string,
    options: { readonly labels: Readonly<Record<string, string>> } & Cancellable,
  ): Promise<Volume>
  /** A tar archive of what is in it. */
  export(name: string, options: Cancellable): Promise<AsyncIterable<Uint8Array>>
  /** A new volume with what is in a tar archive. */
  import(
    name: string,
    archive: AsyncIterable<Uint8Array>,
    options: { readonly labels: Readonly<Record<string, string>> } & Cancellable,
  ): Promise<Volume>
}

export interface NetworkService {
  list(filters: Filters): Promise<NetworkSummary[]>
  inspect(ref: string): Promise<Network>
  create(body: NetworkCreateBody): Promise<NetworkCreateResponse>
  remove(ref: string): Promise<void>
  /** Removes those that no running container is on; names. */
  prune(filters: Filters): Promise<{ NetworksDeleted: string[] | null }>
  /** What `prune` would remove. */
  planPrune(filters: Filters): Promise<PlannedRemoval[]>
  /** Takes effect at once for a container that runs. */
  connect(ref: string, body: NetworkConnectRequest): Promise<void>
  disconnect(ref: string, body: NetworkDisconnectRequest): Promise<void>
}

/** What is reached from where, and why something is not. */
export interface NetworkExplanations {
  exposure(): Promise<Exposure>
  /** `port` is the container's, as `80` or `53/udp`; `from` another container, which asks by `name`. */
  unreachable(
    ref: string,
    question: {
      readonly port: string
      readonly from?: string | undefined
      readonly name?: string | undefined
    },
  ): Promise<Diagnosis>
}

export interface Engine {
  readonly lifecycle: ContainerLifecycle
  readonly query: ContainerQuery
  readonly streams: ContainerStreams
  readonly files: ContainerFiles
  readonly execs: ExecService
  readonly images: ImageService
  readonly pulls: PullService
  readonly pushes: PushService
  readonly registries: RegistryService
  readonly events: EventService
  readonly system: SystemService
  readonly volumes: VolumeService
  readonly volumeTransfers: VolumeTransferService
  readonly networks: NetworkService
  readonly explanations: NetworkExplanations
  readonly why: WhyService
  readonly fsck: FsckService
  readonly builds: BuildService
}
