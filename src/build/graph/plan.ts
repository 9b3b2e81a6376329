/** What is asked of the planner, and what it needs from outside. */
import type { Digest } from '#base/digest.ts'
import type { ImageConfig } from '#oci/image-spec.ts'
import type { Platform } from '#oci/platform.ts'
import type { Warning } from '../dockerfile/lint.ts'
import type { ImagePlan, RunLimits } from './operations.ts'

export interface BuildRequest {
  readonly dockerfile: string
  /** As messages name it. */
  readonly dockerfileName: string
  /** Contents of the ignore file that applies to the build context; undefined without one. */
  readonly ignore: string | undefined
  readonly target: string | undefined
  readonly buildArgs: Readonly<Record<string, string>>
  /** `--label`; they win. */
  readonly labels: Readonly<Record<string, string>>
  /** At least one. */
  readonly platforms: readonly Platform[]
  /** Names of named contexts that are directories, and images that stand for a name. */
  readonly contexts: ReadonlyMap<string, NamedContext>
  readonly noCache: boolean
  /** Stages that are built anew. */
  readonly noCacheFilter: readonly string[]
  readonly network: 'default' | 'none' | 'host'
  readonly extraHosts: readonly string[]
  readonly limits: RunLimits
  /** What the daemon allows besides: `network.host`, `security.insecure`. */
  readonly entitlements: ReadonlySet<string>
  /** What the request allows of it (`--allow`): a step needs both. */
  readonly allow: ReadonlySet<string>
}

export type NamedContext = { readonly type: 'files' } | { readonly type: 'image'; readonly reference: string }

export interface ResolvedImage {
  /** Of the configuration. */
  readonly id: Digest
  /** Of the manifest or index it was fetched as; undefined for one made here. */
  readonly manifest: Digest | undefined
  /** Normalised, as provenance names it. */
  readonly reference: string
  readonly config: ImageConfig
  readonly layers: readonly Digest[]
}

export interface ImageResolver {
  /** Fetches what is missing, or newer when the build says so. Errors as those of a pull. */
  resolve(reference: string, platform: Platform): Promise<ResolvedImage>
}

export interface BuildPlan {
  /** One for each platform of the request, in its order. */
  readonly images: readonly ImagePlan[]
  readonly warnings: readonly Warning[]
  /** Warnings that belong to no line, such as build arguments that nothing uses. */
  readonly notices: readonly string[]
  /** Images the build took anything from. */
  readonly materials: readonly ResolvedImage[]
  /** Name of the target stage, or undefined for the last one without a name. */
  readonly target: string | undefined
  /** Of `SOURCE_DATE_EPOCH` among the arguments: seconds. */
  readonly epoch: number | undefined
  /** Those of all stages that are needed (for the first platform), in the order of the file. */
  readonly instructions: readonly PlannedInstruction[]
}

/** For fronts that number instructions. */
export interface PlannedInstruction {
  readonly text: string
  /** Name of the step it has become; undefined for what is metadata alone. */
  readonly step: string | undefined
}
