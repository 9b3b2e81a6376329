import type { Health } from '#api/generated/types.ts'
import { obsolescence } from '#compose/plan/obsolete.ts'
import { changesOf } from '#compose/converge.ts'
import { observe } from '#compose/state/observe.ts'
import type { Observed, ObservedContainer } from '#compose/state/observed.ts'
import type { Project } from '#compose/model/project.ts'
import { commandError } from '../../errors.ts'
import { type ComposeContext, subcommand } from '../subcommand.ts'

export default subcommand({
  usage: 'SERVICE',
  summary: 'Say why a service is as it is: its state, what it waits for, and what up would do to it',
  min: 1,
  max: 1,
  flags: {},
  async run({ args: [name = ''] }, context) {
    const project = await context.source.load([name])
    const observed = await observe(context.client, project)
    const changes = await changesOf(context.client, project, observed)
    const own = observed.containers.filter(({ service, oneoff }) => service === name && !oneoff)
    context.out(
      `${name}: ${own.length === 0 ? 'there is no container; berth compose up makes one' : `${own.length} of ${wanted(project, name)} containers`}\n`,
    )
    for (const container of own) {
      context.out(`  ${container.name}: ${container.statusText || container.status}\n`)
      for (const line of await reasons(container, context)) context.out(`    ${line}\n`)
      const cause = obsolescence(container, name, {
        project,
        observed,
        recreate: 'changed',
        replaced: new Set(),
        changes,
      })
      context.out(`    up would ${cause === undefined ? 'leave it as it is' : `replace it: ${cause}`}\n`)
    }
    for (const line of needs(project, name, observed)) context.out(`  ${line}\n`)
  },
})

function wanted(project: Project, name: string): number {
  const service = project.services[name]
  if (service === undefined) throw commandError(`no such service: ${name}`)
  return service.scale ?? service.deploy?.replicas ?? 1
}

/** How the process ended, and what the last health check said. */
async function reasons({ id }: ObservedContainer, { client }: ComposeContext): Promise<readonly string[]> {
  const { State, RestartCount } = await client.containerQuery.inspect(id)
  const state = State ?? {}
  const lines = [
    state.Status === 'exited'
      ? `it ended with exit code ${state.ExitCode ?? 0} at ${state.FinishedAt ?? '?'}`
      : '',
    state.OOMKilled === true
      ? 'the kernel killed it for want of memory: see mem_limit and deploy.resources'
      : '',
    state.Error ? `the engine said: ${state.Error}` : '',
    RestartCount ? `it was restarted ${RestartCount} times` : '',
    lastCheck(state.Health),
  ]
  return lines.filter((line) => line !== '')
}

function lastCheck(health: Health | null | undefined): string {
  const last = health?.Log?.at(-1)
  if (!last || health?.Status === 'healthy') return ''
  return `its last health check ended with ${last.ExitCode ?? '?'}: ${(last.Output ?? '').trim() || 'no output'}`
}

/** What it depends on, and whether that is as it has to be. */
function needs(project: Project, name: string, { containers }: Observed): readonly string[] {
  return Object.entries(project.services[name]?.depends_on ?? {}).map(([other, { condition }]) => {
    const own = containers.filter(({ service, oneoff }) => service === other && !oneoff)
    const states = own.map(
      ({ name: container, statusText, status }) => `${container} ${statusText || status}`,
    )
    return `needs ${other} (${condition}): ${states.length === 0 ? 'there is no container' : states.join(', ')}`
  })
}
