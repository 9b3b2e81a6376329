import { FrameReader } from '#api/stdcopy.ts'
import { type Clock, settlesWithin } from '#base/clock.ts'
import { isKind, messageOf } from '#base/errors.ts'
import { abortable } from '#base/mutex.ts'
import type { ExecService } from '../services.ts'
import { type PortProbe, type Probe, type ProbeResult, probeResult, probeTimeout } from './config/health.ts'

/** What a probe needs of execs. */
export interface ProbeExecs extends Pick<ExecService, 'create' | 'start'> {
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

interface Outcome {
  readonly exitCode: number
  readonly output: Uint8Array
}

const SIGKILL = 9
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
  const outcome = attempt(execs, id)
  try {
    if (await abortable(settlesWithin(clock, probe.timeout, outcome), signal)) {
      const { exitCode, output } = await outcome
      return probeResult(start, clock.now(), exitCode, output)
    }
    await execs.kill(id, SIGKILL)
    return probeTimeout(start, clock.now(), probe)
  } catch (error) {
    outcome.catch(() => undefined)
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

async function attempt(execs: ProbeExecs, id: string): Promise<Outcome> {
  const attached = await execs.start(id, { detach: false, tty: false })
  const frames = new FrameReader()
  const parts: Uint8Array[] = []
  let size = 0
  for await (const chunk of (attached?.stream ?? []) as AsyncIterable<Uint8Array>) {
    for (const { payload } of frames.push(chunk)) {
      if (size < MAX_OUTPUT) parts.push(payload)
      size += payload.length
    }
  }
  return { exitCode: await execs.exitCode(id), output: Buffer.concat(parts) }
}
