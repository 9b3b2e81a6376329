import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunStep } from '#build/graph/operations.ts'
import type { ResolvConf } from '#os/proc/resolv-conf.ts'
import type { SpecMount } from '#runtime/spec.ts'
import { invalidScriptName } from './errors.ts'
import { hostnameFile, hostsFile, resolvConfFile } from '../../containers/config/files.ts'

export interface StepFilesDeps {
  /** The host's resolv.conf, that of systemd-resolved's upstreams where it is in use. */
  readonly hostResolvConf: () => Promise<ResolvConf>
  /** Addresses that `host-gateway` stands for. */
  readonly hostGateways: () => readonly string[]
}

/**
 * Generates /etc/hosts and its like in the runtime directory of a step, and gives the binds that show them to it. A step's own
 * name is a loopback address: a layer must not differ because another address was free.
 */
export async function stepFiles(
  { network, hostname, extraHosts, scripts }: RunStep,
  runtime: string,
  ipv6: boolean,
  { hostResolvConf, hostGateways }: StepFilesDeps,
): Promise<SpecMount[]> {
  const host = network === 'host'
  const [resolvConf, hostHosts] = await Promise.all([
    hostResolvConf(),
    host ? readFile('/etc/hosts', 'utf8') : Promise.resolve(undefined),
  ])
  const resolv = resolvConfFile({
    host: resolvConf,
    servers: [],
    search: [],
    options: [],
    keepLoopback: host,
    ipv6: ipv6 || host,
  })
  const hosts = hostsFile({
    hostHosts,
    extraHosts,
    hostGateways: hostGateways(),
    hostname,
    domainname: '',
    addresses: ['127.0.0.1'],
  })
  const texts = { 'resolv.conf': resolv, hosts, hostname: hostnameFile(hostname) }
  await Promise.all(
    Object.entries(texts).map(([name, text]) => writeFile(join(runtime, name), text, { mode: 0o644 })),
  )
  const binds = Object.keys(texts).map((name) => bind(join(runtime, name), `/etc/${name}`, []))
  return scripts.length === 0 ? binds : [...binds, await scriptsOf(scripts, runtime)]
}

/** Where BuildKit shows scripts; below a filesystem of the runtime's own, so that the layer has nothing of it. */
const SCRIPTS = '/dev/pipes'

async function scriptsOf(scripts: RunStep['scripts'], runtime: string): Promise<SpecMount> {
  const directory = join(runtime, 'scripts')
  await mkdir(directory)
  // Whatever the umask is: the process may be anybody.
  await chmod(directory, 0o755)
  for (const { name, content } of scripts) {
    if (name.includes('/') || name === '' || name === '.' || name === '..') throw invalidScriptName(name)
    const file = join(directory, name)
    await writeFile(file, content)
    await chmod(file, 0o755)
  }
  return bind(directory, SCRIPTS, ['ro'])
}

function bind(source: string, destination: string, more: readonly string[]): SpecMount {
  return { type: 'bind', source, destination, options: ['rbind', ...more, 'rprivate'] }
}
