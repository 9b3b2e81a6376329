import { FrameReader } from '#api/stdcopy.ts'
import { type Clock, settlesWithin } from '#base/clock.ts'
import { isKind } from '#base/errors.ts'
import { abortable } from '#base/mutex.ts'
import type { ExecService } from '../services.ts'
import { type Probe, type ProbeResult, probeResult, probeTimeout } from './config/health.ts'

/** What a probe needs of execs. */
export interface ProbeExecs extends Pick<ExecService, 'create' | 'start'> {
  exitCode(id: string): Promise<number>
  kill(id: string, signal: number): Promise<void>
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
  { execs, clock }: { readonly execs: ProbeExecs; readonly clock: Clock },
  containerId: string,
  probe: Probe,
  signal: AbortSignal,
): Promise<ProbeResult | undefined> {
  const start = clock.now()
  const id = await createExec(execs, containerId, probe)
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

async function createExec(execs: ProbeExecs, containerId: string, probe: Probe): Promise<string | undefined> {
  try {
    const body = { Cmd: probe.argv, AttachStdout: true, AttachStderr: true }
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
