/** One sentence on why a container is in its state, and what more is known. Pure. */
import { constants } from 'node:os'
import type { ContainerWhy } from '#api/container-why.ts'
import type { EventRow } from '#store/events.ts'
import type { RequestRow } from '#store/requests.ts'
import { callerText, during } from '../requests/callers.ts'
import type { Container } from './container.ts'
import { type Ended, NEVER, runOf } from './state.ts'

const ENDING: readonly string[] = ['ContainerStop', 'ContainerKill', 'ContainerRestart', 'ContainerDelete']
const STARTING: readonly string[] = ['ContainerStart', 'ContainerRestart']
const SECOND = 1_000_000_000n

export type Cause = Pick<ContainerWhy, 'Summary' | 'Details' | 'Next'>

export function causeOf(
  container: Container,
  asked: readonly RequestRow[],
  happened: readonly EventRow[],
): Cause {
  const { state } = container
  switch (state.status) {
    case 'created':
      return state.last === undefined
        ? { Summary: 'It was created and never started.', Details: [], Next: `berth start ${container.name}` }
        : endOf(container, state.last, asked, happened)
    case 'running':
    case 'paused':
      return lifeOf(container, asked)
    case 'restarting': {
      const end = endOf(container, state.last, asked, happened)
      const Summary = `It waits to be started again by its restart policy (${policyOf(container)}). ${end.Summary}`
      return { ...end, Summary }
    }
    case 'exited':
      return endOf(container, state.last, asked, happened)
    case 'removing':
      return { Summary: 'It is being removed.', Details: [] }
    case 'dead':
      return {
        Summary: 'Its record cannot be used any more.',
        Details: [],
        Next: `berth rm -f ${container.name}`,
      }
  }
}

function lifeOf(container: Container, asked: readonly RequestRow[]): Cause {
  const { state, restartCount, health } = container
  const run = runOf(state)
  const since = run?.startedAt ?? NEVER
  const start = during(asked, STARTING, nanoseconds(since))
  const by = start === undefined ? '' : `, when ${callerText(start.caller)} started it`
  const Details = [
    ...(restartCount > 0 ? [`Its restart policy has started it again ${times(restartCount)} since.`] : []),
    ...(health === undefined ? [] : [`Its health check says ${health}.`]),
    ...(run?.oomKilled === true ? ['The kernel has killed a process of it for want of memory.'] : []),
  ]
  const doing = state.status === 'paused' ? 'paused; it runs' : 'running'
  return { Summary: `It is ${doing} since ${since}${by}.`, Details }
}

function endOf(
  container: Container,
  last: Ended,
  asked: readonly RequestRow[],
  happened: readonly EventRow[],
): Cause {
  if (last.error !== '' && last.finishedAt === NEVER) return notStarted(container, last)
  const finished = nanoseconds(last.finishedAt)
  const request = during(asked, ENDING, finished)
  const base = [`Exit code ${last.exitCode}${exitText(last.exitCode)}, at ${last.finishedAt}.`]
  const Details = [...base, ...(last.error === '' ? [] : [`${last.error}.`]), ...policyDetail(container)]
  if (last.oomKilled) return outOfMemory(container, Details)
  if (request !== undefined) return askedFor(container, last, request, Details)
  const unhealthy = happened.find(({ action }) => action === 'health_on_failure')
  if (
    unhealthy !== undefined &&
    finished - unhealthy.time < 60n * SECOND &&
    finished >= unhealthy.time - SECOND
  ) {
    return { Summary: 'The engine ended it since its health check failed (--health-on-failure).', Details }
  }
  return byItself(container, last, Details)
}

function notStarted({ name }: Container, { error, exitCode }: Ended): Cause {
  const Next =
    exitCode === 127
      ? 'check the command and PATH: it is not in the image'
      : exitCode === 126
        ? 'check that the command is a file that may be executed (chmod +x)'
        : `berth start ${name} tries again`
  return { Summary: `It could not be started: ${error}`, Details: [`Exit code ${exitCode}.`], Next }
}

function outOfMemory({ hostConfig, name }: Container, Details: readonly string[]): Cause {
  const limit = hostConfig.Memory ?? 0
  const bound = limit > 0 ? `its limit of ${limit} bytes` : "the machine's memory"
  return {
    Summary: `It ran out of memory: the kernel killed a process of it at ${bound}.`,
    Details,
    Next:
      limit > 0
        ? `berth update --memory MORE ${name}, or find out what needs so much`
        : 'free memory on the host',
  }
}

function askedFor(
  { config, name }: Container,
  { exitCode }: Ended,
  { operation, caller }: RequestRow,
  details: readonly string[],
): Cause {
  const verb = VERBS[operation] ?? 'ended'
  const slow = operation === 'ContainerStop' && exitCode === 128 + constants.signals.SIGKILL
  const Details = slow
    ? [...details, `It did not end after ${config.StopSignal ?? 'SIGTERM'} in time, and was killed.`]
    : details
  const Next = slow
    ? `handle the signal, use --init, or give it longer: berth stop -t SECONDS ${name}`
    : undefined
  return {
    Summary: `It was ${verb} by ${callerText(caller)}.`,
    Details,
    ...(Next === undefined ? {} : { Next }),
  }
}

const VERBS: Readonly<Record<string, string>> = {
  ContainerStop: 'stopped',
  ContainerKill: 'sent a signal',
  ContainerRestart: 'restarted',
  ContainerDelete: 'removed',
}

function byItself({ name }: Container, { exitCode }: Ended, Details: readonly string[]): Cause {
  if (exitCode === 0) return { Summary: 'Its process ended by itself, without an error.', Details }
  if (exitCode > 128 && signalName(exitCode - 128) !== undefined) {
    return {
      Summary: `Its process was ended by ${signalName(exitCode - 128)}, for which nobody asked the engine: it came from inside or from the host.`,
      Details,
      Next: `berth logs ${name}; on the host: dmesg, journalctl -k`,
    }
  }
  return {
    Summary: `Its process ended by itself, with exit code ${exitCode}.`,
    Details,
    Next: `berth logs ${name}`,
  }
}

function policyDetail(container: Container): readonly string[] {
  const { restartCount, stoppedByHand } = container
  const policy = policyOf(container)
  if (policy === 'no') return []
  const held = stoppedByHand ? '; it rests since it was stopped by hand' : ''
  const tried = restartCount > 0 ? `, and has started it again ${times(restartCount)}` : ''
  return [`Its restart policy is ${policy}${tried}${held}.`]
}

function policyOf({ hostConfig }: Container): string {
  const { Name, MaximumRetryCount = 0 } = hostConfig.RestartPolicy ?? {}
  return `${Name || 'no'}${MaximumRetryCount ? `:${MaximumRetryCount}` : ''}`
}

function exitText(code: number): string {
  const name = code > 128 ? signalName(code - 128) : undefined
  return name === undefined ? '' : ` (${name})`
}

function signalName(number: number): string | undefined {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0]
}

function nanoseconds(time: string): bigint {
  return BigInt(Date.parse(time)) * 1_000_000n
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}
