/** What the engine offers of builds: to the HTTP API, and to BuildKit's protocol. */
import type { Duplex } from 'node:stream'
import type { PlannedRemoval } from '#api/prune-plan.ts'
import type { RunLimits } from '#build/graph/operations.ts'
import type { BuildProgress, CacheMiss } from '#build/progress/progress.ts'
import type { Cancellable, Filters } from '../services.ts'
import type { Logins } from './logins.ts'

export interface BuildService {
  /**
   * Builds. What fails before the first message is an ordinary error, and so is what fails after it: the iterable throws. Ends
   * with one `result`. When the consumer stops or `signal` is aborted the build is cancelled and leaves nothing behind.
   */
  build(options: BuildOptions): AsyncIterable<BuildMessage>
  /** Cancels the build that was begun with this id; `false` when there is none. */
  cancel(id: string): boolean
  prune(
    options: BuildPruneOptions & Cancellable,
  ): Promise<{ CachesDeleted: string[]; SpaceReclaimed: number }>
  /** What `prune` would remove. */
  planPrune(options: BuildPruneOptions): Promise<PlannedRemoval[]>
  usage(filters?: Filters): Promise<readonly BuildCacheRecord[]>
  /** The last build's misses, or those of the build with this id; `not_found` without one. */
  why(id?: string): Promise<BuildExplanation>
  /** What a build has left for its client, once: a tar. `not_found` afterwards. */
  artifact(build: string, index: number): Promise<AsyncIterable<Uint8Array>>
  readonly sessions: BuildSessions
}

/** What a client gives before its build begins; dropped when the build ends, or after ten minutes without one. */
export interface BuildSessions {
  /** Begins one; `client` is asked for what was not put into it. */
  begin(client?: SessionClient): { readonly id: string }
  /** In memory, 500 KiB at most. */
  putSecret(session: string, id: string, value: Uint8Array): void
  /** A socket on this host. */
  putAgent(session: string, id: string, path: string): void
  /**
   * A context from elsewhere: `stats` is its list of files, a JSON object a line (see src/build/sources/context-list.ts). The first
   * is `{"directory": …}`: what the client calls the directory, the same the next time. Each other one is the JSON of a
   * `TarEntry` (src/oci/tar/entry.ts), parents first, without the root. Answers with the paths whose contents are not known here.
   */
  putContext(
    session: string,
    name: string,
    stats: AsyncIterable<Uint8Array>,
  ): Promise<{ readonly wanted: readonly string[] }>
  /** A tar of what was wanted. */
  putFiles(session: string, name: string, tar: AsyncIterable<Uint8Array>): Promise<void>
  drop(session: string): Promise<void>
}

/** A client that can be asked when a step needs something. Undefined: it has none of that id. */
export interface SessionClient {
  secret(id: string): Promise<Uint8Array | undefined>
  /** What makes connections to an ssh agent. */
  agent(id: string): Promise<(() => Duplex) | undefined>
}

export interface BuildOptions extends Cancellable {
  /** For `cancel`; one is made up if it is not given. */
  readonly id: string | undefined
  readonly session: string | undefined
  readonly context: ContextInput
  /** In the context; or the text itself, perhaps with that of its ignore file, which goes before those of the context. */
  readonly dockerfile:
    | { readonly path: string }
    | { readonly text: string; readonly name: string; readonly ignore?: string | undefined }
  /** `--build-context`. */
  readonly namedContexts: Readonly<Record<string, NamedContextInput>>
  readonly tags: readonly string[]
  readonly target: string | undefined
  readonly buildArgs: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  /** `type[,type][platform]:key=value` */
  readonly annotations: readonly string[]
  /** Empty: the host's. */
  readonly platforms: readonly string[]
  readonly pull: boolean
  readonly noCache: boolean
  readonly noCacheFilter: readonly string[]
  readonly network: string | undefined
  readonly extraHosts: readonly string[]
  readonly limits: RunLimits
  readonly allow: readonly string[]
  readonly cacheFrom: readonly CacheLocation[]
  readonly cacheTo: readonly CacheLocation[]
  readonly squash: boolean
  /** Empty: the image store. */
  readonly outputs: readonly BuildOutput[]
  readonly provenance: 'none' | 'min' | 'max'
  /** Reference of the scanner; undefined: no SBOM. */
  readonly sbom: string | undefined
  readonly auth: Logins
  /** Called when all steps are done: the result is written once it resolves, and not at all when it rejects. */
  readonly solved?: (() => Promise<void>) | undefined
  /** Only what the checks say, nothing is built; or the outline or the targets of the Dockerfile. */
  readonly call: 'build' | 'check' | 'outline' | 'targets'
}

