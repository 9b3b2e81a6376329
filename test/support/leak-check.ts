/**
 * Compares what an engine owns in the kernel and on disk with what its API explains. Everything an engine makes carries
 * one of its marks: its exec root, its data root, its cgroup parent, its network namespace.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

export interface Marks {
  readonly execRoot: string
  readonly dataRoot: string
  readonly cgroupParent: string
  /** Name below /run/netns. */
  readonly netns: string
  readonly firewallTable: string
}

/** What the engine says it has. */
export interface Model {
  readonly running: readonly string[]
  readonly containers: readonly string[]
  readonly volumes: readonly string[]
  /** Ports published right now. */
  readonly ports: number
  /** Bridges of all networks, the default one among them. */
  readonly bridges: readonly string[]
  /** Endpoints of running containers. */
  readonly endpoints: number
  /** Links of the host that networks are on. */
  readonly parents: readonly string[]
}

export interface World {
  /** Container ids (cut) with a runtime directory. */
  readonly runtimeDirectories: readonly string[]
  readonly shims: number
  /** One at most, from the first container on a user-defined network on. */
  readonly resolvers: number
  /** Container ids whose cgroups have processes, and what else runs below the parent cgroup. */
  readonly populated: readonly string[]
  /** Loop devices over files of the data root that are no layer's: a layer has one where its file cannot be mounted. */
  readonly loopDevices: readonly string[]
  readonly veths: number
  readonly bridges: readonly string[]
  /** Links that the engine has made for networks to be on. */
  readonly parents: readonly string[]
  /** Interfaces that belong into containers. */
  readonly strays: readonly string[]
  /** Bridges that the firewall knows. */
  readonly firewallBridges: readonly string[]
  /** Container ids that have a cgroup in some hierarchy. */
  readonly cgroups: readonly string[]
  readonly runtimeStates: readonly string[]
  /** Host-visible mounts that mention the roots; there are never any. */
  readonly hostMounts: readonly string[]
  readonly portElements: number
  /** Containers that elements of the firewall belong to, as their comments say: short ids. */
  readonly elementOwners: readonly string[]
  readonly snapshots: readonly string[]
  readonly containerDirectories: readonly string[]
  readonly volumeDirectories: readonly string[]
  readonly trash: readonly string[]
  readonly staging: readonly string[]
}

export function observe(marks: Marks): World {
  const { execRoot, dataRoot, netns, firewallTable, cgroupParent } = marks
  return {
    runtimeDirectories: list(join(execRoot, 'c')),
    shims: commandLines().filter((line) => line.includes('berth-shim') && line.includes(`${execRoot}/`))
      .length,
    resolvers: resolvers(marks),
    populated: populated(cgroupParent),
    loopDevices: loopDevices(dataRoot),
    veths: links(netns, 'type', 'veth').filter((name) => /^v[0-9a-f]{14}$/.test(name)).length,
    bridges: links(netns, 'type', 'bridge'),
    parents: markedLinks(netns),
    strays: [...links(netns, 'type', 'macvlan'), ...links(netns, 'type', 'ipvlan')],
    firewallBridges: firewallBridges(netns, firewallTable),
    cgroups: cgroups(cgroupParent),
    runtimeStates: list(join(execRoot, 'runtime')),
    hostMounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(execRoot) || line.includes(`${dataRoot}/`)),
    portElements: portElements(netns, firewallTable),
    elementOwners: elementOwners(netns, firewallTable),
    snapshots: list(join(dataRoot, 'snapshots')),
    containerDirectories: list(join(dataRoot, 'containers')),
    volumeDirectories: list(join(dataRoot, 'volumes')),
    trash: list(join(dataRoot, 'trash')),
    staging: list(join(dataRoot, 'staging')),
  }
}

/** Every difference between the world and the model, as sentences; empty when there is none. */
export function differences(world: World, model: Model): string[] {
  const cut = (ids: readonly string[]): string[] => ids.map((id) => id.slice(0, 32)).toSorted()
  const problems: string[] = []
  const same = (what: string, actual: readonly string[], expected: readonly string[]): void => {
    const extra = actual.filter((entry) => !expected.includes(entry))
    const missing = expected.filter((entry) => !actual.includes(entry))
    if (extra.length > 0) problems.push(`${what}: unexplained ${extra.join(', ')}`)
    if (missing.length > 0) problems.push(`${what}: missing ${missing.join(', ')}`)
  }
  same('runtime directories', world.runtimeDirectories, cut(model.running))
  same('cgroups', world.cgroups, model.running)
  same('containers with processes', world.populated, model.running)
  same('loop devices', world.loopDevices, [])
  same('runtime states', world.runtimeStates, model.running)
  same('snapshots', world.snapshots, model.containers)
  // Made with the first start.
  same(
    'container directories',
    world.containerDirectories,
    model.containers.filter((id) => world.containerDirectories.includes(id)),
  )
  same('volume directories', world.volumeDirectories, model.volumes)
  same('mounts visible on the host', world.hostMounts, [])
  same('trash', world.trash, [])
  same('staging', world.staging, [])
  if (world.shims !== model.running.length) {
    problems.push(`${world.shims} shims for ${model.running.length} running containers`)
  }
  if (world.resolvers > 1) problems.push(`${world.resolvers} resolvers`)
  same('bridges', world.bridges, model.bridges)
  same('interfaces of containers', world.strays, [])
  // Others were there before.
  const made = model.parents.filter((name) => name.startsWith('dm-') || world.parents.includes(name))
  same('parents of networks', world.parents, made)
  same('bridges in the firewall', world.firewallBridges, model.bridges)
  if (world.veths > model.endpoints) problems.push(`${world.veths} veths for ${model.endpoints} endpoints`)
  const live = model.running.map((id) => id.slice(0, 12))
  same(
    'owners in the firewall',
    world.elementOwners,
    world.elementOwners.filter((id) => live.includes(id)),
  )
  if (world.portElements > model.ports)
    problems.push(`${world.portElements} nft elements for ${model.ports} ports`)
  return problems
}

