import { isIP } from 'node:net'
import type { ContainerConfig, HealthConfig, HostConfig, RestartPolicy } from '#api/generated/types.ts'
import { EngineError } from '#base/errors.ts'
import { kernelCapabilities, normalizeCapabilities } from '#runtime/capabilities.ts'
import { parseDeviceRule } from '#runtime/devices.ts'
import { clampRlimits, rlimitName } from '#runtime/rlimits.ts'
import { FAILURE_ACTION, failureAction, portProbe } from './health.ts'
import { invalidConfig } from './errors.ts'
import { splitExtraHost } from './files.ts'
import { portRequests } from './ports.ts'
import { type LimitsMachine, checkResources } from './resource-limits.ts'
import { parseSecurityOptions } from './security-options.ts'
import { parseSignal } from './signals.ts'

/** The kernel's HOST_NAME_MAX. */
const MAX_HOSTNAME = 64
const MIN_HEALTH_DURATION = 1_000_000

export interface ValidationMachine extends LimitsMachine {
  readonly capabilities: readonly string[]
  readonly hardLimits: Readonly<Record<string, number>>
  /** Names of the runtimes that can be asked for; undefined: not checked here. */
  readonly runtimes?: readonly string[] | undefined
}

export interface Validated {
  /** As given, without what the machine cannot do. */
  readonly hostConfig: HostConfig
  readonly warnings: string[]
}

/**
 * Checks both halves of a create body, after merging with the image and filling in defaults. What is wrong is
 * `invalid_argument` with Docker's words; what the machine cannot do becomes a warning. Mounts are checked by
 * `mountRequests`, whose result is needed anyway.
 */
export function validateCreate(
  config: ContainerConfig,
  hostConfig: HostConfig,
  machine: ValidationMachine,
): Validated {
  checkConfig(config)
  checkHostConfig(hostConfig, machine)
  checkSharedNamespaces(config, hostConfig)
  portRequests(config, hostConfig)
  const limits = checkResources(hostConfig, machine)
  return {
    hostConfig: { ...hostConfig, ...limits.resources },
    warnings: [...limits.warnings, ...ulimitWarnings(hostConfig, machine), ...portWarnings(hostConfig)],
  }
}

function checkConfig(config: ContainerConfig): void {
  const { WorkingDir: directory, StopSignal: signal, Hostname: hostname } = config
  if (directory && !directory.startsWith('/')) {
    throw invalidConfig(`the working directory '${directory}' is invalid, it needs to be an absolute path`)
  }
  if (directory?.includes('\0')) throw invalidConfig('the working directory must not contain a NUL byte')
  if (signal) parseSignal(signal)
  if (hostname && hostname.length > MAX_HOSTNAME) {
    throw invalidConfig(`invalid hostname ${JSON.stringify(hostname)}: longer than ${MAX_HOSTNAME} bytes`)
  }
  for (const entry of config.Env ?? []) {
    if (entry === '' || entry.startsWith('=')) throw invalidConfig(`invalid environment variable: ${entry}`)
  }
  if (config.Healthcheck) checkHealthcheck(config.Healthcheck)
}

