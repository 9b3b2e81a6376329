import { EngineError, messageOf } from '#base/errors.ts'

// Wording is contract: scripts, Compose and testcontainers match on it.

/** A network of ours has (part of) the subnet. */
export function poolOverlaps(subnet: string, other: { readonly name: string }): EngineError {
  return new EngineError(
    'permission_denied',
    'invalid pool request: Pool overlaps with other one on this address space',
    { code: 'SUBNET_OVERLAPS', details: { subnet, network: other.name } },
  )
}

/** One subnet of each family is all that a bridge has an address for. */
export function multipleSubnets(): EngineError {
  return new EngineError('permission_denied', "bridge driver doesn't support multiple subnets", {
    code: 'NETWORK_CONFIG_INVALID',
  })
}

/** An address that was to be kept for somebody else; with Docker's words and status. */
export function auxiliaryInUse(name: string, address: string): EngineError {
  return new EngineError(
    'internal',
    `failed to allocate secondary ip address (${name}:${address}): Address already in use`,
    { code: 'NETWORK_CONFIG_INVALID', details: { name, address } },
  )
}

interface Bridged {
  readonly id: string
  readonly link: string
}

export function bridgeNameTaken(network: Bridged, other: Bridged): EngineError {
  return new EngineError(
    'permission_denied',
    `cannot create network ${network.id} (${network.link}): conflicts with network ${other.id} (${other.link}): networks have same bridge name`,
    { code: 'NETWORK_LINK_CONFLICT', details: { link: network.link, network: other.id } },
  )
}

export function poolsExhausted(details: Readonly<Record<string, unknown>>): EngineError {
  return new EngineError('resource_exhausted', 'all predefined address pools have been fully subnetted', {
    code: 'POOLS_EXHAUSTED',
    details,
  })
}

export function addressInUse(address: string): EngineError {
  return new EngineError('permission_denied', 'Address already in use', {
    code: 'ENDPOINT_ADDRESS_IN_USE',
    details: { address },
  })
}

export function outsideSubnets(address: string): EngineError {
  return new EngineError(
    'invalid_argument',
    `invalid endpoint settings:\nno configured subnet or ip-range contain the IP address ${address}`,
    { code: 'ENDPOINT_ADDRESS_INVALID', details: { address } },
  )
}

export function noSuchNetwork(ref: string): EngineError {
  return new EngineError('not_found', `network ${ref} not found`, { code: 'NETWORK_NOT_FOUND' })
}

/** The parent of a macvlan or ipvlan network cannot be one; with Docker's words and status. */
export function invalidParent(message: string): EngineError {
  return new EngineError('internal', message, { code: 'NETWORK_PARENT_INVALID' })
}

/** Another network has the parent, in a way that lets nobody else; with Docker's words and status. */
export function parentConflict(message: string): EngineError {
  return new EngineError('internal', message, { code: 'NETWORK_PARENT_IN_USE' })
}

export function parentMissing(link: string): EngineError {
  return new EngineError(
    'unavailable',
    `the requested parent interface ${link} was not found on the Docker host`,
    { code: 'NETWORK_PARENT_MISSING', details: { link } },
  )
}

/** A port that the container `holder` has. */
export function portAllocated(hostIp: string, port: string, holder: string): EngineError {
  return new EngineError('internal', `Bind for ${hostPort(hostIp, port)} failed: port is already allocated`, {
    code: 'PORT_ALLOCATED',
    details: { hostIp, port, holder },
  })
}

/** While its ports were being changed. */
export function containerEnded(): EngineError {
  return new EngineError('conflict', 'the container has ended meanwhile; its ports are as they were', {
    code: 'CONTAINER_NOT_RUNNING',
  })
}

/** No port of a range, or of the ephemeral ones, is free. */
export function allPortsAllocated(hostIp: string, range: string): EngineError {
  return new EngineError(
    'resource_exhausted',
    `Bind for ${hostPort(hostIp, range)} failed: all ports are allocated`,
    {
      code: 'PORTS_EXHAUSTED',
      details: { hostIp, range },
    },
  )
}

export interface Binding {
  readonly hostIp: string
  readonly hostPort: number
  readonly ip: string
  readonly port: number
  readonly protocol: string
}

/** Somebody else on the host has the port, or the address is not one of the host's. */
export function bindFailed(binding: Binding, cause: unknown): EngineError {
  const from = hostPort(binding.hostIp, String(binding.hostPort))
  const to = hostPort(binding.ip, String(binding.port))
  return new EngineError(
    'internal',
    `failed to bind host port for ${from}:${to}/${binding.protocol}: ${reasonOf(cause)}`,
    { code: 'PORT_BIND', cause, details: { ...binding } },
  )
}

/** What a client reads when a container's ports could not be published. */
export function connectivityFailed(name: string, endpointId: string, cause: EngineError): EngineError {
  return new EngineError(
    cause.kind,
    `driver failed programming external connectivity on endpoint ${name} (${endpointId}): ${cause.message}`,
    { code: cause.code, cause, details: cause.details },
  )
}

export function commandFailed(what: string, result: { code: number; stderr: string }): EngineError {
  return new EngineError('internal', `${what}: ${result.stderr.trim() || `exit status ${result.code}`}`, {
    code: 'NETWORK_COMMAND',
    details: { code: result.code },
  })
}

function hostPort(ip: string, port: string): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EACCES: 'permission denied',
  EMFILE: 'too many open files',
  EAFNOSUPPORT: 'address family not supported by protocol',
}

function reasonOf(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  return reasons[code] ?? messageOf(cause)
}
