/**
 * The graph of a build: what has to be done to come to a root filesystem. Plain values without I/O; two nodes with the
 * same content are the same operation, whoever asks for it. `src/build/plan` makes it from a Dockerfile, `src/build/solve`
 * carries it out. Paths are absolute and clean unless it is said otherwise.
 */
import type { Digest } from '#base/digest.ts'
import type { History, RunConfig } from '#oci/image-spec.ts'
import type { Platform } from '#oci/platform.ts'
import type { FileMode } from '../dockerfile/file-mode.ts'

/** What has layers. */
export type Filesystem = Scratch | BaseImage | RunStep | CopyStep | DirectoryStep

/** Where files are taken from. */
export type FileOrigin = Filesystem | ContextOrigin | DownloadOrigin | GitOrigin

/** No layers at all. */
export interface Scratch {
  readonly kind: 'scratch'
}

/** An image that is in the store. */
export interface BaseImage {
  readonly kind: 'image'
  /** As the Dockerfile says it, for people. */
  readonly name: string
  /** Of its configuration: what the image is. */
  readonly id: Digest
  /** Bottom first. */
  readonly layers: readonly Digest[]
  /** For people; no part of what the image is. */
  readonly label?: ImageLabel | undefined
}

export interface ImageLabel {
  /** `[build 1/5] FROM docker.io/library/debian:13`, as BuildKit words it. */
  readonly name: string
  /** Name of the stage, or `stage-N`; undefined when a COPY or a mount takes from the image. */
  readonly stage: string | undefined
  /** 1-based line in the Dockerfile. */
  readonly line: number
}

/** A directory of files that came with the build: the build context, or a named one. */
export interface ContextOrigin {
  readonly kind: 'context'
  /** `context` for the build context. */
  readonly name: string
}

/** ADD of an http(s) address: a tree with one file, called as `downloadName` says. */
export interface DownloadOrigin {
  readonly kind: 'download'
  readonly url: string
  /** What its bytes must have. */
  readonly checksum: Digest | undefined
}

/** ADD of a git repository. */
export interface GitOrigin {
  readonly kind: 'git'
  /** Without fragment. */
  readonly remote: string
  /** Branch, tag or commit; undefined: the default branch. */
  readonly ref: string | undefined
  /** Directory of the repository; undefined: all of it. */
  readonly directory: string | undefined
  /** A commit, or the beginning of one. */
  readonly checksum: string | undefined
  readonly keepGitDirectory: boolean
  readonly submodules: boolean
}

/** What all steps have. */
interface Step {
  readonly on: Filesystem
  /** For people; no part of what the step is. */
  readonly label: StepLabel
}

export interface StepLabel {
  /** `[build 2/5] RUN make`, as BuildKit words it. */
  readonly name: string
  /** Name of the stage, or `stage-N`. */
  readonly stage: string
  /** The instruction as written, variables not expanded. */
  readonly instruction: string
  /** 1-based line in the Dockerfile. */
  readonly line: number
  /** ARGs and their values that the step sees, so that a miss can be explained. */
  readonly args: Readonly<Record<string, string>>
  /** `--no-cache`, or `--no-cache-filter` for its stage: look for no result of an earlier build. */
  readonly uncached: boolean
}

/** A process; what it changes in its root filesystem is the layer. */
export interface RunStep extends Step {
  readonly kind: 'run'
  readonly args: readonly string[]
  /** `KEY=value`, in order; with ARGs. */
  readonly env: readonly string[]
  /** Proxy settings: in the environment of the process, no part of what the step is. */
  readonly proxyEnv: readonly string[]
  readonly cwd: string
  /** As USER says it; empty: root. */
  readonly user: string
  readonly mounts: readonly RunMount[]
  /** Scripts that are shown to the process read-only, mode 0755, below `/dev/pipes`: heredocs that begin with `#!`. */
  readonly scripts: readonly { readonly name: string; readonly content: string }[]
  readonly network: 'default' | 'none' | 'host'
  readonly security: 'sandbox' | 'insecure'
  readonly platform: Platform
  readonly hostname: string
  readonly extraHosts: readonly string[]
  /** Limits of the request: no part of what the step is. */
  readonly limits: RunLimits
}

