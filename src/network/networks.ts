import type { PathReport } from './endpoint-path.ts'
import type { FirewallReport } from './firewall-report.ts'

/**
 * Networks, addresses, published ports and the kernel objects behind them: the default bridge and whatever networks
 * were made besides.
 *
 * Two kinds of methods: those that only decide (synchronous, but for `plan`, which looks at the host's routes: leases in
 * memory, rebuilt from the containers' rows at start) and those that touch the kernel. The veth pairs of a start are
 * made by the shim (native/PROTOCOL.md §2) and go away with the network namespace; `plug` and `unplug` are for
 * containers that run.
 */
export interface Networks {
  /**
   * Bridges, forwarding and the one nft table; idempotent. Called at start, before any lease. Ports that a former
   * daemon published stay forwarded until the first `reconcile`, which is to be called when all are adopted.
   */
  ensure(): Promise<void>

  /** The predefined network `bridge`; without link and subnets where there is to be none. */
  readonly bridge: NetworkInfo

  /**
   * Chooses or checks the subnets of a new network, which are taken from then on; nothing is made yet. A subnet that
   * another network has is `permission_denied`, as with Docker; no free one is `resource_exhausted`. `warn` is told of
   * routes of the host that a subnet which was asked for hides.
   */
  plan(request: NetworkRequest, warn?: (text: string) => void): Promise<NetworkInfo>
  /** Makes what the planned network needs in the kernel. */
  create(id: string): Promise<void>
  /** Networks of a former daemon, at start: what is missing of them is made. A failure of one is logged. */
  adoptNetworks(networks: readonly NetworkInfo[]): Promise<void>
  /** Gives back the subnets and removes what `create` has made, be it by a former daemon; idempotent. */
  removeNetwork(network: NetworkInfo): Promise<void>
  network(id: string): NetworkInfo | undefined
  /** Endpoints of a network, by container. */
  leases(networkId: string): ReadonlyMap<string, Endpoint>

  /** Addresses of a network that are taken (the gateway's among them) and free, by subnet. */
  usage(networkId: string): Readonly<Record<string, { readonly inUse: number; readonly available: number }>>

  /** Leases addresses and a MAC for a container. `conflict`/`resource_exhausted` with the reason. */
  lease(request: LeaseRequest): Endpoint
  /** Rebuilds a lease from a stored endpoint after a restart of the daemon. */
  adopt(containerId: string, endpoint: Endpoint): void
  /** On one network, whose link has been unplugged; or on all, whose links may still be there for a moment. */
  release(containerId: string, networkId?: string): void

  /** Puts an endpoint into the network namespace of a running process. */
  plug(pid: number, endpoint: Endpoint, sysctls: Readonly<Record<string, string>>): Promise<void>
  /** Takes the link of an endpoint away from the namespace of process `pid`; missing is success. */
  unplug(pid: number, endpoint: Endpoint): Promise<void>
  /** The default routes of a running container: through these endpoints, or none. */
  route(pid: number, ways: Ways): Promise<void>

  /**
   * Reserves host ports and forwards them. On failure nothing is reserved and the message is Docker's
   * (`Bind for 0.0.0.0:80 failed: port is already allocated`); with the container's `name` it is the whole sentence
   * (`driver failed programming external connectivity on endpoint NAME (ID): …`).
   */
  publish(
    containerId: string,
    target: PublishTarget,
    ports: readonly PortRequest[],
    options?: { readonly name?: string | undefined },
  ): Promise<readonly PublishedPort[]>
  /**
   * Takes published ports away and adds others, as a whole or not at all; what stays is not interrupted. Returns all that
   * are published then. Errors as with `publish`.
   */
  republish(
    containerId: string,
    target: PublishTarget,
    change: PortChange,
    options?: { readonly name?: string | undefined },
  ): Promise<readonly PublishedPort[]>
  /** In force after the next `reconcile`. */
  adoptPublished(containerId: string, target: PublishTarget, ports: readonly PublishedPort[]): void
  /** The same host ports lead to another address, without a moment in which they lead nowhere. */
  retarget(containerId: string, target: PublishTarget): Promise<void>
  unpublish(containerId: string): Promise<void>

  /** What the firewall does with published ports, read from the kernel and compared with what it should do. */
  firewall(): Promise<FirewallReport>
  /** The way from the host to an endpoint of a running container, as the kernel has it. */
  path(pid: number, endpoint: Endpoint): Promise<PathReport>

  /**
   * What a container reaches on a bridge without `icc`: these ports and no others, from the moment this resolves. Empty
   * when it ends.
   */
  allow(containerId: string, ports: readonly LinkedPort[]): Promise<void>

  /**
   * Makes bridges, settings, table and port holds what they should be, whatever they were; true when something had
   * to be mended. For the periodic check.
   */
  reconcile(): Promise<boolean>

  /** Removes what `ensure` and `create` made; for tests and uninstalling. */
  destroy(): Promise<void>
}

