import type { SystemInfo } from '#api/generated/types.ts'
import { cut } from '../flags.ts'
import { Facts } from './facts.ts'
import { binarySize } from './units.ts'

/** The server's part of `berth info`, for people. */
export function showServerInfo(info: SystemInfo): string {
  const facts = new Facts().line('Server:')
  facts
    .add(1, 'Containers', info.Containers)
    .add(2, 'Running', info.ContainersRunning)
    .add(2, 'Paused', info.ContainersPaused)
    .add(2, 'Stopped', info.ContainersStopped)
    .add(1, 'Images', info.Images)
    .add(1, 'Server Version', info.ServerVersion)
    .add(1, 'Storage Driver', info.Driver)
  for (const [name = '', value] of info.DriverStatus ?? []) facts.add(2, name, value)
  facts
    .add(1, 'Logging Driver', info.LoggingDriver)
    .add(1, 'Cgroup Driver', info.CgroupDriver)
    .add(1, 'Cgroup Version', info.CgroupVersion)
    .list(1, 'Plugins', plugins(info))
    .add(1, 'Swarm', info.Swarm?.LocalNodeState)
    .add(
      1,
      'Runtimes',
      Object.keys(info.Runtimes ?? {})
        .sort()
        .join(' '),
    )
    .add(1, 'Default Runtime', info.DefaultRuntime)
    .add(1, 'Init Binary', info.InitBinary)
    .add(1, 'runc version', info.RuncCommit?.ID || undefined)
    .add(1, 'init version', info.InitCommit?.ID || undefined)
    .list(1, 'Security Options', securityOptions(info.SecurityOptions ?? []))
  host(facts, info)
  return facts.toString()
}

function host(facts: Facts, info: SystemInfo): void {
  facts
    .add(1, 'Kernel Version', info.KernelVersion)
    .add(1, 'Operating System', info.OperatingSystem)
    .add(1, 'OSType', info.OSType)
    .add(1, 'Architecture', info.Architecture)
    .add(1, 'CPUs', info.NCPU)
    .add(1, 'Total Memory', info.MemTotal === undefined ? undefined : binarySize(Number(info.MemTotal)))
    .add(1, 'Name', info.Name)
    .add(1, 'ID', info.ID)
    .add(1, 'Docker Root Dir', info.DockerRootDir)
    .add(1, 'Debug Mode', info.Debug ?? false)
  if (info.Debug === true) {
    facts
      .add(2, 'File Descriptors', info.NFd)
      .add(2, 'Goroutines', info.NGoroutines)
      .add(2, 'System Time', info.SystemTime)
      .add(2, 'EventsListeners', info.NEventsListener)
  }
  facts
    .add(1, 'HTTP Proxy', info.HttpProxy || undefined)
    .add(1, 'HTTPS Proxy', info.HttpsProxy || undefined)
    .add(1, 'No Proxy', info.NoProxy || undefined)
    .list(1, 'Labels', info.Labels ?? [])
    .add(1, 'Experimental', info.ExperimentalBuild ?? false)
    .list(1, 'Insecure Registries', insecureRegistries(info))
    .list(1, 'Registry Mirrors', info.RegistryConfig?.Mirrors ?? [])
    .add(1, 'Registry Served', ownRegistry(info))
    .add(1, 'Live Restore Enabled', info.LiveRestoreEnabled ?? false)
    .list(
      1,
      'Default Address Pools',
      (info.DefaultAddressPools ?? []).map(({ Base, Size }) => `Base: ${Base}, Size: ${Size}`),
    )
    .add(1, 'Firewall Backend', info.FirewallBackend?.Driver)
    .line('')
}

function plugins({ Plugins }: SystemInfo): string[] {
  const kinds = ['Volume', 'Network', 'Authorization', 'Log'] as const
  return kinds.flatMap((kind) => {
    const names = Plugins?.[kind] ?? []
    return names.length === 0 ? [] : [`${kind}: ${names.join(' ')}`]
  })
}

/** `name=seccomp,profile=builtin` becomes a name with its settings below it. */
function securityOptions(texts: readonly string[]): string[] {
  return texts.flatMap((text) => {
    const pairs = text.split(',').map((pair) => cut(pair, '='))
    const name = pairs.find(([key]) => key === 'name')?.[1] ?? text
    const settings = pairs.filter(([key, value]) => key !== 'name' && value !== undefined)
    return [
      name,
      ...settings.map(([key, value]) => ` ${key.charAt(0).toUpperCase()}${key.slice(1)}: ${value}`),
    ]
  })
}

/** Docker's engines have none. */
function ownRegistry(
  info: SystemInfo & { readonly Berth?: { readonly Registry?: { readonly URL: string } } },
) {
  return info.Berth?.Registry?.URL
}

function insecureRegistries({ RegistryConfig }: SystemInfo): string[] {
  const named = Object.values(RegistryConfig?.IndexConfigs ?? {}).flatMap((index) =>
    index?.Secure === false ? [index.Name ?? ''] : [],
  )
  return [...named, ...(RegistryConfig?.InsecureRegistryCIDRs ?? [])]
}
