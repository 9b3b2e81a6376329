import { hexOf, isDigest, type Digest } from '#base/digest.ts'
import {
  type Descriptor,
  type ImageConfig,
  isIndex,
  type Manifest,
  parseManifestOrIndex,
  type RunConfig,
} from '#oci/image-spec.ts'
import { manifestUnknown } from '../content/errors.ts'
import type { ManifestRow } from '../storage/manifest-rows.ts'
import { artifactKind, type ArtifactKind, isAttestation, referrerTags } from './artifact-kind.ts'
import type { PageDeps } from './deps.ts'
import { platformsOf } from './platforms.ts'
import { timeOf } from './query.ts'

interface ReferrerView {
  readonly kind: ArtifactKind
  readonly digest: Digest
  readonly artifact_type: string | null
  readonly size: number
  readonly annotations: Readonly<Record<string, string>>
}

const MAX_REFERRERS = 200
/** Characters of annotations of all referrers together; the specification's list has them all. */
const MAX_ANNOTATIONS = 1 << 20

/** Everything about a manifest or an index that can be had without pulling it. Throws MANIFEST_UNKNOWN. */
export async function manifestView(deps: PageDeps, repository: string, reference: string): Promise<object> {
  const { manifests, tags } = deps.catalogue
  const digest = isDigest(reference) ? reference : tags.get(repository, reference)?.manifest
  const row = digest === undefined ? undefined : manifests.get(repository, digest)
  const bytes = row === undefined ? undefined : manifests.bytes(repository, row.digest)
  if (row === undefined || bytes === undefined) throw manifestUnknown(reference)
  const document = parseManifestOrIndex(bytes, { mediaType: row.mediaType })
  const config = row.config === undefined ? undefined : await deps.configs.read(row.config)
  return {
    repository,
    digest: row.digest,
    media_type: row.mediaType,
    artifact_type: row.artifactType ?? null,
    size: row.size,
    content_size: row.contentSize,
    tags: tags.ofManifest(repository, row.digest),
    annotations: document.annotations ?? {},
    subject: row.subject ?? null,
    pushed: timeOf(row.pushed),
    pulled: timeOf(row.pulled),
    pulls: row.pulls,
    platforms: await platformsOf(deps, row),
    referrers: [...referrersOf(deps, row), ...(isIndex(document) ? attestationsOf(document.manifests) : [])],
    ...(isIndex(document) ? {} : imageView(document, config)),
  }
}

function referrersOf({ catalogue }: PageDeps, { repository, digest }: ManifestRow): readonly ReferrerView[] {
  const referrers: ReferrerView[] = []
  let room = MAX_ANNOTATIONS
  for (const row of catalogue.manifests.referrers(repository, digest, {}).take(MAX_REFERRERS)) {
    room -= JSON.stringify(row.annotations ?? {}).length
    if (room < 0) break
    referrers.push(referrerView(row, artifactKind(row.artifactType, row.annotations)))
  }
  const tagged = referrerTags(hexOf(digest)).flatMap(([tag, kind]) => {
    const manifest = catalogue.tags.get(repository, tag)?.manifest
    const row = manifest === undefined ? undefined : catalogue.manifests.get(repository, manifest)
    return row === undefined ? [] : [referrerView(row, kind)]
  })
  return [...referrers, ...tagged]
}

function referrerView(row: ManifestRow, kind: ArtifactKind): ReferrerView {
  return {
    kind,
    digest: row.digest,
    artifact_type: row.artifactType ?? null,
    size: row.contentSize,
    annotations: row.annotations ?? {},
  }
}

/** Those that stand in the index itself. */
function attestationsOf(manifests: readonly Descriptor[]): readonly ReferrerView[] {
  return manifests
    .filter(({ annotations }) => isAttestation(annotations))
    .map(({ digest, size, artifactType, annotations }) => ({
      kind: 'attestation',
      digest,
      artifact_type: artifactType ?? null,
      size,
      annotations: annotations ?? {},
    }))
}

function imageView({ layers, config: descriptor }: Manifest, config: ImageConfig | undefined): object {
  return {
    config_digest: descriptor.digest,
    layers: layers.map(({ digest, size, mediaType }) => ({ digest, size, media_type: mediaType })),
    created: config?.created ?? null,
    author: config?.author ?? null,
    history: historyOf(layers, config),
    config: config === undefined ? null : configView(config),
  }
}

/** Each step with the layer that it made; steps without one come in between. */
function historyOf(layers: readonly Descriptor[], config: ImageConfig | undefined): readonly object[] {
  let next = 0
  return (config?.history ?? []).map((step) => {
    const layer = step.empty_layer === true ? undefined : layers[next++]
    return {
      created: step.created ?? null,
      created_by: step.created_by ?? '',
      comment: step.comment ?? '',
      empty_layer: step.empty_layer ?? false,
      digest: layer?.digest ?? null,
      size: layer?.size ?? 0,
    }
  })
}

function configView({ config, os, architecture, variant }: ImageConfig): object {
  return { os, architecture, variant: variant ?? null, ...runView(config ?? {}) }
}

function runView(run: RunConfig): object {
  return {
    user: run.User ?? '',
    env: run.Env ?? [],
    entrypoint: run.Entrypoint ?? [],
    cmd: run.Cmd ?? [],
    working_dir: run.WorkingDir ?? '',
    exposed_ports: Object.keys(run.ExposedPorts ?? {}),
    volumes: Object.keys(run.Volumes ?? {}),
    labels: run.Labels ?? {},
    stop_signal: run.StopSignal ?? null,
    healthcheck: run.Healthcheck ?? null,
  }
}
