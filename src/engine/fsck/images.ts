import { isDeepStrictEqual } from 'node:util'
import type { Digest } from '#base/digest.ts'
import { isKind, messageOf } from '#base/errors.ts'
import { parseImageConfig } from '#oci/image-spec.ts'
import { formatFamiliar, parseReference } from '#oci/reference.ts'
import type { ContainerRegistry } from '../containers/registry.ts'
import type { ImageStore } from '../images/image-store.ts'
import { Damage } from './damage.ts'
import type { Problem } from './problem.ts'

interface ImageCheckDeps {
  readonly images: ImageStore
  readonly registry: ContainerRegistry
}

/** Configs and manifests against their digests, and rows against what these say. */
export async function* checkImages(
  { images, registry }: ImageCheckDeps,
  { signal }: { readonly signal: AbortSignal },
): AsyncGenerator<Problem> {
  const damage = new Damage(images, registry)
  for (const digest of images.layers.blobs()) {
    signal.throwIfAborted()
    const problem = await blobProblem(images, digest)
    if (problem === undefined) continue
    const hurt = damage.ofBlob(digest)
    yield {
      object: { kind: 'blob', name: digest },
      problem,
      damage: hurt,
      advice: `pull, load or build ${hurt.images[0] ?? 'the image'} again`,
    }
  }
  for (const { id } of images.rows.list()) {
    const problem = await rowProblem(images, id)
    if (problem === undefined) continue
    const name = damage.nameOf(id)
    yield {
      object: { kind: 'image', name: id },
      problem,
      damage: { images: [name], containers: [] },
      advice: `remove ${name} and pull, load or build it again`,
    }
  }
  yield* checkReferences(images)
}

async function blobProblem(images: ImageStore, digest: Digest): Promise<string | undefined> {
  try {
    await images.deps.content.read(digest)
    return undefined
  } catch (error) {
    if (isKind(error, 'not_found')) return 'is missing'
    return isKind(error, 'data_loss') ? 'has other content than its digest says' : messageOf(error)
  }
}

/** The rows of an image whose config is intact. */
async function rowProblem(images: ImageStore, id: Digest): Promise<string | undefined> {
  try {
    const config = parseImageConfig(await images.deps.content.read(id))
    const same = isDeepStrictEqual([...config.rootfs.diff_ids], images.rows.layers(id))
    return same ? undefined : 'its rows name other layers than its configuration'
  } catch (error) {
    // That has been found above.
    if (isKind(error, 'not_found') || isKind(error, 'data_loss')) return undefined
    return messageOf(error)
  }
}

function* checkReferences(images: ImageStore): Generator<Problem> {
  for (const { name, imageId } of images.references.list()) {
    const target = images.references.target(name)
    const known =
      target === undefined || images.rows.manifests(imageId).some(({ digest }) => digest === target)
    if (known) continue
    const familiar = formatFamiliar(parseReference(name))
    yield {
      object: { kind: 'reference', name: familiar },
      problem: `was fetched as ${target}, which is not kept`,
      damage: { images: [familiar], containers: [] },
      advice: `pull ${familiar} again`,
      remedy: {
        says: 'forget what it was fetched as',
        apply: async () => void images.references.put(name, imageId, undefined),
      },
    }
  }
}
