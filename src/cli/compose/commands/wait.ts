import { isUp } from '#compose/state/observed.ts'
import { commandError } from '../../errors.ts'
import { bool, parseFlags } from '../../flags.ts'
import { findContainers } from '../containers.ts'
import { type ComposeContext, subcommand } from '../subcommand.ts'
import down from './down.ts'

export default subcommand({
  usage: 'SERVICE [SERVICE...] [OPTIONS]',
  summary: 'Wait until a container of the services ends; returns its exit code',
  min: 1,
  flags: { 'down-project': bool('Then bring the whole project down') },
  async run({ args, flags }, context) {
    const { containers } = await findContainers(args, context)
    const running = containers.filter(isUp)
    if (running.length === 0)
      throw commandError(
        `no containers for project ${JSON.stringify((await context.source.name()).name)} run of ${args.join(', ')}`,
      )
    const { client, out, signal } = context
    const ends = running.map(async ({ id, name }) => {
      const { result } = await client.containers.wait(id, 'not-running', { signal })
      const { StatusCode } = await result
      out(`container ${JSON.stringify(name)} exited with status code ${StatusCode ?? 0}\n`)
      return StatusCode ?? 0
    })
    const code = flags['down-project'] ? await Promise.race(ends) : ((await Promise.all(ends)).at(-1) ?? 0)
    if (flags['down-project']) await bringDown(context)
    return code
  },
})

async function bringDown(context: ComposeContext): Promise<void> {
  const { flags } = parseFlags(down.flags, [], { interspersed: true })
  await down.run({ args: [], flags, changed: new Set() }, context)
}
