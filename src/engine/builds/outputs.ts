import type { Digest } from '#base/digest.ts'
import type { Report } from '#build/progress/progress.ts'
import type { Helper } from '#os/helper.ts'
import type { Trees } from '#os/tree.ts'
import { formatFamiliar, parseReference, type Reference, withDefaultTag } from '#oci/reference.ts'
import type { Addition } from '../images/addition.ts'
import type { Images } from '../images/images.ts'
import type { PushService } from '../services.ts'
import type { Artifact } from './artifacts.ts'
import { type BuiltImage, type WrittenImage, writeImages } from './image-output.ts'
import type { Logins } from './logins.ts'
import { type BuiltRoot, rootArchive } from './root-archive.ts'
import type { BuildOutput } from './service.ts'
import { vertexReport } from './vertex-report.ts'

export interface OutputsDeps {
  readonly images: Pick<Images, 'store' | 'save' | 'remove'>
  readonly pushes: PushService
  readonly helper: Pick<Helper, 'pid'>
  readonly trees: Pick<Trees, 'read'>
}

/** What a build has come to: for each platform an image and its root filesystem. */
export interface Built {
  readonly images: readonly BuiltImage[]
  readonly roots: readonly BuiltRoot[]
  /** Of the index, if there is to be one. */
  readonly indexAnnotations: Readonly<Record<string, string>> | undefined
  /** Holds the layers until the image is written. */
  readonly addition: Addition
}

export interface OutputsOptions {
  readonly tags: readonly string[]
  readonly outputs: readonly BuildOutput[]
  readonly auth: Logins
  readonly report: Report
  readonly now: () => string
  readonly signal: AbortSignal
}

export interface Written {
  readonly image: WrittenImage | undefined
  /** By which the image is known where it has gone: its id in the image store, as Docker has it, else its manifest's. */
  readonly digest: Digest | undefined
  readonly names: readonly string[]
  /** By the number of the output that it belongs to. */
  readonly artifacts: ReadonlyMap<number, Artifact>
}

/** As the client has written them. */
export function outputNames(tags: readonly string[], outputs: readonly BuildOutput[]): readonly string[] {
  const named = outputs.flatMap(({ attributes }) => attributes['name']?.split(',') ?? [])
  return [...tags, ...named].map((text) => text.trim()).filter((text) => text !== '')
}

/** Names are checked before anything is built. */
export function outputReferences(
  tags: readonly string[],
  outputs: readonly BuildOutput[],
): readonly Reference[] {
  const references = outputNames(tags, outputs).map((text) => withDefaultTag(parseReference(text)))
  return [...new Map(references.map((reference) => [formatFamiliar(reference), reference])).values()]
}

/** Writes what was asked for: into the image store (also when nothing else is), to registries, for the client. */
export async function writeOutputs(
  deps: OutputsDeps,
  built: Built,
  options: OutputsOptions,
): Promise<Written> {
  const outputs =
    options.outputs.length === 0 ? [{ type: 'image' as const, attributes: {} }] : options.outputs
  const references = outputReferences(options.tags, outputs)
  const stored = outputs.some(({ type }) => type === 'image' || type === 'registry')
  const archived = outputs.some(({ type }) => type === 'oci' || type === 'docker')
  const image = stored || archived ? await exportImage(deps, built, references, options) : undefined
  const artifacts = new Map<number, Artifact>()
  for (const [index, { type }] of outputs.entries()) {
    if (type === 'local' || type === 'tar') {
      artifacts.set(index, await rootArchive({ ...deps, ...deps.images.store.deps }, built.roots))
    }
    if (image !== undefined && (type === 'oci' || type === 'docker')) {
      artifacts.set(index, await imageArchive(deps, image.id, references))
    }
  }
  for (const output of outputs) if (isPushed(output)) await pushAll(deps, references, options)
  const leaves = archived || outputs.some(isPushed)
  const digest = leaves ? image?.target.digest : image?.id
  return { image, digest, names: references.map(formatFamiliar), artifacts }
}

function isPushed({ type, attributes }: BuildOutput): boolean {
  return type === 'registry' || (type === 'image' && attributes['push'] === 'true')
}

async function exportImage(
  deps: OutputsDeps,
  built: Built,
  references: readonly Reference[],
  { report, now, signal }: OutputsOptions,
): Promise<WrittenImage> {
  return vertexReport('exporting to image', report, now, async ({ status }) => {
    const image = await writeImages(deps.images.store, built.addition, built.images, {
      references,
      annotations: built.indexAnnotations,
      signal,
    })
    status(`writing image ${image.id}`)
    for (const reference of references) status(`naming to ${formatFamiliar(reference)}`)
    return image
  })
}

/** An OCI layout that `docker load` takes as well. */
async function imageArchive(
  { images }: OutputsDeps,
  id: Digest,
  references: readonly Reference[],
): Promise<Artifact> {
  const names = references.length === 0 ? [id] : references.map(formatFamiliar)
  const held = await images.store.collector.hold()
  // Read when the build, and its signal, are over.
  const archive = await images.save(names)
  return { read: () => archive, [Symbol.asyncDispose]: () => held[Symbol.asyncDispose]() }
}

async function pushAll(
  { pushes }: OutputsDeps,
  references: readonly Reference[],
  { auth, report, now, signal }: OutputsOptions,
): Promise<void> {
  for (const reference of references) {
    const name = formatFamiliar(reference)
    await vertexReport(`pushing ${name}`, report, now, async ({ status, progress }) => {
      const messages = pushes.push(name, {
        tag: undefined,
        platform: undefined,
        auth: await auth(reference.domain),
        signal,
      })
      for await (const { id, status: text = '', progressDetail } of messages) {
        if (id === undefined) status(text)
        else progress(`${text} ${id}`, progressDetail?.current ?? 0, progressDetail?.total)
      }
    })
  }
}
