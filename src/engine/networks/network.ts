import type { IPAMConfig } from '#api/generated/types.ts'
import type { NetworkInfo } from '#network/networks.ts'
import type { NetworkRow } from '#store/networks.ts'

/** A network: a value, replaced as a whole. */
export interface Network {
  readonly id: string
  readonly name: string
  /** RFC 3339 with nanoseconds. */
  readonly createdAt: string
  readonly state: NetworkRow['state']
  readonly driver: 'bridge' | 'macvlan' | 'ipvlan' | 'host' | 'null'
  readonly enableIPv4: boolean
  readonly enableIPv6: boolean
  readonly internal: boolean
  readonly attachable: boolean
  readonly labels: Readonly<Record<string, string>>
  /** As they were given. */
  readonly options: Readonly<Record<string, string>>
  readonly ipam: {
    readonly driver: string
    readonly options: Readonly<Record<string, string>> | null
    readonly config: readonly IPAMConfig[] | null
  }
  /** Holds a configuration for others; containers cannot be on it. */
  readonly configOnly?: boolean | undefined
  /** Name of the network that its configuration is taken from. */
  readonly configFrom?: string | undefined
  /** What the network layer makes of it; none for `host`, `none` and those that only hold a configuration. */
  readonly info?: NetworkInfo | undefined
}

/** What lies in a row beside its columns. */
type Document = Omit<Network, 'id' | 'name' | 'createdAt' | 'state'>

export function encodeNetwork(network: Network): NetworkRow {
  const { id, name, createdAt, state, ...document } = network
  return { id, name, createdAt, state, document: JSON.stringify(document satisfies Document) }
}

/** Throws a SyntaxError for a row that is damaged. */
export function decodeNetwork({ document, ...columns }: NetworkRow): Network {
  return { ...(JSON.parse(document) as Document), ...columns }
}