/** Deferred clean-up (the kernel's and ours) is given `patience` milliseconds; what is left then is a leak. */
export async function assertNoLeaks(
  marks: Marks,
  model: () => Promise<Model>,
  patience = 5000,
): Promise<void> {
  const deadline = Date.now() + patience
  for (;;) {
    const problems = differences(observe(marks), await model())
    if (problems.length === 0) return
    if (Date.now() > deadline) assert.fail(`leaks:\n  ${problems.join('\n  ')}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Once neither a daemon nor a container is left, the resolver has to end by itself. */
export async function assertResolverEnds(marks: Marks, patience = 5000): Promise<void> {
  const deadline = Date.now() + patience
  while (resolvers(marks) > 0) {
    if (Date.now() > deadline) assert.fail('the resolver outlives its daemon and all containers')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

function resolvers({ execRoot }: Marks): number {
  return commandLines().filter((line) => line.includes('berth-dns') && line.includes(`${execRoot}/`)).length
}

function list(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory).toSorted() : []
}

function commandLines(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => readOrEmpty(`/proc/${pid}/cmdline`).replaceAll('\0', ' '))
}

/** Groups below `parent` that have processes, found from the processes: an orphan is seen even without its directory. */
function populated(parent: string): string[] {
  const found = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => [...readOrEmpty(`/proc/${pid}/cgroup`).matchAll(/:(\/[^\n]*)/g)])
    .map(([, group = '']) => group)
    .filter((group) => group.startsWith(`${parent}/`))
    .map((group) => group.slice(parent.length + 1).split('/')[0] ?? '')
  return [...new Set(found)].toSorted()
}

function loopDevices(dataRoot: string): string[] {
  return readdirSync('/sys/block')
    .filter((name) => name.startsWith('loop'))
    .map((name) => readOrEmpty(`/sys/block/${name}/loop/backing_file`).trim())
    .filter((file) => file.startsWith(`${dataRoot}/`))
    .filter((file) => !(file.startsWith(`${dataRoot}/layers/`) && existsSync(file)))
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // gone meanwhile
  }
}

function inNetns(netns: string, ...argv: string[]): string {
  if (!existsSync(`/run/netns/${netns}`)) return ''
  return execFileSync('nsenter', [`--net=/run/netns/${netns}`, ...argv], { encoding: 'utf8' })
}

/** Links with the alias that the engine gives to its own. */
function markedLinks(netns: string): string[] {
  const text = inNetns(netns, 'ip', '-j', 'link', 'show')
  const shown = (text === '' ? [] : JSON.parse(text)) as { ifname: string; ifalias?: string }[]
  return shown.filter(({ ifalias }) => ifalias?.startsWith('berth ')).map(({ ifname }) => ifname)
}

function links(netns: string, ...filter: readonly string[]): string[] {
  return inNetns(netns, 'ip', '-o', 'link', 'show', ...filter)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => /^\d+: ([^:@]+)/.exec(line)?.[1] ?? line)
    .toSorted()
}

function firewallBridges(netns: string, table: string): string[] {
  const text = inNetns(netns, 'sh', '-c', `nft -j list set inet ${table} bridges 2>/dev/null || true`)
  if (text === '') return []
  const { nftables } = JSON.parse(text) as { nftables: { set?: { elem?: string[] } }[] }
  return nftables.flatMap(({ set }) => set?.elem ?? []).toSorted()
}

/** Elements of maps whose key has a port; sets of bridges and the like belong to the network itself. */
function portElements(netns: string, table: string): number {
  const text = inNetns(netns, 'sh', '-c', `nft -j list table inet ${table} 2>/dev/null || true`)
  if (text === '') return 0
  const { nftables } = JSON.parse(text) as { nftables: { map?: { elem?: unknown[]; name: string } }[] }
  const ports = nftables.filter(({ map }) => map?.name.startsWith('dnat'))
  return ports.reduce((sum, { map }) => sum + (map?.elem?.length ?? 0), 0)
}

function elementOwners(netns: string, table: string): string[] {
  const text = inNetns(netns, 'sh', '-c', `nft list table inet ${table} 2>/dev/null || true`)
  return [...new Set([...text.matchAll(/comment "([0-9a-f]{12})"/g)].map(([, id = '']) => id))].toSorted()
}

function cgroups(parent: string): string[] {
  const roots = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] ?? '')
  const names = roots.flatMap((root) =>
    existsSync(join(root, parent))
      ? readdirSync(join(root, parent), { withFileTypes: true })
          .filter((entry) => entry.isDirectory())
          .map(({ name }) => name)
      : [],
  )
  return [...new Set(names)].toSorted()
}

/** Open descriptors of a process, as `readlink` shows them. */
export function descriptors(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`)
    } catch {
      return '' // closed meanwhile
    }
  })
}
