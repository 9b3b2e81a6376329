import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Endpoint } from '#network/networks.ts'
import type { ResolvConf } from '#os/proc/resolv-conf.ts'
import type { SpecMount } from '#runtime/spec.ts'
import type { HostsLine, LinkedFiles } from '../networks/legacy-links.ts'
import { isUserDefined } from '../networks/names-of.ts'
import { hostnameFile, hostsFile, ownNames, resolvConfFile } from './config/files.ts'
import type { Container } from './container.ts'
import type { ContainerPaths, PathsOf } from './paths.ts'
import type { ContainerRegistry } from './registry.ts'
import { hasIpv6Off, networkModeOf } from './network-mode.ts'

export interface EtcFilesDeps {
  readonly paths: PathsOf
  readonly registry: ContainerRegistry
  /** The host's resolv.conf, that of systemd-resolved's upstreams where it is in use. */
  readonly hostResolvConf: () => Promise<ResolvConf>
  /** Address that `host-gateway` stands for. */
  readonly hostGateways: () => readonly string[]
  /** What the container is linked to on the default bridge; throws unless that runs. */
  readonly linked: (container: Container) => readonly HostsLine[]
}

/** Generates /etc/hosts, /etc/hostname and /etc/resolv.conf of a container, written anew at every start. */
export class EtcFiles implements LinkedFiles {
  readonly #deps: EtcFilesDeps

  constructor(deps: EtcFilesDeps) {
    this.#deps = deps
  }

  /** The binds that put the files into the container; those of another one when its network is joined. */
  async write(container: Container, hostname: string, endpoints: readonly Endpoint[]): Promise<SpecMount[]> {
    const { paths, registry } = this.#deps
    const mode = networkModeOf(container)
    const joined = mode.startsWith('container:')
    const owner = joined ? registry.resolve(mode.slice('container:'.length)).id : container.id
    const files = paths(owner)
    if (!joined) await this.#generate(container, files, hostname, endpoints)
    const readOnly = container.hostConfig.ReadonlyRootfs === true ? ['ro'] : []
    const taken = new Set(container.mounts.map(({ destination }) => destination))
    const binds = [
      { source: files.resolvConf, destination: '/etc/resolv.conf' },
      { source: files.hostname, destination: '/etc/hostname' },
      { source: files.hosts, destination: '/etc/hosts' },
    ]
    return binds
      .filter(({ destination }) => !taken.has(destination))
      .map((bind) => ({ ...bind, type: 'bind', options: ['rbind', ...readOnly, 'rprivate'] }))
  }

  /**
   * A container that runs has joined or left networks: its own lines of /etc/hosts follow, and with the first
   * user-defined network it begins to ask the engine for names. What was edited otherwise stays.
   */
  async connectionsChanged(
    container: Container,
    before: readonly Endpoint[],
    after: readonly Endpoint[],
  ): Promise<void> {
    const { hosts, resolvConf } = this.#deps.paths(container.id)
    const names = ownNames(container.config.Hostname ?? '', container.config.Domainname ?? '')
    const stale = new Set(addressesOf(before))
    const kept = (await readFile(hosts, 'utf8'))
      .split('\n')
      .filter(
        (line) => line !== '' && !(line.endsWith(`\t${names}`) && stale.has(line.split('\t', 1)[0] ?? '')),
      )
    const own = addressesOf(after).map((address) => `${address}\t${names}`)
    // Written in place: the container has this very file mounted.
    await writeFile(hosts, [...kept, ...own, ''].join('\n'))
    if (this.#embedded(after) && !this.#embedded(before)) {
      await writeFile(resolvConf, await this.#resolvConf(container, after))
    }
  }

  async hostsChanged(id: string, stale: readonly string[], lines: readonly HostsLine[]): Promise<void> {
    const { hosts } = this.#deps.paths(id)
    const text = await readFile(hosts, 'utf8')
    const kept = text
      .split('\n')
      .filter((line) => line !== '' && !stale.includes(line.split('\t', 2)[1] ?? ''))
    const next = [...kept, ...lines.map(hostsLine), ''].join('\n')
    if (next !== text) await writeFile(hosts, next)
  }

  /** On a user-defined network the engine answers for names itself. */
  #embedded(endpoints: readonly Endpoint[]): boolean {
    return endpoints.some(({ network }) => isUserDefined(network))
  }

  async #resolvConf(container: Container, endpoints: readonly Endpoint[]): Promise<string> {
    const { hostConfig } = container
    const host = networkModeOf(container) === 'host'
    return resolvConfFile({
      host: await this.#deps.hostResolvConf(),
      servers: hostConfig.Dns ?? [],
      search: hostConfig.DnsSearch ?? [],
      options: hostConfig.DnsOptions ?? [],
      keepLoopback: host,
      ipv6: endpoints.some(({ ipv6 }) => ipv6 !== undefined) || host,
      embedded: this.#embedded(endpoints),
    })
  }

  async #generate(
    container: Container,
    files: ContainerPaths,
    hostname: string,
    endpoints: readonly Endpoint[],
  ): Promise<void> {
    const { hostGateways } = this.#deps
    const { hostConfig, config } = container
    const host = networkModeOf(container) === 'host'
    await mkdir(dirname(files.hosts), { recursive: true, mode: 0o710 })
    const [hostHosts, resolvConf] = await Promise.all([
      host ? readFile('/etc/hosts', 'utf8') : Promise.resolve(undefined),
      this.#resolvConf(container, endpoints),
    ])
    await Promise.all([
      writeFile(files.hostname, hostnameFile(hostname)),
      writeFile(
        files.hosts,
        hostsFile({
          hostHosts,
          extraHosts: hostConfig.ExtraHosts ?? [],
          hostGateways: hostGateways(),
          hostname,
          domainname: config.Domainname ?? '',
          addresses: addressesOf(endpoints),
          linked: this.#deps.linked(container).map(hostsLine),
          withoutIpv6: hasIpv6Off(container),
        }),
      ),
      writeFile(files.resolvConf, resolvConf),
    ])
  }
}

function hostsLine({ address, names }: HostsLine): string {
  return `${address}\t${names}`
}

function addressesOf(endpoints: readonly Endpoint[]): string[] {
  return endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].filter((address) => address !== undefined))
}
