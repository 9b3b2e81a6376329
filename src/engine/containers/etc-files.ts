import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Endpoint } from '#network/networks.ts'
import type { ResolvConf } from '#os/proc/resolv-conf.ts'
import type { SpecMount } from '#runtime/spec.ts'
import { hostnameFile, hostsFile, resolvConfFile } from './config/files.ts'
import type { Container } from './container.ts'
import type { ContainerPaths, PathsOf } from './paths.ts'
import type { ContainerRegistry } from './registry.ts'

export interface EtcFilesDeps {
  readonly paths: PathsOf
  readonly registry: ContainerRegistry
  /** The host's resolv.conf, that of systemd-resolved's upstreams where it is in use. */
  readonly hostResolvConf: () => Promise<ResolvConf>
  /** Address that `host-gateway` stands for. */
  readonly hostGateway: () => string
}

/** Generates /etc/hosts, /etc/hostname and /etc/resolv.conf of a container, written anew at every start. */
export class EtcFiles {
  readonly #deps: EtcFilesDeps

  constructor(deps: EtcFilesDeps) {
    this.#deps = deps
  }

  /** The binds that put the files into the container; those of another one when its network is joined. */
  async write(container: Container, hostname: string, endpoint: Endpoint | undefined): Promise<SpecMount[]> {
    const { paths, registry } = this.#deps
    const mode = container.hostConfig.NetworkMode ?? ''
    const joined = mode.startsWith('container:')
    const owner = joined ? registry.resolve(mode.slice('container:'.length)).id : container.id
    const files = paths(owner)
    if (!joined) await this.#generate(container, files, hostname, endpoint)
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

  async #generate(
    container: Container,
    files: ContainerPaths,
    hostname: string,
    endpoint: Endpoint | undefined,
  ): Promise<void> {
    const { hostResolvConf, hostGateway } = this.#deps
    const { hostConfig, config } = container
    const host = hostConfig.NetworkMode === 'host'
    await mkdir(dirname(files.hosts), { recursive: true, mode: 0o710 })
    const [hostHosts, resolv] = await Promise.all([
      host ? readFile('/etc/hosts', 'utf8') : Promise.resolve(undefined),
      hostResolvConf(),
    ])
    await Promise.all([
      writeFile(files.hostname, hostnameFile(hostname)),
      writeFile(
        files.hosts,
        hostsFile({
          hostHosts,
          extraHosts: hostConfig.ExtraHosts ?? [],
          hostGateway: hostGateway(),
          hostname,
          domainname: config.Domainname ?? '',
          addresses:
            endpoint === undefined
              ? []
              : [endpoint.ipv4, ...(endpoint.ipv6 === undefined ? [] : [endpoint.ipv6])],
        }),
      ),
      writeFile(
        files.resolvConf,
        resolvConfFile({
          host: resolv,
          servers: hostConfig.Dns ?? [],
          search: hostConfig.DnsSearch ?? [],
          options: hostConfig.DnsOptions ?? [],
          keepLoopback: host,
          ipv6: endpoint?.ipv6 !== undefined || host,
        }),
      ),
    ])
  }
}
