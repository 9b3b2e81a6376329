import { EngineError, type ErrorKind } from '#base/errors.ts'

// Wording is contract: the docker client, Compose and scripts match on it.

export function networkExists(name: string): EngineError {
  return new EngineError('conflict', `network with name ${name} already exists`, {
    code: 'NETWORK_EXISTS',
    details: { name },
  })
}

export function ambiguousNetwork(ref: string, count: number): EngineError {
  return new EngineError(
    'invalid_argument',
    `network ${ref} is ambiguous (${count} matches found based on ID prefix)`,
    { code: 'NETWORK_AMBIGUOUS', details: { ref } },
  )
}

export function predefinedRemoval(name: string): EngineError {
  return new EngineError('permission_denied', `${name} is a pre-defined network and cannot be removed`, {
    code: 'NETWORK_PREDEFINED',
    details: { name },
  })
}

export function predefinedCreation(name: string): EngineError {
  return new EngineError('permission_denied', `operation is not permitted on predefined ${name} network `, {
    code: 'NETWORK_PREDEFINED',
    details: { name },
  })
}

export function singleInstance(driver: string): EngineError {
  return new EngineError('permission_denied', `only one instance of "${driver}" network is allowed`, {
    code: 'NETWORK_PREDEFINED',
    details: { driver },
  })
}

export function networkInUse(
  name: string,
  endpoints: readonly { readonly name: string; readonly id: string }[],
): EngineError {
  const list = endpoints.map((one) => `name:"${one.name}" id:"${one.id.slice(0, 12)}"`).join(', ')
  return new EngineError(
    'permission_denied',
    `error while removing network: network ${name} has active endpoints (${list})`,
    { code: 'NETWORK_IN_USE', details: { name } },
  )
}

export function unknownDriver(driver: string): EngineError {
  return new EngineError('not_found', `plugin "${driver}" not found`, {
    code: 'NETWORK_DRIVER_UNKNOWN',
    details: { driver },
  })
}

export function invalidNetwork(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'NETWORK_CONFIG_INVALID' })
}

/** Networks that only hold a configuration for others, and those that take it from one. */
export function configNetwork(kind: ErrorKind, message: string): EngineError {
  return new EngineError(kind, message, { code: 'NETWORK_CONFIG_ONLY' })
}

/** As Docker says it when a container is to be on one. */
export function noEndpointThere(): EngineError {
  return configNetwork('permission_denied', 'cannot create endpoint on configuration-only network')
}

export function noSwarm(): EngineError {
  return new EngineError(
    'unavailable',
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    { code: 'SWARM_INACTIVE' },
  )
}

export function invalidLink(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'LINK_INVALID' })
}

export function linkIsName(): EngineError {
  return new EngineError('conflict', 'Conflict, cannot remove the default link name of the container', {
    code: 'LINK_INVALID',
  })
}

export function linkWithoutParent(parent: string, link: string): EngineError {
  return new EngineError('internal', `Cannot get parent ${parent} for link name ${link}`, {
    code: 'LINK_INVALID',
  })
}

export function noSuchLink(link: string): EngineError {
  return new EngineError('not_found', `No such link: ${link}`, { code: 'LINK_INVALID', details: { link } })
}

export function linkTargetStopped(target: string, link: string): EngineError {
  return new EngineError('internal', `Cannot link to a non running container: ${target} AS ${link}`, {
    code: 'LINK_TARGET_STOPPED',
    details: { target, link },
  })
}

export function linkTargetElsewhere(target: string): EngineError {
  return new EngineError(
    'internal',
    `Cannot link to ${target}, as it does not belong to the default network`,
    { code: 'LINK_TARGET_ELSEWHERE', details: { target } },
  )
}

/** What Docker's drivers refuse is 500 there, and so here: clients tell it apart from what the API refuses. */
export function refusedByDriver(message: string): EngineError {
  return new EngineError('internal', message, { code: 'NETWORK_CONFIG_INVALID' })
}

export function alreadyConnected(container: string, network: string): EngineError {
  return new EngineError(
    'permission_denied',
    `endpoint with name ${container} already exists in network ${network}`,
    { code: 'ENDPOINT_EXISTS', details: { container, network } },
  )
}

/** The container has an interface of the name that was asked for; with words of Docker's. */
export function interfaceTaken(ifname: string, network: string): EngineError {
  return new EngineError(
    'conflict',
    `network ${network}: error renaming interface to "${ifname}": file exists`,
    { code: 'ENDPOINT_INTERFACE_TAKEN', details: { ifname, network } },
  )
}

/** In Docker's words, which are not the same for a container that runs. */
export function notConnected(container: string, network: string, running: boolean): EngineError {
  const what = running ? 'network' : 'the network'
  return new EngineError('internal', `container ${container} is not connected to ${what} ${network}`, {
    code: 'ENDPOINT_MISSING',
    details: { container, network },
  })
}

export function notConnectable(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'NETWORK_MODE_CONFLICT' })
}
