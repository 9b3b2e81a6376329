import type { ContainerConfig } from '#api/generated/types.ts'
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

/** The name to show for a container's image: its whole id once the name leads elsewhere. */
export function imageName(images: Images, { image, imageId }: Container): string {
  try {
    return images.store.lookup(image) === imageId ? image : (imageId ?? '')
  } catch (error) {
    if (!isKind(error, 'not_found') && !isKind(error, 'invalid_argument')) throw error
    return imageId ?? ''
  }
}

/** Images of containers that are `reference` or were made on top of it; empty when it leads nowhere. */
export async function descendants(
  { store }: Images,
  registry: ContainerRegistry,
  reference: string,
): Promise<ReadonlySet<string>> {
  const base = await unlessMissing(store.resolve(reference))
  if (base === undefined) return new Set()
  const candidates = new Map(registry.all().map(({ imageId, layers }) => [imageId, layers]))
  const found = new Set<string>([base.id])
  for (const [imageId, layers] of candidates) {
    if (imageId === undefined || !startsWith(layers, base.layers)) continue
    // With the same layers it may as well be the other way round: how they were made tells.
    const onTop =
      layers.length > base.layers.length ||
      isContinued(base.config.history, (await unlessMissing(store.config(imageId)))?.history)
    if (onTop) found.add(imageId)
  }
  return found
}

function isContinued(
  first: readonly object[] | null | undefined,
  second: readonly object[] | null | undefined,
): boolean {
  const [before, after] = [first ?? [], second ?? []]
  const steps = (history: readonly object[]): string[] => history.map((step) => JSON.stringify(step))
  return before.length > 0 && after.length > before.length && startsWith(steps(after), steps(before))
}

function startsWith(list: readonly string[], start: readonly string[]): boolean {
  return start.every((one, at) => list[at] === one)
}

/** An image may have been removed by force while containers have it. */
async function unlessMissing<T>(looking: Promise<T>): Promise<T | undefined> {
  try {
    return await looking
  } catch (error) {
    if (isKind(error, 'not_found') || isKind(error, 'invalid_argument') || isKind(error, 'data_loss'))
      return undefined
    throw error
  }
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
