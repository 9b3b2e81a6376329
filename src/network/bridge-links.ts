import { type LinkDeps, type LinkState, enslave, ensureBridge } from './bridge.ts'
import type { BridgeNetwork } from './bridge-network.ts'
import { linkAddress } from './ipam.ts'

/** The bridges of networks in the kernel, with the links of the containers that are on them. */
export class BridgeLinks {
  readonly #deps: LinkDeps
  /** Networks whose bridge was made anew: links of containers that run may have lost theirs. */
  readonly #bare = new Set<BridgeNetwork>()

  constructor(deps: LinkDeps) {
    this.#deps = deps
  }

  /** True when something had to be made or mended. `known`: as for `ensureBridge`. */
  async ensure(
    network: BridgeNetwork,
    known: { readonly state?: LinkState | undefined; readonly settled?: boolean } = {},
  ): Promise<boolean> {
    const { id, link, mtu } = network.info
    const { addresses } = network
    const settings = { link, mac: linkAddress(id), mtu, addresses, ports: hostEnds(network) }
    const done = await ensureBridge(this.#deps, settings, known)
    if (done === 'made') this.#bare.add(network)
    return done !== 'fine'
  }

  /** For bridges that were made before all leases were known. */
  async enslaveAll(): Promise<void> {
    for (const network of this.#bare) {
      await enslave(this.#deps, hostEnds(network), network.info.link)
      this.#bare.delete(network)
    }
  }
}

/** Host ends of the links of a network's containers. */
function hostEnds(network: BridgeNetwork): string[] {
  return [...network.leases.values()].map(({ veth }) => veth)
}
