import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { EngineError, isErrno, messageOf, jsonProblemOf } from '#base/errors.ts'
import type { LogLevel } from '#base/logger.ts'
import type { PoolBase } from '#network/subnets.ts'
import type { RegistryConfig } from '#registry/server/config.ts'
import { poolFlags, poolList } from './address-pools.ts'
import { type BuilderSettings, builderSettings } from './builder-settings.ts'
import type { ContainerSettings } from '#engine/containers/config/defaults.ts'
import { containerOptions, containerSettings, splitContainerKeys } from './container-settings.ts'
import { type DoorSettings, doorOptions, doorSettings, splitDoorKeys } from './door-settings.ts'
import { dockerdOptions, withoutSettledKeys } from './dockerd-keys.ts'
import {
  networkOptions,
  type NetworkSettings,
  networkSettings,
  splitNetworkKeys,
} from './network-settings.ts'
import { type RuntimeSettings, runtimeSettings } from './runtime-settings.ts'
import { ownRegistryConfig } from './own-registry.ts'
import {
  registryOptions,
  type RegistrySettings,
  type TransferSettings,
  registrySettings,
  splitRegistryKeys,
  transferSettings,
} from './registry-settings.ts'

/** How a daemon is set up: command line over configuration file over defaults; names follow dockerd. */
export interface DaemonConfig {
  readonly door: DoorSettings
  readonly dataRoot: string
  readonly execRoot: string
  readonly logLevel: LogLevel
  /** `auto`, one of `runtimes`, or the name or path of an OCI runtime. */
  readonly runtime: string
  /** What containers can ask for besides. */
  readonly runtimes: RuntimeSettings
  /** `auto` (as dockerd's `overlay2` and `overlayfs`), `erofs` or `directory`. */
  readonly storageDriver: string
  readonly bridge: string
  /** Where subnets come from that nobody named; undefined: our own choice. */
  readonly addressPools: readonly PoolBase[] | undefined
  /** Name of the one nft table. */
  readonly firewallTable: string
  /** `respect`: published ports pass the host's own rules for input (docs/networks.md). */
  readonly firewall: 'open' | 'respect'
  /** Host address that ports are published on when none is named; empty: all. */
  readonly publishDefault: string
  /** Whether containers of the default network reach each other. */
  readonly icc: boolean
  /** Published ports are reached at the containers' own addresses, too, by whoever has a route. */
  readonly allowDirectRouting: boolean
  readonly cgroupParent: string
  readonly ipv6: boolean
  readonly pidfile: string
  readonly containers: ContainerSettings
  /** How other registries are spoken to. */
  readonly registries: RegistrySettings
  readonly transfers: TransferSettings
  readonly builder: BuilderSettings
  /** The default network, and what networks get that do not say. */
  readonly networks: NetworkSettings
  /** The registry that is served by the engine itself. */
  readonly ownRegistry: RegistryConfig | undefined
  /** `key=value`, for `docker info`. */
  readonly labels: readonly string[]
}