/** Also for the policy of an update. */
export function checkRestartPolicy(policy: RestartPolicy): void {
  const name = policy.Name ?? ''
  const most = policy.MaximumRetryCount ?? 0
  switch (name) {
    case '':
      return
    case 'always':
    case 'unless-stopped':
    case 'no':
      if (most === 0) return
      throw invalidPolicy(
        `maximum retry count can only be used with 'on-failure'${most < 0 ? ' and cannot be negative' : ''}`,
      )
    case 'on-failure':
      if (most < 0) throw invalidPolicy('maximum retry count cannot be negative')
      return
    default:
      throw invalidPolicy(
        `unknown policy '${String(name)}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
      )
  }
}

function checkHealthcheck(check: HealthConfig): void {
  const durations = ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const
  for (const name of durations) {
    const value = check[name] ?? 0
    if (value !== 0 && value < MIN_HEALTH_DURATION) {
      throw invalidConfig(`${name} in Healthcheck cannot be less than 1ms`)
    }
  }
  if ((check.Retries ?? 0) < 0) throw invalidConfig('Retries in Healthcheck cannot be negative')
  const [kind = ''] = check.Test ?? []
  if (['TCP', 'HTTP'].includes(kind) && portProbe(check.Test ?? []) === undefined) {
    throw invalidConfig(
      `invalid Healthcheck ${JSON.stringify(check.Test)}: want ["TCP", "PORT"] or ["HTTP", "PORT/PATH"]`,
    )
  }
}

function checkHostConfig(hostConfig: HostConfig, machine: ValidationMachine): void {
  const policy = hostConfig.RestartPolicy ?? {}
  if (hostConfig.AutoRemove === true && policy.Name && policy.Name !== 'no') {
    throw invalidConfig(`can't create 'AutoRemove' container with restart policy`)
  }
  checkNames(hostConfig)
  if (failureAction(hostConfig.Annotations) === undefined) {
    throw invalidConfig(`annotation ${FAILURE_ACTION}: want none, kill, stop or restart`)
  }
  checkRestartPolicy(policy)
  checkCapabilities(hostConfig, machine)
  checkModes(hostConfig)
  checkDevices(hostConfig)
  checkUlimits(hostConfig)
  checkSecurityOptions(hostConfig)
  if (Object.hasOwn(hostConfig.Annotations ?? {}, '')) {
    throw invalidConfig('invalid Annotations: the empty string is not permitted as an annotation key')
  }
  checkRanges(hostConfig)
  if (hostConfig.Runtime && machine.runtimes?.includes(hostConfig.Runtime) === false) {
    throw invalidConfig(`unknown or invalid runtime name: ${hostConfig.Runtime}`)
  }
}

function checkNames(hostConfig: HostConfig): void {
  for (const host of hostConfig.ExtraHosts ?? []) checkExtraHost(host)
  for (const server of hostConfig.Dns ?? []) {
    if (isIP(server) === 0) throw invalidConfig(`invalid IP address: ${server}`)
  }
}

function checkRanges(hostConfig: HostConfig): void {
  const score = hostConfig.OomScoreAdj ?? 0
  if (score < -1000 || score > 1000) {
    throw invalidConfig(`Invalid value ${score}, range for oom score adj is [-1000, 1000]`)
  }
  if ((hostConfig.ShmSize ?? 0) < 0) throw invalidConfig('SHM size can not be less than 0')
}

function checkCapabilities({ CapAdd, CapDrop }: HostConfig, machine: ValidationMachine): void {
  withPrefix('invalid CapAdd', () => normalizeCapabilities(CapAdd ?? [], machine.capabilities))
  withPrefix('invalid CapDrop', () => normalizeCapabilities(CapDrop ?? [], kernelCapabilities))
}

/** Writable groups of the host's namespace would be everybody's. */
function checkSecurityOptions({ SecurityOpt, Privileged, CgroupnsMode }: HostConfig): void {
  const { writableCgroups } = parseSecurityOptions(SecurityOpt ?? [])
  if (writableCgroups === true && Privileged !== true && CgroupnsMode === 'host') {
    throw invalidConfig('writable-cgroups needs a cgroup namespace of the container: --cgroupns private')
  }
}

function checkModes(hostConfig: HostConfig): void {
  const { IpcMode: ipc, PidMode: pid, UTSMode: uts, UsernsMode: userns, CgroupnsMode: cgroup } = hostConfig
  const { NetworkMode: network } = hostConfig
  if (!isMode(ipc, ['none', 'private', 'shareable', 'host'], true))
    throw invalidConfig(`invalid IPC mode: ${ipc}`)
  if (!isMode(pid, ['private', 'host'], true)) throw invalidConfig(`invalid PID mode: ${pid}`)
  if (!isMode(uts, ['private', 'host'], false)) throw invalidConfig(`invalid UTS mode: ${uts}`)
  if (!isMode(userns, ['host'], false)) throw invalidConfig(`invalid user namespace mode: ${userns}`)
  if (!isMode(cgroup, ['private', 'host'], false)) {
    throw invalidConfig(`invalid cgroup namespace mode: ${cgroup}`)
  }
  if (network === 'container' || network === 'container:') {
    throw invalidConfig('invalid network mode: invalid container format container:<name|id>')
  }
}

function isMode(mode: string | null | undefined, known: readonly string[], container: boolean): boolean {
  if (!mode || known.includes(mode)) return true
  return container && /^container:.+$/.test(mode)
}

function checkDevices(hostConfig: HostConfig): void {
  for (const rule of hostConfig.DeviceCgroupRules ?? []) parseDeviceRule(rule)
  for (const { PathOnHost: path, CgroupPermissions: access } of hostConfig.Devices ?? []) {
    if (access && !/^[rwm]{1,3}$/.test(access)) {
      throw invalidConfig(`invalid device cgroup permissions ${JSON.stringify(access)} for ${path ?? ''}`)
    }
  }
  const [request] = hostConfig.DeviceRequests ?? []
  if (request !== undefined) {
    const capabilities = (request.Capabilities ?? []).map((all) => `[${all.join(' ')}]`).join(' ')
    throw invalidConfig(
      `could not select device driver ${JSON.stringify(request.Driver ?? '')} with capabilities: [${capabilities}]`,
    )
  }
}

/** -1 is unlimited, on either side. */
function checkUlimits(hostConfig: HostConfig): void {
  for (const { Name: name, Soft: soft, Hard: hard } of hostConfig.Ulimits ?? []) {
    rlimitName(name ?? '')
    const [low, high] = [soft ?? 0, hard ?? 0]
    if (high !== -1 && (low > high || low === -1)) {
      throw invalidConfig(`ulimit soft limit must be less than or equal to hard limit: ${low} > ${high}`)
    }
  }
}

function checkExtraHost(entry: string): void {
  const { name, address } = splitExtraHost(entry)
  if (name === '' || address === '' || /\s/.test(entry)) {
    throw invalidConfig(`bad format for add-host: ${JSON.stringify(entry)}`)
  }
  if (address !== 'host-gateway' && isIP(address) === 0) {
    throw invalidConfig(`invalid IP address in add-host: ${JSON.stringify(address)}`)
  }
}

/** What cannot be said for a container that uses somebody else's network or host name. */
function checkSharedNamespaces(config: ContainerConfig, hostConfig: HostConfig): void {
  const { NetworkMode: network, UTSMode: uts, Links, Dns, ExtraHosts, PortBindings } = hostConfig
  const joined = network?.startsWith('container:') === true
  const conflict = (what: string): EngineError => invalidConfig(`conflicting options: ${what}`)
  const undefinedBehavior = "can't be used with links. This would result in undefined behavior"
  if (uts === 'host' && config.Hostname) throw conflict('hostname and the UTS mode')
  if (network === 'host' && count(Links) > 0) throw conflict(`host type networking ${undefinedBehavior}`)
  if (!joined) return
  if (config.Hostname) throw conflict('hostname and the network mode')
  if (count(Links) > 0) throw conflict(`container type network ${undefinedBehavior}`)
  if (count(Dns) > 0) throw conflict('dns and the network mode')
  if (count(ExtraHosts) > 0) throw conflict('custom host-to-IP mapping and the network mode')
  if (count(PortBindings) > 0 || hostConfig.PublishAllPorts === true) {
    throw conflict('port publishing and the container type network mode')
  }
}

function ulimitWarnings(hostConfig: HostConfig, { hardLimits }: ValidationMachine): readonly string[] {
  const rlimits = (hostConfig.Ulimits ?? []).map(({ Name, Soft, Hard }) => ({
    type: Name ?? '',
    soft: Soft ?? 0,
    hard: Hard ?? 0,
  }))
  return clampRlimits(rlimits, hardLimits).warnings
}

function portWarnings({ NetworkMode: network, PortBindings: bindings }: HostConfig): readonly string[] {
  if (network !== 'host' || count(bindings) === 0) return []
  return ['Published ports are discarded when using host network mode']
}

function withPrefix(prefix: string, check: () => unknown): void {
  try {
    check()
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    throw invalidConfig(`${prefix}: ${error.message}`, error)
  }
}

function invalidPolicy(message: string): EngineError {
  return invalidConfig(`invalid restart policy: ${message}`)
}

function count(value: object | null | undefined): number {
  return Object.keys(value ?? {}).length
}
