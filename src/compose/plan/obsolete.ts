import { serviceHash } from '../model/hash.ts'
import { imageOf } from '../model/names.ts'
import type { Project, Service } from '../model/project.ts'
import type { Observed, ObservedContainer } from '../state/observed.ts'

/** What else a plan knows when it judges a container. */
export interface Judgement {
  readonly project: Project
  readonly observed: Observed
  readonly recreate: 'changed' | 'always' | 'never'
  /** Services whose containers are replaced in this plan. */
  readonly replaced: ReadonlySet<string>
  /** What exactly has changed in a container, by its id. */
  readonly changes: ReadonlyMap<string, readonly string[]>
}

/** Why a container is not what its service wants any more; undefined: it is. */
export function obsolescence(
  container: ObservedContainer,
  name: string,
  judgement: Judgement,
): string | undefined {
  const { project, observed, recreate, replaced, changes } = judgement
  const service = project.services[name]
  if (service === undefined || recreate === 'never') return undefined
  if (recreate === 'always') return 'it is forced'
  if (container.hash !== serviceHash(service)) {
    const details = changes.get(container.id) ?? []
    return details.length === 0 ? 'config hash differs' : `config hash differs: ${details.join(', ')}`
  }
  const image = imageOf(project.name, name, service)
  const imageId = observed.images.get(image)?.id
  if (imageId !== undefined && container.imageId !== '' && container.imageId !== imageId) {
    return `image ${image} is another one now`
  }
  const shared = sharedServices(service).find((other) => replaced.has(other))
  if (shared !== undefined) return `${shared}, whose namespace or volumes it uses, is replaced`
  return lostNetwork(container, service, judgement) ?? lostVolume(container, service, judgement)
}

/** A network of that name may have been made anew by somebody else, or the container taken off it. */
function lostNetwork(
  container: ObservedContainer,
  service: Service,
  { project, observed }: Judgement,
): string | undefined {
  if (service.network_mode !== undefined) return undefined
  for (const key of Object.keys(service.networks ?? {})) {
    const name = project.networks[key]?.name ?? key
    const network = observed.networks.get(name)
    const id = container.networks.get(name)
    if (id === undefined) return `it is not on network ${name}`
    // An engine may only know the id while the container runs.
    if (network !== undefined && id !== '' && id !== network.id) return `network ${name} is another one now`
  }
  return undefined
}

function lostVolume(
  container: ObservedContainer,
  service: Service,
  { project }: Judgement,
): string | undefined {
  for (const { type, source, target } of service.volumes ?? []) {
    if (type !== 'volume' || source === undefined) continue
    const name = project.volumes[source]?.name ?? source
    const has = container.volumes.some((volume) => volume.name === name && volume.target === target)
    if (!has) return `volume ${name} is not at ${target}`
  }
  return undefined
}

/** Services whose containers' namespaces or volumes this one's containers are made with. */
export function sharedServices(service: Service): readonly string[] {
  const modes = [service.network_mode, service.ipc, service.pid, service.uts]
  const namespaces = modes.flatMap((mode) => /^service:(.+)$/.exec(mode ?? '')?.[1] ?? [])
  const volumes = (service.volumes_from ?? []).flatMap((from) =>
    from.startsWith('container:') ? [] : [from.split(':')[0] ?? from],
  )
  return [...namespaces, ...volumes]
}