const options = {
  ...doorOptions,
  'data-root': { type: 'string' },
  'exec-root': { type: 'string' },
  'config-file': { type: 'string' },
  'log-level': { type: 'string', short: 'l' },
  'default-runtime': { type: 'string' },
  feature: { type: 'string', multiple: true },
  'add-runtime': { type: 'string', multiple: true },
  'storage-driver': { type: 'string', short: 's' },
  bridge: { type: 'string', short: 'b' },
  'default-address-pool': { type: 'string', multiple: true },
  'firewall-table': { type: 'string' },
  firewall: { type: 'string' },
  'publish-default': { type: 'string' },
  // dockerd's name for it.
  ip: { type: 'string' },
  icc: { type: 'boolean' },
  'allow-direct-routing': { type: 'boolean' },
  'cgroup-parent': { type: 'string' },
  debug: { type: 'boolean', short: 'D' },
  label: { type: 'string', multiple: true },
  validate: { type: 'boolean' },
  ipv6: { type: 'boolean' },
  pidfile: { type: 'string', short: 'p' },
  ...dockerdOptions,
  ...networkOptions,
  ...registryOptions,
  ...containerOptions,
  'registry-listen': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const

type Values = Partial<Record<keyof typeof options, string | boolean | readonly string[]>>

export const DEFAULT_CONFIG_FILE = '/etc/berth/daemon.json'
const levels: readonly string[] = ['debug', 'info', 'warn', 'error']

export interface CommandLine {
  readonly config: DaemonConfig
  readonly help: boolean
  readonly version: boolean
  /** Only the configuration is to be looked at. */
  readonly validate: boolean
}

/** Throws `invalid_argument` for a flag or key it does not know, and for a value that cannot be one. */
export function readConfig(argv: readonly string[]): CommandLine {
  const flags = withoutSettledKeys(parseFlags(argv))
  const help = flags.help === true
  const version = flags.version === true
  const path = typeof flags['config-file'] === 'string' ? flags['config-file'] : undefined
  // Who asks for help may have a broken file.
  const file = help || version ? nothing : readFile(path)
  const values: Values = { ...file.values, ...flags }
  const text = (name: keyof Values, fallback: string): string =>
    typeof values[name] === 'string' ? values[name] : fallback
  const dataRoot = resolve(text('data-root', '/var/lib/berth'))
  const config: DaemonConfig = {
    door: doorSettings(flags, file.door),
    dataRoot,
    execRoot: resolve(text('exec-root', '/run/berth')),
    logLevel: values.debug === true ? 'debug' : logLevel(text('log-level', 'info')),
    runtime: text('default-runtime', 'auto'),
    runtimes: runtimeSettings(list(flags['add-runtime']), file.runtimes),
    storageDriver: text('storage-driver', 'auto'),
    bridge: text('bridge', 'berth0'),
    addressPools: poolFlags(list(flags['default-address-pool'])) ?? file.pools,
    firewallTable: text('firewall-table', 'berth'),
    firewall: firewallMode(text('firewall', 'open')),
    publishDefault: hostAddress(
      typeof flags.ip === 'string' ? flags.ip : text('publish-default', text('ip', '')),
    ),
    icc: values.icc !== false,
    allowDirectRouting: values['allow-direct-routing'] === true,
    cgroupParent: text('cgroup-parent', '/berth'),
    ipv6: values.ipv6 === true,
    pidfile: text('pidfile', ''),
    containers: containerSettings(flags, file.containers),
    registries: registrySettings(flags, file.registries),
    transfers: transferSettings(flags, file.registries),
    builder: builderSettings(file.builder, withFeatures(file.features, list(flags.feature))),
    networks: networkSettings(flags, file.networks),
    ownRegistry: ownRegistryConfig(file.registry, text('registry-listen', '') || undefined, dataRoot),
    labels: labelList(flags.label ?? file.labels),
  }
  return { config, help, version, validate: values.validate === true }
}

function parseFlags(argv: readonly string[]): Values {
  try {
    const args = argv.map(plainFlag)
    return parseArgs({ args, options, allowPositionals: false, allowNegative: true }).values
  } catch (error) {
    throw invalid(`${messageOf(error)}\nSee 'berthd --help'.`, error)
  }
}

/** `--icc=false` is how dockerd spells what is `--no-icc` here, and `-H=unix://…` what is `-Hunix://…`. */
function plainFlag(argument: string): string {
  const [, letter, text] = /^-([a-zA-Z])=(.+)$/s.exec(argument) ?? []
  if (letter !== undefined) return `-${letter}${text}`
  const [, name = '', value] = /^--([a-z0-9-]+)=(true|false)$/.exec(argument) ?? []
  const known = Object.hasOwn(options, name) && options[name as keyof Values].type === 'boolean'
  if (!known) return argument
  return value === 'true' ? `--${name}` : `--no-${name}`
}

interface ConfigFile {
  readonly values: Values
  readonly door: Readonly<Record<string, unknown>>
  readonly registries: Readonly<Record<string, unknown>>
  readonly containers: Readonly<Record<string, unknown>>
  readonly pools: readonly PoolBase[] | undefined
  /** The sections of that name, unread. */
  readonly registry: unknown
  readonly builder: unknown
  readonly features: unknown
  readonly labels: unknown
  readonly networks: Readonly<Record<string, unknown>>
  readonly runtimes: unknown
}

const nothing: ConfigFile = {
  values: {},
  door: {},
  registries: {},
  containers: {},
  pools: undefined,
  registry: undefined,
  builder: undefined,
  features: undefined,
  labels: undefined,
  networks: {},
  runtimes: undefined,
}

/** `flags`: NAME=TRUTH each, over what the file has. */
function withFeatures(file: unknown, flags: readonly string[]): unknown {
  if (flags.length === 0) return file
  const given = flags.map((text) => {
    const [, name, value = 'true'] = /^([^=]+)(?:=(true|false))?$/.exec(text) ?? []
    if (name === undefined)
      throw invalid(`--feature ${JSON.stringify(text)}: want NAME, NAME=true or NAME=false`)
    return [name, value === 'true']
  })
  return { ...(typeof file === 'object' ? file : {}), ...Object.fromEntries(given) }
}

/** Of a flag that can be repeated. */
function list(value: Values[keyof Values]): readonly string[] {
  return [value ?? []].flat().map(String)
}

function labelList(value: unknown): readonly string[] {
  const labels = value ?? []
  const fits = Array.isArray(labels) && labels.every((one) => typeof one === 'string' && one.includes('='))
  if (fits) return labels
  throw invalid('"labels" must be a list of KEY=VALUE')
}

/** A configuration file that was not asked for may be missing. */
function readFile(path: string | undefined): ConfigFile {
  const name = path ?? DEFAULT_CONFIG_FILE
  let text: string
  try {
    text = readFileSync(name, 'utf8')
  } catch (error) {
    if (path === undefined && isErrno(error, 'ENOENT')) return nothing
    throw invalid(`cannot read configuration file ${name}: ${messageOf(error)}`, error)
  }
  const [containers, others] = splitContainerKeys(
    withoutSettledKeys(parseJson(name, text), `configuration file ${name}: `),
  )
  const [registries, remaining] = splitRegistryKeys(others)
  const [door, inner] = splitDoorKeys(remaining)
  const [networks, more] = splitNetworkKeys(inner)
  const {
    registry,
    builder,
    features,
    labels,
    runtimes,
    'default-address-pools': addressPools,
    ...rest
  } = more
  const pools = poolList(addressPools)
  const unknown = Object.keys(rest).filter((key) => !Object.hasOwn(options, key))
  if (unknown.length > 0) {
    throw invalid(`configuration file ${name}: unknown key ${unknown.map((key) => `"${key}"`).join(', ')}`)
  }
  for (const [key, value] of Object.entries(rest)) checkValue(name, key as keyof Values, value)
  const sections = { registry, builder, features, labels, networks, runtimes }
  return { values: rest, door, registries, containers, pools, ...sections }
}

function checkValue(file: string, key: keyof Values, value: unknown): void {
  const several = 'multiple' in options[key]
  const fits = several
    ? Array.isArray(value) || typeof value === 'string'
    : typeof value === options[key].type
  if (fits) return
  throw invalid(`configuration file ${file}: "${key}" must be a ${several ? 'list' : options[key].type}`)
}

/** An empty file says nothing. */
function parseJson(name: string, text: string): Record<string, unknown> {
  if (text.trim() === '') return {}
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (error) {
    throw invalid(`configuration file ${name}: ${jsonProblemOf(error)}`)
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw invalid(`configuration file ${name} must hold an object`)
  }
  return document as Record<string, unknown>
}

function firewallMode(text: string): DaemonConfig['firewall'] {
  if (text === 'open' || text === 'respect') return text
  throw invalid(`unknown firewall mode "${text}": want open or respect`)
}

function hostAddress(text: string): string {
  const address = text.replace(/^\[(.*)\]$/, '$1')
  if (address === '' || isIP(address) !== 0) return address
  throw invalid(`publish-default "${text}" is not an IP address`)
}

function logLevel(text: string): LogLevel {
  if (levels.includes(text)) return text as LogLevel
  throw invalid(`unknown log level "${text}": want one of ${levels.join(', ')}`)
}

function invalid(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'CONFIG_INVALID', cause })
}
