import { together } from '#compose/document/errors.ts'
import type { Project } from '#compose/model/project.ts'
import { locatedAt } from '#compose/execute/blame.ts'
import { ContainerStates } from '#compose/execute/container-states.ts'
import { waitFor, waitForReady } from '#compose/execute/wait.ts'
import { EngineError } from '#base/errors.ts'
import { errorText } from '../errors.ts'
import { progressFor } from './progress/progress.ts'
import { findContainers } from './containers.ts'
import type { ComposeContext } from './subcommand.ts'

/** Waits until every container of the project runs, and is healthy if it has a health check; says what it waits for. */
export async function waitForAll(
  project: Project,
  timeout: number | undefined,
  context: ComposeContext,
): Promise<number> {
  const { client, globals, io, signal } = context
  const names = Object.keys(project.services)
  const { containers } = await findContainers(names, context)
  using progress = progressFor(globals, io)
  await using states = new ContainerStates(client, project.name)
  const limits = timeout === undefined ? [signal] : [signal, AbortSignal.timeout(timeout * 1000)]
  const limit = AbortSignal.any(limits)
  const finishing = servicesThatFinish(project)
  const waits = containers.map(async (container) => {
    const done = finishing.has(container.service) ? 'Exited' : 'Healthy'
    const what = { object: `Container ${container.name}`, running: 'Waiting', done }
    progress.waiting(what)
    try {
      if (finishing.has(container.service)) {
        await waitFor(states, container, 'service_completed_successfully', limit)
      } else await waitForReady(states, container, limit)
      progress.arrived(what)
    } catch (error) {
      const reason = limit.aborted && !signal.aborted ? timedOut(container.name, timeout ?? 0) : error
      progress.gaveUp(what, errorText(reason))
      throw signal.aborted ? reason : locatedAt(project, ['services', container.service], reason)
    }
  })
  const settled = await Promise.allSettled(waits)
  const [first, ...others] = settled.flatMap((result): unknown[] =>
    result.status === 'rejected' ? [result.reason] : [],
  )
  if (first !== undefined) throw together([first, ...others])
  return 0
}

/** Those that others need to have done their work. */
function servicesThatFinish({ services }: Project): ReadonlySet<string> {
  const dependencies = Object.values(services).flatMap(({ depends_on }) => Object.entries(depends_on ?? {}))
  const finishing = dependencies.filter(([, { condition }]) => condition === 'service_completed_successfully')
  return new Set(finishing.map(([service]) => service))
}

function timedOut(name: string, seconds: number): EngineError {
  return new EngineError(
    'unavailable',
    `container ${name} was not ready after ${seconds} seconds; 'berth compose logs' shows what it says`,
    { code: 'COMPOSE_DEPENDENCY_FAILED' },
  )
}
