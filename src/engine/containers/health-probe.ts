import { FrameReader } from '#api/stdcopy.ts'
import { type Clock, settlesWithin } from '#base/clock.ts'
import { isKind, messageOf } from '#base/errors.ts'
import { abortable } from '#base/mutex.ts'
import type { ExecService } from '../services.ts'
import { type PortProbe, type Probe, type ProbeResult, probeResult, probeTimeout } from './config/health.ts'

/** What a probe needs of execs. */
export interface ProbeExecs extends Pick<ExecService, 'create' | 'start'> {
  /** Resolves once the process runs or has failed to. */
  started(id: string): Promise<void>
  exitCode(id: string): Promise<number>
  kill(id: string, signal: number): Promise<void>
}

/** Looks at a port of a container; undefined when that has ended. */
export interface PortProbes {
  probe(containerId: string, target: PortProbe, timeout: number): Promise<string | undefined>
}

interface ProbeTools {
  readonly execs: ProbeExecs
  readonly clock: Clock
  readonly ports: PortProbes
}

interface Attempt {
  readonly exitCode: Promise<number>
  /** So far. */
  readonly output: () => Uint8Array
}

const SIGKILL = 9
/** Milliseconds that the runtime may take to start a probe: they are not the probe's own. */
const START_PATIENCE = 30_000
/** Bytes of output that are kept; more is read and dropped. */
const MAX_OUTPUT = 8192

/**
 * Runs a probe once, in the container. Undefined when there was nothing to probe: the container has ended or was paused.
 * Rejects only when the signal is aborted.
 */
export async function runProbe(
  { execs, clock, ports }: ProbeTools,
  containerId: string,
  probe: Probe,
  signal: AbortSignal,
): Promise<ProbeResult | undefined> {
  const { test } = probe
  if (!('argv' in test)) return lookAtPort({ clock, ports }, containerId, { ...probe, test })
  const start = clock.now()
  const id = await createExec(execs, containerId, test.argv)
  if (id === undefined) return undefined
  const { exitCode, output } = attempt(execs, id)
  exitCode.catch(() => undefined)
  const inTime = async () =>
    (await settlesWithin(clock, START_PATIENCE, execs.started(id))) &&
    (await settlesWithin(clock, probe.timeout, exitCode))
  try {
    if (await abortable(inTime(), signal)) {
      return probeResult(start, clock.now(), await exitCode, output())
    }
    // Whom it has started may write on.
    const written = output()
    await execs.kill(id, SIGKILL)
    return probeTimeout(start, clock.now(), probe, written)
  } catch (error) {
    if (signal.aborted) {
      await execs.kill(id, SIGKILL)
      throw error
    }
    if (isKind(error, 'conflict') || isKind(error, 'not_found')) return undefined
    return probeResult(start, clock.now(), 1, Buffer.from(String(error)))
  }
}

/** Nothing runs in the container: there is nothing to kill, and the helper keeps the time. */
async function lookAtPort(
  { clock, ports }: Pick<ProbeTools, 'clock' | 'ports'>,
  containerId: string,
  probe: Probe & { readonly test: PortProbe },
): Promise<ProbeResult | undefined> {
  const start = clock.now()
  try {
    const line = await ports.probe(containerId, probe.test, probe.timeout)
    if (line === undefined) return undefined
    const good = probe.test.path === undefined || /^HTTP\/1\.[01] [23]\d\d/.test(line)
    return probeResult(start, clock.now(), good ? 0 : 1, Buffer.from(line))
  } catch (error) {
    return probeResult(start, clock.now(), 1, Buffer.from(messageOf(error)))
  }
}

async function createExec(
  execs: ProbeExecs,
  containerId: string,
  argv: readonly string[],
): Promise<string | undefined> {
  try {
    const body = { Cmd: argv, AttachStdout: true, AttachStderr: true }
    const { Id } = await execs.create(containerId, body)
    return Id
  } catch (error) {
    if (isKind(error, 'conflict') || isKind(error, 'not_found')) return undefined
    throw error
  }
}

function attempt(execs: ProbeExecs, id: string): Attempt {
  const parts: Uint8Array[] = []
  return { exitCode: attended(execs, id, parts), output: () => Buffer.concat(parts) }
}

async function attended(execs: ProbeExecs, id: string, parts: Uint8Array[]): Promise<number> {
  const attached = await execs.start(id, { detach: false, tty: false })
  const frames = new FrameReader()
  let size = 0
  for await (const chunk of (attached?.stream ?? []) as AsyncIterable<Uint8Array>) {
    for (const { payload } of frames.push(chunk)) {
      if (size < MAX_OUTPUT) parts.push(payload)
      size += payload.length
    }
  }
  return execs.exitCode(id)
}
