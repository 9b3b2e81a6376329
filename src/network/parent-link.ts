/** The link of the host that carries the interfaces of macvlan and ipvlan containers. */
import { EngineError } from '#base/errors.ts'
import { KeyedMutex } from '#base/mutex.ts'
import { batch, type LinkDeps } from './bridge.ts'
import { commandFailed, invalidParent, parentConflict, parentMissing } from './errors.ts'
import type { NetworkInfo, SharedLink } from './networks.ts'

/** A network whose containers share a link of the host. */
type Shared<T> = T & { readonly shared: SharedLink }

export function isShared<T extends Pick<NetworkInfo, 'shared'>>(network: T): network is Shared<T> {
  return network.shared !== undefined
}

type Parented = Shared<Pick<NetworkInfo, 'id' | 'link' | 'shared'>>

/** The other end of such a link, if it has one. */
export function deafEnd(networkId: string): string {
  return `dn-${networkId.slice(0, 12)}`
}

/** Name of the link that leads nowhere, of a network that was given no parent. */
export function nowhereLink(networkId: string): string {
  return `dm-${networkId.slice(0, 12)}`
}

/** `eth0.10`, a VLAN that can be made on `eth0`; Docker's words for anything else. */
export function parseVlan(name: string): { readonly parent: string; readonly id: number } {
  const parts = name.split('.')
  const [parent = '', id = ''] = parts
  if (parts.length === 1)
    throw invalidParent(`invalid subinterface vlan name ${name}, example formatting is eth0.10`)
  if (parts.length !== 2) {
    throw invalidParent(
      `required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received ${name}`,
    )
  }
  if (!/^\d{1,9}$/.test(id))
    throw invalidParent(`unable to parse a valid vlan id from: ${name} (ex. eth0.10 for vlan 10)`)
  if (Number(id) < 1 || Number(id) > 4094)
    throw invalidParent(`vlan id must be between 1-4094, received: ${id}`)
  return { parent, id: Number(id) }
}

/** Other networks on the same parent: a link carries one kind, passthru one network, ipvlan too. */
export function checkNeighbours(info: Parented, others: readonly NetworkInfo[]): void {
  for (const other of others.filter(isShared)) {
    if (other.link !== info.link || other.id === info.id) continue
    const { id, shared } = other
    if (info.shared.kind === 'ipvlan' || shared.kind === 'ipvlan') {
      throw parentConflict(`network ${nowhereLink(id)} is already using parent interface ${info.link}`)
    }
    if (info.shared.mode === 'passthru') {
      throw parentConflict(
        `cannot use mode passthru, macvlan network ${id} is already using parent interface ${info.link}`,
      )
    }
    if (shared.mode === 'passthru') {
      throw parentConflict(
        `macvlan network ${id} is already using parent interface ${info.link} in mode passthru`,
      )
    }
  }
}

/** Parents of networks: found, made where they are ours, and removed with the last network that uses them. */
export class ParentLinks {
  readonly #deps: LinkDeps
  /** Alias of the links that we make: they have no address that could tell whose they are. */
  readonly #mark: string
  /** One change of a link at a time. */
  readonly #locks = new KeyedMutex()
  readonly #seen = new Set<string>()

  constructor(deps: LinkDeps, mark: string) {
    this.#deps = deps
    this.#mark = mark
  }

