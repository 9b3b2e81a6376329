import type { ResolvedImage } from '#build/graph/plan.ts'
import { formatPlatform, hostPlatform, type Platform } from '#oci/platform.ts'
import { familiarName, parseReference, type Reference } from '#oci/reference.ts'
import type { BuildOptions } from '../service.ts'
import type { Predicate } from './attestation.ts'

export interface ProvenanceInput {
  readonly id: string
  readonly options: BuildOptions
  readonly platform: Platform
  readonly dockerfile: { readonly text: string; readonly name: string }
  readonly materials: readonly ResolvedImage[]
  /** ISO 8601 */
  readonly startedOn: string
  readonly finishedOn: string
}

const PROVENANCE_TYPE = 'https://slsa.dev/provenance/v1'
const BUILD_TYPE = 'urn:berth:build:v1'

/**
 * How an image was made (SLSA provenance v1.0). `min` tells neither the Dockerfile's text nor arguments, among which somebody may
 * have given a secret.
 */
export function provenance(mode: 'min' | 'max', input: ProvenanceInput): Predicate {
  const { id, options, platform, dockerfile, materials, startedOn, finishedOn } = input
  const args = {
    platform: formatPlatform(platform),
    ...(options.target === undefined ? {} : { target: options.target }),
    ...(mode === 'min' ? {} : prefixed('build-arg:', options.buildArgs)),
    ...prefixed('label:', options.labels),
  }
  return {
    type: PROVENANCE_TYPE,
    content: {
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: {
          configSource: { path: dockerfile.name, ...sourceOf(options) },
          request: { frontend: 'dockerfile.v0', args },
        },
        internalParameters: {
          builderPlatform: formatPlatform(hostPlatform()),
          ...(mode === 'max' ? { dockerfile: dockerfile.text } : {}),
        },
        resolvedDependencies: materials.map((image) => dependency(image, platform)),
      },
      runDetails: {
        builder: { id: '' },
        metadata: { invocationId: id, startedOn, finishedOn },
      },
    },
  }
}

/** Package address of an image (purl, type docker). */
export function packageAddress(reference: Reference, platform: Platform): string {
  const { tag, digest } = reference
  const version = digest ?? tag
  const name = familiarName(reference).split('/').map(encodeURIComponent).join('/')
  const suffix = version === undefined ? '' : `@${encodeURIComponent(version)}`
  return `pkg:docker/${name}${suffix}?platform=${encodeURIComponent(formatPlatform(platform))}`
}

function dependency({ reference, manifest, id }: ResolvedImage, platform: Platform): object {
  const [algorithm = '', hex = ''] = (manifest ?? id).split(':')
  const uri = reference.startsWith('sha256:')
    ? `pkg:docker/image@${encodeURIComponent(reference)}`
    : packageAddress(parseReference(reference), platform)
  return { uri, digest: { [algorithm]: hex } }
}

function sourceOf({ context }: BuildOptions): { readonly uri?: string } {
  return context.type === 'remote' ? { uri: withoutPassword(context.url) } : {}
}

function withoutPassword(text: string): string {
  const url = URL.parse(text)
  if (url === null) return text
  url.username = ''
  url.password = ''
  return url.href
}

function prefixed(prefix: string, values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`${prefix}${key}`, value]))
}