export interface RunLimits {
  /** Bytes. */
  readonly shmSize?: number | undefined
  readonly ulimits?: readonly { readonly name: string; readonly soft: number; readonly hard: number }[]
  readonly cgroupParent?: string | undefined
  /** Bytes. */
  readonly memory?: number | undefined
  readonly memorySwap?: number | undefined
  readonly cpuShares?: number | undefined
  readonly cpuPeriod?: number | undefined
  readonly cpuQuota?: number | undefined
  readonly cpusetCpus?: string | undefined
  readonly cpusetMems?: string | undefined
}

export type RunMount =
  | {
      readonly type: 'bind'
      readonly from: FileOrigin
      /** Path in it. */
      readonly source: string
      readonly target: string
      /** Otherwise what is written is thrown away. */
      readonly readOnly: boolean
    }
  | {
      readonly type: 'cache'
      /** With its namespace. */
      readonly id: string
      readonly target: string
      readonly sharing: 'shared' | 'private' | 'locked'
      /** What an empty one begins with. */
      readonly from: FileOrigin | undefined
      readonly source: string
      readonly readOnly: boolean
      readonly mode: number
      readonly uid: number
      readonly gid: number
    }
  | {
      readonly type: 'secret'
      readonly id: string
      /** Undefined: only in the environment. */
      readonly target: string | undefined
      readonly env: string | undefined
      readonly required: boolean
      readonly mode: number
      readonly uid: number
      readonly gid: number
    }
  | {
      readonly type: 'ssh'
      readonly id: string
      readonly target: string
      readonly required: boolean
      readonly mode: number
      readonly uid: number
      readonly gid: number
    }
  | { readonly type: 'tmpfs'; readonly target: string; readonly size: number | undefined }

/** COPY or ADD: one layer, written from its sources without a root filesystem. */
export interface CopyStep extends Step {
  readonly kind: 'copy'
  readonly sources: readonly CopySource[]
  /** Absolute; a slash at its end says that it is a directory. */
  readonly destination: string
  /** Text of `--chown`, looked up in the /etc/passwd and /etc/group of `on`; undefined: 0:0. */
  readonly owner: string | undefined
  readonly mode: FileMode | undefined
  /** Its layer depends on nothing below; symlinks of the destination are not followed. */
  readonly link: boolean
  readonly parents: boolean
  /** Patterns as in ignore files. */
  readonly exclude: readonly string[]
}

export type CopySource =
  | {
      readonly type: 'files'
      readonly from: FileOrigin
      /** Relative path or pattern of filepath.Match; `.` for all. With `parents` also `**` and the pivot `/./`. */
      readonly pattern: string
      /** `always` and `auto`: an archive is unpacked; `auto`: a file that is none is copied. */
      readonly unpack: 'never' | 'auto'
    }
  /** A heredoc. */
  | { readonly type: 'document'; readonly name: string; readonly content: string }

/** WORKDIR: a directory that is there afterwards. */
export interface DirectoryStep extends Step {
  readonly kind: 'directory'
  readonly path: string
  /** As USER says it; what is made belongs to that user. */
  readonly user: string
}

/** An image as the plan leaves it: its root filesystem is to be solved, then its configuration can be written. */
export interface ImagePlan {
  /** As its configuration has it: that of the base image, if there is one. */
  readonly platform: Platform
  readonly filesystem: Filesystem
  readonly config: RunConfig
  readonly author: string | undefined
  /** Oldest first; those of the base image come before. */
  readonly history: readonly PlannedHistory[]
  /** The base image's own history; its layers are those of the `BaseImage` at the bottom of `filesystem`. */
  readonly baseHistory: readonly History[]
  /** The image the stage is FROM, also through other stages; undefined from scratch. */
  readonly base: BaseImage | undefined
}

export interface PlannedHistory {
  /** `RUN |1 A=b /bin/sh -c make # buildkit` */
  readonly createdBy: string
  /** What may have made a layer; undefined for metadata. */
  readonly step: Filesystem | undefined
}