export interface NetworkInfo {
  readonly id: string
  readonly name: string
  /** Interface on the host: the bridge, or the parent of the containers' own interfaces. */
  readonly link: string
  /** 0: that of the parent. */
  readonly mtu: number
  readonly subnets: readonly SubnetInfo[]
  /** Closed both ways: nothing is forwarded into it or out of it. */
  readonly internal: boolean
  /** Whether its containers reach each other. */
  readonly icc: boolean
  /** Whether what leaves takes the host's address. */
  readonly masquerade: boolean
  /** How a bridge leads out and in, by family; absent: `nat` for both. */
  readonly modes?: { readonly v4: GatewayMode; readonly v6: GatewayMode } | undefined
  /** The host's addresses that packets of a network which masquerades take; absent: that of the link they leave by. */
  readonly sources?: { readonly v4?: string | undefined; readonly v6?: string | undefined } | undefined
  /** Where ports are published for which no address of the host is named; absent: where the engine publishes such. */
  readonly binding?: string | undefined
  /** The bridge has no IPv4 address: the gateway is somebody else behind it. */
  readonly inhibit4?: boolean | undefined
  /** Interfaces of the host behind which everybody reaches published ports at the containers' own addresses, too. */
  readonly trusted?: readonly string[] | undefined
  /** How containers have interfaces on `link`; absent: it is a bridge of ours. */
  readonly shared?: SharedLink | undefined
}

/**
 * `nat`: what leaves takes the host's address, and only published ports of the host lead in. `nat-unprotected`: and
 * whoever has a route reaches all ports. `routed`: nothing is translated; whoever has a route reaches published ports.
 * `isolated`: the bridge has no address, so not even the host is reached.
 */
export type GatewayMode = 'nat' | 'nat-unprotected' | 'routed' | 'isolated'

/** Containers have interfaces of their own on a link of the host: the host's stack is not between them and the wire. */
export type SharedLink = (
  | { readonly kind: 'macvlan'; readonly mode: 'bridge' | 'private' | 'vepa' | 'passthru' }
  | {
      readonly kind: 'ipvlan'
      readonly mode: 'l2' | 'l3' | 'l3s'
      readonly flag: 'bridge' | 'private' | 'vepa'
    }
) & {
  /**
   * The parent is ours: a link that leads nowhere, or a VLAN of another link. It is removed with the last network that
   * uses it. Absent: it was there.
   */
  readonly made?: 'nowhere' | 'vlan' | undefined
}

export interface SubnetInfo {
  readonly subnet: string
  /** The bridge's own address, or that of a router on the parent's network; empty when there is none. */
  readonly gateway: string
  /** Part of the subnet that addresses are chosen from. */
  readonly range?: string | undefined
  /** Addresses that are somebody else's, by name. */
  readonly auxiliary?: Readonly<Record<string, string>> | undefined
}

export interface NetworkRequest extends Omit<NetworkInfo, 'subnets'> {
  readonly ipv4: boolean
  readonly ipv6: boolean
  /** Empty for a family: one is chosen. */
  readonly subnets: readonly SubnetRequest[]
}

/** Checked as far as it can be without knowing other networks. */
export interface SubnetRequest {
  /** Undefined: chosen. The unspecified address with a prefix length: any subnet of that size. */
  readonly subnet?: string | undefined
  readonly gateway?: string | undefined
  readonly range?: string | undefined
  readonly auxiliary?: Readonly<Record<string, string>> | undefined
}

export interface LeaseRequest {
  readonly containerId: string
  /** Default: the network `bridge`. */
  readonly networkId?: string | undefined
  /** Name of the interface in the container; default `eth0`. */
  readonly ifname?: string | undefined
  readonly mac?: string | undefined
  readonly ipv4?: string | undefined
  readonly ipv6?: string | undefined
  /** No IPv6 address, whatever the network has: the container has switched IPv6 off. */
  readonly withoutIpv6?: boolean | undefined
  /** Addresses not to choose: those that containers which do not run have fixed. */
  readonly avoid?: ReadonlySet<string> | undefined
}

/** What a container has on a network; stored with it. */
export interface Endpoint {
  readonly id: string
  readonly networkId: string
  /** Name of the network when it was joined. */
  readonly network: string
  /** Name of the interface in the container. */
  readonly ifname: string
  /** Host end of the pair, if it is one; derived from the ids of container and endpoint. */
  readonly veth: string
  /** Empty: that of the parent. */
  readonly mac: string
  readonly ipv4?: string | undefined
  readonly ipv4Prefix?: number | undefined
  /** Absent where there is no way out; unspecified (`0.0.0.0`, `::`): everybody is on the link itself. */
  readonly gateway?: string | undefined
  readonly ipv6?: string | undefined
  readonly ipv6Prefix?: number | undefined
  readonly gateway6?: string | undefined
  /** Set while a running container joins or leaves: what recovery takes back or finishes. */
  readonly pending?: 'joining' | 'leaving' | undefined
}

/** The endpoints through which a container leaves. */
export interface Ways {
  readonly v4?: Endpoint | undefined
  readonly v6?: Endpoint | undefined
}

/** Where published ports lead to. */
export interface PublishTarget extends Pick<Endpoint, 'id' | 'ipv4' | 'ipv6'> {
  readonly reach4?: PortReach | undefined
  readonly reach6?: PortReach | undefined
}

/**
 * `address`: at the container's address alone, no port of the host leads there. `trusted`: at that address from trusted
 * interfaces, besides. Absent: through ports of the host.
 */
export type PortReach = 'address' | 'trusted'

/** A port of one container that another one on the same bridge may reach. */
export interface LinkedPort {
  readonly from: string
  readonly to: string
  readonly protocol: Protocol
  readonly port: number
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

export interface PortChange {
  readonly add: readonly PortRequest[]
  readonly remove: readonly PublishedPort[]
}

export interface PublishedPort {
  readonly containerPort: number
  readonly protocol: Protocol
  readonly hostIp: string
  /** 0: reached at the container's own address, at `containerPort`; `hostIp` tells the family. */
  readonly hostPort: number
}
