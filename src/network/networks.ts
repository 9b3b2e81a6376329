/**
 * Addresses, published ports and the kernel objects behind them, for the default bridge; user-defined networks
 * will be further instances of the same thing.
 *
 * Two kinds of methods: those that only decide (synchronous: leases in memory, rebuilt from the containers' rows at
 * start) and those that touch the kernel. The veth pair itself is made by the shim (native/PROTOCOL.md §2) and goes
 * away with the network namespace; it is never deleted by hand.
 */
export interface Networks {
  /**
   * Bridge, forwarding and the one nft table; idempotent. Called at start, before any lease. Ports that a former
   * daemon published stay forwarded until the first `reconcile`, which is to be called when all are adopted.
   */
  ensure(): Promise<void>

  readonly bridge: BridgeInfo

  /** Leases addresses and a MAC for a container about to start. `conflict`/`resource_exhausted` with the reason. */
  lease(request: LeaseRequest): Endpoint
  /** Rebuilds a lease from a stored endpoint after a restart of the daemon. */
  adopt(containerId: string, endpoint: Endpoint): void
  release(containerId: string): void

  /**
   * Reserves host ports and forwards them. On failure nothing is reserved and the message is Docker's
   * (`Bind for 0.0.0.0:80 failed: port is already allocated`); with the container's `name` it is the whole sentence
   * (`driver failed programming external connectivity on endpoint NAME (ID): …`).
   */
  publish(
    containerId: string,
    endpoint: Endpoint,
    ports: readonly PortRequest[],
    options?: { readonly name?: string | undefined },
  ): Promise<readonly PublishedPort[]>
  /** In force after the next `reconcile`. */
  adoptPublished(containerId: string, endpoint: Endpoint, ports: readonly PublishedPort[]): void
  unpublish(containerId: string): Promise<void>

  /**
   * Makes bridge, settings, table and port holds what they should be, whatever they were; true when something had
   * to be mended. For the periodic check.
   */
  reconcile(): Promise<boolean>

  /** Removes what `ensure` made; for tests and uninstalling. */
  destroy(): Promise<void>
}

export interface BridgeInfo {
  readonly id: string
  readonly name: string
  /** Interface name on the host. */
  readonly link: string
  readonly mtu: number
  readonly subnets: readonly { readonly subnet: string; readonly gateway: string }[]
}

export interface LeaseRequest {
  readonly containerId: string
  readonly mac?: string | undefined
}

/** What a container has on a network; stored with it. */
export interface Endpoint {
  readonly id: string
  readonly networkId: string
  /** Host end of the pair; derived from the container id. */
  readonly veth: string
  readonly mac: string
  readonly ipv4: string
  readonly ipv4Prefix: number
  readonly gateway: string
  readonly ipv6?: string | undefined
  readonly ipv6Prefix?: number | undefined
  readonly gateway6?: string | undefined
}

export type Protocol = 'tcp' | 'udp' | 'sctp'

export interface PortRequest {
  readonly containerPort: number
  readonly protocol: Protocol
  /** Empty: every address, v4 and v6, with the same number. */
  readonly hostIp: string
  /** Undefined: an ephemeral port. A range: the first free one. */
  readonly hostPort?: number | { readonly first: number; readonly last: number } | undefined
}

export interface PublishedPort {
  readonly containerPort: number
  readonly protocol: Protocol
  readonly hostIp: string
  readonly hostPort: number
}
