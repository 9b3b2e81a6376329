import { hash } from 'node:crypto'
import type { NetworkResource, Service, VolumeResource } from './project.ts'
import { orderedResource, orderedService } from './write.ts'
import { goJson } from '#base/go-json.ts'

/**
 * What containers are compared by: the same as Compose's own hash, so that each tool leaves alone what the other one
 * made. Attributes that change nothing in a container are not part of it.
 */
export function serviceHash(service: Service): string {
  return sha256(goJson(hashedService(service)))
}

/** The part of a service that a container is made of. */
function hashedService(service: Service): Service {
  const { build: _b, pull_policy: _p, scale: _s, depends_on: _d, profiles: _f, ...rest } = service
  const { deploy } = rest
  if (deploy === undefined) return orderedService(rest, 'json')
  const { replicas: _r, ...withoutReplicas } = deploy
  return orderedService({ ...rest, deploy: withoutReplicas }, 'json')
}

export function networkHash(network: NetworkResource): string {
  return sha256(goJson(orderedResource('networks', network, 'json')))
}

export function volumeHash(volume: VolumeResource): string {
  return sha256(goJson(orderedResource('volumes', { ...volume, driver: volume.driver ?? 'local' }, 'json')))
}

function sha256(text: string): string {
  return hash('sha256', text)
}
