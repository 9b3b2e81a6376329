/** What the engine tells about its network beyond Docker's API. */

/** `GET /berth/exposure` */
export interface Exposure {
  /** Whether published ports pass the host's own rules for input first (`respect`). */
  readonly Firewall: 'open' | 'respect'
  /** Name of our table in the `inet` family. */
  readonly Table: string
  /** The host's own addresses, but for loopback, link-local ones and our bridges. */
  readonly HostAddresses: readonly string[]
  readonly Ports: readonly ExposedPort[]
  /** Every difference between the kernel's rules and what should be there, as sentences. */
  readonly Drift: readonly string[]
  /** Chains of others that drop whatever none of their rules accepts. */
  readonly Foreign: readonly string[]
}

/** A port that somebody can reach. */
export interface ExposedPort {
  readonly Container: string
  readonly Name: string
  readonly Protocol: string
  /** Where it is reached: an address of the host (`0.0.0.0` and `::` are all), or one of the container. */
  readonly Address: string
  readonly Port: number
  /** `ADDRESS:PORT` in the container, for an address of the host. */
  readonly Target?: string
  /** `this host`, `neighbours at ADDRESS`, `neighbours with a route`, `hosts behind LINK`, `network NAME`. */
  readonly From: readonly string[]
  /** Rules of our table, `socket` (of the daemon), `icc`, or `host network`. */
  readonly Through: readonly string[]
  readonly Published: boolean
  /** Something in the container listens there. */
  readonly Listening: boolean
  /** The kernel has what should let it in. */
  readonly InForce: boolean
  /** A chain of somebody else that drops what comes from other hosts. */
  readonly Blocked?: string
}

/** `GET /berth/containers/{id}/unreachable` */
export interface Diagnosis {
  /** On the way from the process outwards. */
  readonly Hops: readonly Hop[]
  /** The first one that is broken; absent: none was found. */
  readonly Broken?: Hop
}

export interface Hop {
  readonly Hop: 'container' | 'listener' | 'network' | 'publish' | 'firewall' | 'route' | 'dns'
  /** `doubt`: it depends on what cannot be told from the host. */
  readonly State: 'ok' | 'broken' | 'doubt'
  readonly Text: string
  /** What to do about it. */
  readonly Next?: string
}