export type ContextInput =
  | { readonly type: 'tar'; readonly bytes: AsyncIterable<Uint8Array> }
  /** A directory of this host, read in place. */
  | { readonly type: 'directory'; readonly path: string }
  /** Git, an archive or a Dockerfile at an http(s) address. */
  | { readonly type: 'remote'; readonly url: string }
  /** What `BuildSessions` was given under this name. */
  | {
      readonly type: 'session'
      readonly name: string
      /** What tells the client's directory from others, where that is known. */
      readonly directory?: string | undefined
    }
  | { readonly type: 'empty' }

export type NamedContextInput =
  | ContextInput
  | { readonly type: 'image'; readonly reference: string }
  /** A directory of this host in the OCI layout. */
  | { readonly type: 'oci-layout'; readonly path: string; readonly reference: string | undefined }

/** `type=registry,ref=…`: the type and its attributes. */
export interface CacheLocation {
  readonly type: 'inline' | 'registry' | 'local'
  readonly attributes: Readonly<Record<string, string>>
}

/** `type=oci,dest=…`: for `local`, `tar`, `oci` and `docker` the client fetches the artifact and writes it to its `dest`. */
export interface BuildOutput {
  readonly type: 'image' | 'registry' | 'local' | 'tar' | 'oci' | 'docker' | 'cacheonly'
  readonly attributes: Readonly<Record<string, string>>
}

export type BuildMessage =
  | BuildProgress
  /** Text of `call`, for people, and its exit code. */
  | { readonly type: 'call'; readonly text: string; readonly document: unknown; readonly status: number }
  | BuildResult

export interface BuildResult {
  readonly type: 'result'
  readonly id: string
  /** Id of the image (of the first platform); undefined when none was made. */
  readonly imageId: string | undefined
  /** Digest of the manifest or index that was pushed or written. */
  readonly digest: string | undefined
  readonly names: readonly string[]
  /** Indexes of outputs that the client is to fetch. */
  readonly artifacts: readonly number[]
  /** As `--metadata-file` has it. */
  readonly metadata: Readonly<Record<string, unknown>>
}

export interface BuildPruneOptions {
  readonly all: boolean
  readonly filters: Filters
  /** Bytes; undefined: no such rule. */
  readonly keepStorage: number | undefined
  readonly reservedSpace: number | undefined
  readonly maxUsedSpace: number | undefined
  readonly minFreeSpace: number | undefined
}

/** Docker's `BuildCache` of `/system/df`. */
export interface BuildCacheRecord {
  readonly ID: string
  readonly Parents: readonly string[] | null
  readonly Type:
    | 'internal'
    | 'frontend'
    | 'source.local'
    | 'source.git.checkout'
    | 'exec.cachemount'
    | 'regular'
  readonly Description: string
  readonly InUse: boolean
  /** Images have it, too: removing it frees nothing. */
  readonly Shared: boolean
  /** Bytes on disk. */
  readonly Size: number
  readonly CreatedAt: string
  readonly LastUsedAt: string | null
  readonly UsageCount: number
}

export interface BuildExplanation {
  readonly id: string
  readonly name: string
  readonly finished: string
  readonly steps: number
  readonly cached: number
  readonly misses: readonly CacheMiss[]
}
