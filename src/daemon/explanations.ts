import { readFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import type { Container } from '#engine/containers/container.ts'
import type { PathsOf } from '#engine/containers/paths.ts'
import type { ContainerRegistry } from '#engine/containers/registry.ts'
import { Explanations } from '#engine/networks/explanations.ts'
import type { NetworkRegistry } from '#engine/networks/network-registry.ts'
import type { Networks } from '#network/networks.ts'
import { listeningSockets, socketsOf } from '#os/proc/sockets.ts'
import { kernelSysctls } from '#os/proc/sysctl.ts'

export interface ExplanationParts {
  readonly registry: ContainerRegistry
  readonly networks: Networks
  readonly knownNetworks: NetworkRegistry
  readonly paths: PathsOf
  readonly processes: (container: Container) => Promise<readonly number[]>
}

/** What the engine tells about its network, from the kernel that it runs on. */
export function explanationsOf({
  registry,
  networks,
  knownNetworks,
  paths,
  processes,
}: ExplanationParts): Explanations {
  return new Explanations({
    registry,
    networks,
    infos: () => knownNetworks.all().flatMap(({ info }) => info ?? []),
    sockets: (pid) => listeningSockets(pid),
    async socketsOf(container) {
      const sets = await Promise.all((await processes(container)).map((pid) => socketsOf(pid)))
      return new Set(sets.flatMap((set) => [...set]))
    },
    hostAddresses: () =>
      Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? []),
    resolvConf: ({ id }) => readFile(paths(id).resolvConf, 'utf8'),
    bridgesAreFiltered: async () =>
      (await kernelSysctls.read('net', 'bridge', 'bridge-nf-call-iptables')) === '1',
  })
}
