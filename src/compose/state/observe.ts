import { isKind } from '#base/errors.ts'
import type { Client } from '#client/client.ts'
import { imageOf } from '../model/names.ts'
import type { Project } from '../model/project.ts'
import { labels, ofProject } from './labels.ts'
import {
  type Observed,
  type ObservedContainer,
  type ObservedImage,
  type ObservedNetwork,
  type ObservedVolume,
  observedContainer,
} from './observed.ts'

/** Containers of a project, those of `run` included, by service and number. */
export async function observeContainers(
  client: Client,
  project: string,
  options: { readonly all: boolean } = { all: true },
): Promise<readonly ObservedContainer[]> {
  const summaries = await client.containerQuery.list({ all: options.all, filters: ofProject(project) })
  return summaries
    .map(observedContainer)
    .toSorted((a, b) => (a.service === b.service ? a.number - b.number : a.service < b.service ? -1 : 1))
}

/** Looks at everything that a plan for the project depends on; all questions are asked at once. */
export async function observe(client: Client, project: Project): Promise<Observed> {
  const images = [...new Set(imagesOf(project))]
  const [containers, networks, volumes, found] = await Promise.all([
    observeContainers(client, project.name),
    observeNetworks(client, project),
    observeVolumes(client, project),
    Promise.all(images.map(async (image) => [image, await observeImage(client, image)] as const)),
  ])
  const here = found.flatMap(([image, one]) => (one === undefined ? [] : [[image, one] as const]))
  return { containers, networks, volumes, images: new Map(here) }
}

function imagesOf({ name, services }: Project): readonly string[] {
  const made = Object.entries(services).filter(([, { provider }]) => provider === undefined)
  return made.map(([service, definition]) => imageOf(name, service, definition))
}

/** All of the engine: a network of the project may be there without its labels. */
async function observeNetworks(client: Client, project: Project): Promise<Map<string, ObservedNetwork>> {
  const wanted = new Set(Object.values(project.networks).map(({ name }) => name))
  const found = await client.networks.list()
  const entries = found.flatMap(({ Name = '', Id = '', Labels }): [string, ObservedNetwork][] => {
    const name = Name ?? ''
    const own = Labels?.[labels.project] === project.name
    if (!own && !wanted.has(name)) return []
    return [[name, { id: Id ?? '', name, hash: Labels?.[labels.hash], own }]]
  })
  return new Map(entries)
}

async function observeVolumes(client: Client, project: Project): Promise<Map<string, ObservedVolume>> {
  const wanted = new Set(Object.values(project.volumes).map(({ name }) => name))
  const { Volumes: found } = await client.volumes.list()
  const entries = (found ?? []).flatMap(({ Name, Labels }): [string, ObservedVolume][] => {
    const name = Name ?? ''
    const own = Labels?.[labels.project] === project.name
    return own || wanted.has(name) ? [[name, { name, hash: Labels?.[labels.hash], own }]] : []
  })
  return new Map(entries)
}

/** Undefined: it is not here. */
async function observeImage(client: Client, image: string): Promise<ObservedImage | undefined> {
  try {
    const { Id, Metadata } = await client.images.inspect(image)
    const tagged = Date.parse(Metadata?.LastTagTime ?? '')
    return { id: Id ?? '', taggedAt: Number.isNaN(tagged) || tagged <= 0 ? undefined : tagged }
  } catch (error) {
    if (isKind(error, 'not_found')) return undefined
    throw error
  }
}