  /**
   * How containers will be on the link: whether it is to be made by us is decided here, before anything is. What one of
   * the `others` has made is ours, too. An error when the link can neither be used nor made.
   */
  async plan({ id, link, shared }: Parented, others: readonly NetworkInfo[]): Promise<SharedLink> {
    if (link === 'lo') throw invalidParent(`loopback interface is not a valid ${shared.kind} parent link`)
    await checkKind(this.#deps, shared.kind)
    if (link === nowhereLink(id)) return { ...shared, made: 'nowhere' }
    if (await this.#exists(link)) {
      return { ...shared, made: others.find((other) => other.link === link)?.shared?.made }
    }
    const { parent } = parseVlan(link)
    if (!(await this.#exists(parent))) {
      throw invalidParent(`-o parent interface was not found on the host: ${parent}`)
    }
    return { ...shared, made: 'vlan' }
  }

  /**
   * As `ensure`, for the periodic check: only of those that are ours, and what has been fine before is looked at when that
   * is `due`.
   */
  async look(network: Parented, due: boolean): Promise<boolean> {
    if (network.shared.made === undefined || (!due && this.#seen.has(network.link))) return false
    return this.ensure(network)
  }

  /** Makes the parent where it is ours and missing, or half made; true when it was. */
  async ensure({ id, link, shared }: Parented): Promise<boolean> {
    using _lock = await this.#locks.acquire(link)
    const state = await parentState(this.#deps, link)
    const ours = shared.made !== undefined && (state === undefined || state.alias === this.#mark)
    if (state !== undefined && (state.up || !ours)) {
      this.#seen.add(link)
      return false
    }
    if (shared.made === undefined) throw parentMissing(link)
    if (state === undefined) {
      if (shared.made === 'vlan') await makeVlan(this.#deps, link, this.#mark)
      else await makeNowhere(this.#deps, link, this.#mark)
    }
    if (await this.#exists(deafEnd(id))) await bringUp(this.#deps, deafEnd(id), 'arp off')
    await bringUp(this.#deps, link)
    return true
  }

  /** Removes the parent if we have made it, and no other network uses it. Missing is success. */
  async leave({ id, link, shared }: Parented, others: () => readonly NetworkInfo[]): Promise<void> {
    if (shared.made === undefined) return
    using _lock = await this.#locks.acquire(link)
    const used = others().some((other) => isShared(other) && other.link === link && other.id !== id)
    const state = used ? undefined : await parentState(this.#deps, link)
    if (state?.alias === this.#mark) await batch(this.#deps, [`link delete dev ${link}`])
  }

  async #exists(link: string): Promise<boolean> {
    return (await parentState(this.#deps, link)) !== undefined
  }
}

/**
 * Says so when the kernel lacks a kind of link: asked for one on the loopback interface, every kind that it has refuses.
 */
async function checkKind(deps: LinkDeps, kind: SharedLink['kind']): Promise<void> {
  const argv = ['ip', 'link', 'add', 'link', 'lo', 'name', 'berth-probe', 'type', kind]
  const result = await deps.helper.run(argv)
  if (result.code === 0) await batch(deps, ['link delete dev berth-probe'])
  else if (isUnknownKind(result.stderr)) throw kindMissing(kind, `networks with the driver ${kind}`)
}

/**
 * Made and marked by one process: whoever kills the daemon in between leaves nothing that nobody would take away. False when
 * the kernel has no such links.
 */
async function made(deps: LinkDeps, link: string, mark: string, how: string): Promise<boolean> {
  const stdin = `link add ${how}\nlink set dev ${link} alias "${mark}"\n`
  const result = await deps.helper.run(['ip', '-batch', '-'], { stdin })
  if (result.code === 0) return true
  if (isUnknownKind(result.stderr)) return false
  throw commandFailed(`failed to create link ${link}`, result)
}

async function makeVlan(deps: LinkDeps, link: string, mark: string): Promise<void> {
  const { parent, id } = parseVlan(link)
  const how = `link ${parent} name ${link} type vlan id ${id}`
  if (!(await made(deps, link, mark, how))) throw kindMissing('vlan', `the link ${link}`)
}

/**
 * A dummy link. Where the kernel has none, one end of a pair: the other one would hand everything to the host, so it is deaf
 * to ARP and IPv6, and the firewall drops what arrives there.
 */
async function makeNowhere(deps: LinkDeps, link: string, mark: string): Promise<void> {
  if (await made(deps, link, mark, `name ${link} type dummy`)) return
  const end = deafEnd(link.slice(nowhereLink('').length))
  if (!(await made(deps, link, mark, `name ${link} type veth peer name ${end}`))) {
    throw kindMissing('dummy', `the link ${link}`)
  }
}

/** Without an address for the host. */
async function bringUp(deps: LinkDeps, link: string, how = ''): Promise<void> {
  const key = ['net', 'ipv6', 'conf', link, 'disable_ipv6'] as const
  if ((await deps.sysctls.read(...key)) !== undefined) await deps.sysctls.write('1', ...key)
  await batch(deps, [`link set dev ${link} ${how} up`])
}

interface ParentState {
  readonly alias: string | undefined
  readonly up: boolean
}

/** Undefined when there is no such link. */
async function parentState(deps: LinkDeps, link: string): Promise<ParentState | undefined> {
  const result = await deps.helper.run(['ip', '-j', 'link', 'show', 'dev', link])
  if (result.code !== 0) {
    if (/does not exist|Cannot find device/.test(result.stderr)) return undefined
    throw commandFailed(`ip link show dev ${link}`, result)
  }
  const [shown] = JSON.parse(result.stdout) as [
    { readonly ifalias?: string; readonly flags: readonly string[] },
  ]
  return { alias: shown.ifalias, up: shown.flags.includes('UP') }
}

function isUnknownKind(text: string): boolean {
  return /Unknown device type|Operation not supported|not supported/.test(text)
}

function kindMissing(kind: string, what: string): EngineError {
  return new EngineError(
    'not_implemented',
    `the kernel of this host has no links of type ${kind}, which ${what} would need; load its module ${kind === 'vlan' ? '8021q' : kind}, or use another kernel`,
    { code: 'NETWORK_KIND_MISSING', details: { kind } },
  )
}
