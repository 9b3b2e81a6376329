import type { ContainerConfig } from '#api/generated/types.ts'
import { shortId } from '#base/ids.ts'
import type { RunConfig } from '#oci/image-spec.ts'
import { isKind } from '#base/errors.ts'
import { applyChanges } from '../images/changes.ts'
import { tagReference } from '../images/image-creation.ts'
import type { Images } from '../images/images.ts'
import type { CommitImage } from './commits.ts'
import type { Container } from './container.ts'
import type { ContainerRegistry } from './registry.ts'

/** Makes the image of a commit; what belongs to one container only (host name, terminal) is left out. */
export async function commitContainer(images: Images, image: CommitImage): Promise<{ readonly id: string }> {
  const { repo, tag } = image
  return images.creation.commitLayer({
    parent: image.parent,
    layer: image.layer,
    config: applyChanges(runConfig(image.config), image.changes),
    author: image.author,
    comment: image.comment,
    createdBy: [...(image.config.Entrypoint ?? []), ...(image.config.Cmd ?? [])].join(' '),
    reference: repo === undefined || repo === '' ? undefined : tagReference(repo, tag),
    signal: image.signal,
  })
}

/** The name to show for a container's image: its id once the name leads elsewhere. */
export function imageName(images: Images, { image, imageId }: Container): string {
  try {
    return images.store.lookup(image) === imageId ? image : shortId(imageId ?? '')
  } catch (error) {
    if (!isKind(error, 'not_found') && !isKind(error, 'invalid_argument')) throw error
    return shortId(imageId ?? '')
  }
}

/** Images of containers that are `reference` or were made on top of it; empty when it leads nowhere. */
export function descendants(
  images: Images,
  registry: ContainerRegistry,
  reference: string,
): ReadonlySet<string> {
  const found = new Set<string>()
  let layers: readonly string[]
  try {
    const id = images.store.lookup(reference)
    found.add(id)
    layers = images.store.rows.layers(id)
  } catch (error) {
    if (!isKind(error, 'not_found') && !isKind(error, 'invalid_argument')) throw error
    return found
  }
  for (const container of registry.all()) {
    // With the same layers it may as well be the other way round.
    const onTop = container.layers.length > layers.length
    if (
      container.imageId !== undefined &&
      onTop &&
      layers.every((layer, i) => container.layers[i] === layer)
    ) {
      found.add(container.imageId)
    }
  }
  return found
}

/** OCI image-spec, config.md: the fields of `config`, and those that Docker adds. */
const runFields = [
  'User',
  'ExposedPorts',
  'Env',
  'Entrypoint',
  'Cmd',
  'Volumes',
  'WorkingDir',
  'Labels',
  'StopSignal',
  'Healthcheck',
  'Shell',
  'OnBuild',
] as const

function runConfig(config: ContainerConfig): RunConfig {
  const said = runFields
    .map((field) => [field, config[field]] as const)
    .filter(([, value]) => value !== undefined && value !== null && value !== '')
  return Object.fromEntries(said) as RunConfig
}
