import { EngineError } from '#base/errors.ts'
import type { Method, Route } from '../route.ts'

const notManager =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'
const words: Readonly<Record<string, string>> = {
  SwarmLeave: 'This node is not part of a swarm',
  VolumeUpdate: 'volume update only valid for cluster volumes, but swarm is unavailable',
}

/** What an engine outside of any swarm answers, which is every one of ours. */
export function swarmRoutes(): readonly Route[] {
  return operations.map(([operation, method, path]) => ({
    operation,
    method,
    path,
    missing: 'swarm',
    handle: () => {
      throw new EngineError('unavailable', words[operation] ?? notManager, { code: 'SWARM_INACTIVE' })
    },
  }))
}

const operations: readonly (readonly [operation: string, method: Method, path: string])[] = [
  ['SwarmInspect', 'GET', '/swarm'],
  ['SwarmInit', 'POST', '/swarm/init'],
  ['SwarmJoin', 'POST', '/swarm/join'],
  ['SwarmLeave', 'POST', '/swarm/leave'],
  ['SwarmUpdate', 'POST', '/swarm/update'],
  ['SwarmUnlockkey', 'GET', '/swarm/unlockkey'],
  ['SwarmUnlock', 'POST', '/swarm/unlock'],
  ['ServiceList', 'GET', '/services'],
  ['ServiceCreate', 'POST', '/services/create'],
  ['ServiceInspect', 'GET', '/services/{id}'],
  ['ServiceDelete', 'DELETE', '/services/{id}'],
  ['ServiceUpdate', 'POST', '/services/{id}/update'],
  ['ServiceLogs', 'GET', '/services/{id}/logs'],
  ['NodeList', 'GET', '/nodes'],
  ['NodeInspect', 'GET', '/nodes/{id}'],
  ['NodeDelete', 'DELETE', '/nodes/{id}'],
  ['NodeUpdate', 'POST', '/nodes/{id}/update'],
  ['TaskList', 'GET', '/tasks'],
  ['TaskInspect', 'GET', '/tasks/{id}'],
  ['TaskLogs', 'GET', '/tasks/{id}/logs'],
  ['SecretList', 'GET', '/secrets'],
  ['SecretCreate', 'POST', '/secrets/create'],
  ['SecretInspect', 'GET', '/secrets/{id}'],
  ['SecretDelete', 'DELETE', '/secrets/{id}'],
  ['SecretUpdate', 'POST', '/secrets/{id}/update'],
  ['ConfigList', 'GET', '/configs'],
  ['ConfigCreate', 'POST', '/configs/create'],
  ['ConfigInspect', 'GET', '/configs/{id}'],
  ['ConfigDelete', 'DELETE', '/configs/{id}'],
  ['ConfigUpdate', 'POST', '/configs/{id}/update'],
  ['VolumeUpdate', 'PUT', '/volumes/{name}'],
]
