import type { Networks, Endpoint, Protocol } from '#network/networks.ts'
import type { FirewallReport } from '#network/firewall-report.ts'
import type { ListeningSocket } from '#os/proc/sockets.ts'
import type { Container } from '../../containers/container.ts'
import type { ContainerRegistry } from '../../containers/registry.ts'
import type { Run } from '../../containers/state.ts'

export interface UnreachableDeps {
  readonly registry: Pick<ContainerRegistry, 'resolve'>
  readonly networks: Pick<Networks, 'firewall' | 'network' | 'path'>
  readonly sockets: (pid: number) => Promise<readonly ListeningSocket[]>
  /** The `resolv.conf` of a running container. */
  readonly resolvConf: (container: Container) => Promise<string>
  /** Whether what goes through a bridge passes rules for forwarding. */
  readonly bridgesAreFiltered: () => Promise<boolean>
}

export interface UnreachableQuestion {
  /** Of the container. */
  readonly port: number
  readonly protocol: Protocol
  /** Another container, which asks by this name. */
  readonly from?: { readonly container: string; readonly name: string } | undefined
}

/** What is asked, and what is known of it. */
export interface Scene {
  readonly container: Container
  readonly run: Run
  readonly question: UnreachableQuestion
  readonly report: FirewallReport
}

/** Another container that asks. */
export interface Asker {
  readonly container: Container
  readonly run: Run
  readonly name: string
  /** Endpoint of the container that is asked, on a network of both. */
  readonly shared: Endpoint | undefined
}
