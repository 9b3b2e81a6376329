import { EngineError } from '#base/errors.ts'
import type { ShimConfig, ShimLink, ShimLog, ShimNetwork, ShimParent, ShimPin } from './shim.ts'

/** The text of `shim.conf`, as native/PROTOCOL.md §2 has it. */
export function encodeShimConfig(config: ShimConfig): string {
  const lines: string[] = []
  for (const [key, ...values] of entriesOf(config)) {
    const line = [key, ...values].join(' ')
    // A line break in a value would be a key of the attacker's choice.
    if (/[\n\r\0]/.test(line)) throw invalid(key, values.join(' '))
    lines.push(`${line}\n`)
  }
  return lines.join('')
}

function invalid(key: string, value: string): EngineError {
  return new EngineError('invalid_argument', `invalid character in ${key} ${JSON.stringify(value)}`, {
    code: 'INVALID_CHARACTER',
  })
}

type Entry = readonly [key: string, ...values: readonly (string | number)[]]

function* entriesOf(config: ShimConfig): Generator<Entry> {
  yield ['id', config.id]
  yield ['runtime', config.runtime]
  yield ['runtime-root', config.runtimeRoot]
  yield ['bundle', config.bundle]
  yield ['rootfs', config.rootfs]
  for (const directory of config.lower) yield ['lower', directory]
  if (config.lower.length > 0) {
    yield ['upper', config.upper]
    yield ['work', config.work]
  }
  if (config.volatile) yield ['volatile', 1]
  if (config.mtab === true) yield ['mtab', 1]
  if (config.hide !== undefined) yield ['hide', config.hide]
  if (config.tty) yield ['tty', 1]
  if (config.stdin) yield ['stdin', 1]
  if (config.stdinOnce) yield ['stdin-once', 1]
  if (config.log !== undefined) yield* logEntries(config.log)
  yield ['exit-record', config.exitRecord]
  if (config.seccompFilter !== undefined) yield ['seccomp-filter', config.seccompFilter]
  if (config.cgroup !== undefined) yield ['cgroup', config.cgroup.version, config.cgroup.directory]
  yield* networkEntries(config.network)
  for (const pin of config.pins ?? []) yield* pinEntries(pin)
  for (const { source, destination, follows } of config.shares) {
    const key = follows === true ? 'follow' : 'share'
    if (destination.includes(' ')) throw invalid(key, destination)
    yield [key, destination, source]
  }
}

function* logEntries({ file, maxSize, maxFiles, compress, attributes }: ShimLog): Generator<Entry> {
  yield ['log', file]
  yield ['log-max-size', maxSize]
  yield ['log-max-files', maxFiles]
  if (compress === true) yield ['log-compress', 1]
  if (attributes !== undefined && Object.keys(attributes).length > 0) {
    yield ['log-attributes', JSON.stringify(attributes)]
  }
}

function* pinEntries({ source, destination, path, process, alone, owners }: ShimPin): Generator<Entry> {
  if (destination.includes(' ')) throw invalid('pin', destination)
  yield ['pin', destination, source]
  if (path !== undefined) yield ['pin-path', path]
  if (process !== undefined) yield ['pin-process', process]
  if (alone === true) yield ['pin-alone', 1]
  if (owners === undefined) return
  const { disk, shown } = owners
  yield ['pin-owners', disk.uid, shown.uid, disk.gid, shown.gid]
}

function* networkEntries(network: ShimNetwork): Generator<Entry> {
  if (network.mode === 'host') {
    yield ['net', 'host']
    return
  }
  if (network.mode === 'join') {
    yield ['net', network.path]
    return
  }
  yield ['net', network.mode]
  for (const [i, link] of linksOf(network).entries()) yield* linkEntries(link, `eth${i}`)
  for (const [key, value] of Object.entries(network.sysctls)) yield ['sysctl', key, value]
}

function linksOf(network: Extract<ShimNetwork, { mode: 'none' | 'new' }>): readonly ShimLink[] {
  return network.link === undefined ? [] : [network.link, ...(network.moreLinks ?? [])]
}

function parentEntry(on: ShimParent): Entry {
  return on.kind === 'macvlan' ? ['macvlan', on.mode, on.parent] : ['ipvlan', on.mode, on.flag, on.parent]
}

function* linkEntries(link: ShimLink, usual: string): Generator<Entry> {
  if ('on' in link) yield parentEntry(link.on)
  else yield ['veth', link.veth]
  if (link.name !== undefined && link.name !== usual) yield ['ifname', link.name]
  if ('bridge' in link) yield ['bridge', link.bridge]
  if (link.mtu > 0) yield ['mtu', link.mtu]
  if (link.mac !== undefined) yield ['mac', link.mac]
  for (const address of link.addresses) yield ['ip', address]
  for (const gateway of link.gateways) yield ['gateway', gateway]
}
