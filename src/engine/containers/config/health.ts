import { formatGoDuration } from '#base/go-duration.ts'
import type { ContainerConfig, Health, HealthConfig, HealthcheckResult } from '#api/generated/types.ts'
import { rfc3339Nano } from './status.ts'

const MILLISECOND = 1e6
const LOG_LENGTH = 5
const OUTPUT_BYTES = 4096

/** How a container is probed, in milliseconds. */
export interface Probe {
  /** A command in the container, or a look at a port of it by the engine itself. */
  readonly test: ProbeTest
  readonly interval: number
  readonly timeout: number
  readonly retries: number
  readonly startPeriod: number
  readonly startInterval: number
}

type ProbeTest = { readonly argv: readonly string[] } | PortProbe

/** `["TCP", "5432"]` and `["HTTP", "8080/ready"]` in `Healthcheck.Test`: ours, not Docker's. */
export interface PortProbe {
  readonly port: number
  /** For HTTP; absent: that something accepts connections is enough. */
  readonly path?: string | undefined
}

type HealthStatus = 'starting' | 'healthy' | 'unhealthy'

export interface HealthState {
  readonly status: HealthStatus
  readonly failingStreak: number
  /** The last five, oldest first. */
  readonly log: readonly ProbeResult[]
}

export interface ProbeResult {
  readonly start: Date
  readonly end: Date
  /** -1: it took too long. */
  readonly exitCode: number
  /** Already cut to size by `probeResult`. */
  readonly output: string
}

export type HealthEvent =
  /** The container was started; the log is kept. */
  | { readonly type: 'started' }
  /** A probe ended; `sinceStart` in milliseconds from the container's start to the probe's. */
  | { readonly type: 'probed'; readonly result: ProbeResult; readonly sinceStart: number }
  /** Probing ended because the container did. */
  | { readonly type: 'stopped' }

export const initialHealth: HealthState = { status: 'starting', failingStreak: 0, log: [] }

/** The probe of a container, or undefined when it has none or it was turned off. */
export function probeOf(config: ContainerConfig): Probe | undefined {
  const check = config.Healthcheck
  const test = check ? probeTest(check, config.Shell ?? []) : undefined
  if (!check || test === undefined) return undefined
  const milliseconds = (value: number | null | undefined, otherwise: number): number =>
    value ? value / MILLISECOND : otherwise
  return {
    test,
    interval: milliseconds(check.Interval, 30_000),
    timeout: milliseconds(check.Timeout, 30_000),
    retries: check.Retries || 3,
    startPeriod: milliseconds(check.StartPeriod, 0),
    startInterval: milliseconds(check.StartInterval, 5000),
  }
}

/** A change of `status` between the old and the new state is what the event `health_status` reports. */
export function reduceHealth(state: HealthState, event: HealthEvent, probe: Probe): HealthState {
  switch (event.type) {
    case 'started':
      return { ...state, status: 'starting', failingStreak: 0 }
    case 'stopped':
      return { ...state, status: 'unhealthy' }
    case 'probed': {
      const log = [...state.log, event.result].slice(-LOG_LENGTH)
      if (event.result.exitCode === 0) return { status: 'healthy', failingStreak: 0, log }
      // While it is still coming up, failing is expected.
      if (state.status === 'starting' && event.sinceStart < probe.startPeriod) return { ...state, log }
      const failingStreak = state.failingStreak + 1
      return { status: failingStreak >= probe.retries ? 'unhealthy' : state.status, failingStreak, log }
    }
  }
}

/** Milliseconds from the end of one probe (or the start of the container) to the next. */
export function nextProbeDelay(state: HealthState, probe: Probe, sinceStart: number): number {
  return state.status === 'starting' && sinceStart < probe.startPeriod ? probe.startInterval : probe.interval
}

/** A result with its output cut at 4096 bytes, on a whole character. */
export function probeResult(start: Date, end: Date, exitCode: number, output: Uint8Array): ProbeResult {
  return { start, end, exitCode, output: cutText(output) }
}

/** The result of a probe that was killed for taking too long, with what it had written until then. */
export function probeTimeout(start: Date, end: Date, probe: Probe, written: Uint8Array): ProbeResult {
  const text = `Health check exceeded timeout (${formatGoDuration(probe.timeout * MILLISECOND)})`
  const output = written.length === 0 ? text : `${text}: ${cutText(written)}`
  return { start, end, exitCode: -1, output }
}

function cutText(output: Uint8Array): string {
  const cut = output.length > OUTPUT_BYTES
  const text = new TextDecoder().decode(output.subarray(0, OUTPUT_BYTES), { stream: cut })
  return cut ? `${text}...` : text
}

/** `State.Health` of inspect. */
export function healthDocument(state: HealthState): Health {
  return {
    Status: state.status,
    FailingStreak: state.failingStreak,
    Log: state.log.map(({ start, end, exitCode, output }): HealthcheckResult => ({
      Start: rfc3339Nano(start),
      End: rfc3339Nano(end),
      ExitCode: exitCode,
      Output: output,
    })),
  }
}

function probeTest({ Test: test }: HealthConfig, shell: readonly string[]): ProbeTest | undefined {
  const [kind, ...rest] = test ?? []
  if (rest.length === 0) return undefined
  if (kind === 'CMD') return { argv: rest }
  if (kind === 'CMD-SHELL') return { argv: [...(shell.length > 0 ? shell : ['/bin/sh', '-c']), ...rest] }
  return portProbe(test ?? [])
}

const MAX_PORT = 65_535

/** Undefined for what is none, or cannot be one. */
export function portProbe([kind, where = '', ...rest]: readonly string[]): PortProbe | undefined {
  if (rest.length > 0 || (kind !== 'TCP' && kind !== 'HTTP')) return undefined
  const match = /^(?:http:\/\/localhost)?:?(\d{1,5})(\/[\x21-\x7e]*)?$/.exec(where)
  const port = Number(match?.[1])
  if (match === null || port < 1 || port > MAX_PORT) return undefined
  if (kind === 'HTTP') return { port, path: match[2] ?? '/' }
  return match[2] === undefined ? { port } : undefined
}

/** What is done with a container that turns unhealthy, besides saying so. */
export type FailureAction = 'none' | 'kill' | 'stop' | 'restart'

/** An annotation, so that every client of Docker's can set it. */
export const FAILURE_ACTION = 'berth.health.on-failure'
const actions: readonly FailureAction[] = ['none', 'kill', 'stop', 'restart']

/** Undefined for what is none of them. */
export function failureAction(
  annotations: Readonly<Record<string, string>> | null | undefined,
): FailureAction | undefined {
  const wanted = annotations?.[FAILURE_ACTION] ?? 'none'
  return actions.find((action) => action === wanted)
}
