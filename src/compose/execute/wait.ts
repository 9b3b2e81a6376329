import type { ContainerInspectResponse } from '#api/generated/types.ts'
import { EngineError } from '#base/errors.ts'
import type { Condition } from '../model/project.ts'
import type { ContainerStates } from './container-states.ts'

/** A dependency that does not come into the state that is waited for. */
function dependencyFailed(text: string): EngineError {
  return new EngineError('conflict', text, { code: 'COMPOSE_DEPENDENCY_FAILED' })
}

/** Waits until a container fulfils a condition; rejects as soon as it cannot any more. */
export async function waitFor(
  states: ContainerStates,
  container: { readonly id: string; readonly name: string },
  condition: Condition,
  signal: AbortSignal,
): Promise<void> {
  const judges = {
    service_started: judgeStarted,
    service_healthy: judgeHealthy,
    service_completed_successfully: judgeCompleted,
  } as const
  await states.until(container.id, (found) => judges[condition](container.name, found), signal)
}

/** Waits until a container runs, and is healthy if it has a health check; one that has done its work is ready, too. */
export async function waitForReady(
  states: ContainerStates,
  container: { readonly id: string; readonly name: string },
  signal: AbortSignal,
): Promise<void> {
  await states.until(container.id, (found) => judgeReady(container.name, found), signal)
}

function judgeReady(name: string, found: ContainerInspectResponse | undefined): true | undefined {
  if (found === undefined) throw gone(name)
  const { Status, Health, ExitCode } = found.State ?? {}
  if (Status === 'exited' && ExitCode === 0) return true
  const hasCheck = (Health?.Status ?? 'none') !== 'none'
  return hasCheck || Status === 'exited' || Status === 'dead'
    ? judgeHealthy(name, found, '')
    : Status === 'running'
      ? true
      : undefined
}

function judgeStarted(name: string, found: ContainerInspectResponse | undefined): true | undefined {
  if (found === undefined) throw gone(name)
  return found.State?.Status === 'created' ? undefined : true
}

function judgeHealthy(
  name: string,
  found: ContainerInspectResponse | undefined,
  whose = 'dependency failed to start: ',
): true | undefined {
  if (found === undefined) throw gone(name)
  const { Status, Health, ExitCode } = found.State ?? {}
  if (Status === 'exited' || Status === 'dead') {
    throw dependencyFailed(
      `${whose}container ${name} exited (${ExitCode ?? 0}); 'berth logs ${name}' shows what it said`,
    )
  }
  const status = Health?.Status ?? 'none'
  if (Status === 'running' && status === 'none') {
    throw dependencyFailed(`${whose}container ${name} has no healthcheck configured`)
  }
  if (status === 'unhealthy') {
    const last = Health?.Log?.at(-1)?.Output?.trim()
    throw dependencyFailed(`${whose}container ${name} is unhealthy${last ? `: ${last}` : ''}`)
  }
  return status === 'healthy' ? true : undefined
}

function judgeCompleted(name: string, found: ContainerInspectResponse | undefined): true | undefined {
  if (found === undefined) throw gone(name)
  const { Status, ExitCode } = found.State ?? {}
  if (Status !== 'exited' && Status !== 'dead') return undefined
  if ((ExitCode ?? 0) === 0) return true
  throw dependencyFailed(
    `container ${name} didn't complete successfully: exit ${ExitCode}; 'berth logs ${name}' shows what it said`,
  )
}

function gone(name: string): EngineError {
  return dependencyFailed(`dependency failed to start: container ${name} is gone`)
}
