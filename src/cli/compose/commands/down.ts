import { planDown } from '#compose/plan/down.ts'
import { namedProject } from '#compose/model/named-project.ts'
import { observe } from '#compose/state/observe.ts'
import { bool, integer, string } from '../../flags.ts'
import { commandError } from '../../errors.ts'
import { carryOut } from '../carry-out.ts'
import { subcommand } from '../subcommand.ts'

export default subcommand({
  usage: '[OPTIONS] [SERVICES]',
  summary: 'Stop and remove containers and networks',
  flags: {
    'remove-orphans': bool('Remove containers of services that the files do not have, too'),
    rmi: string('Remove images, too: all, or only those without a name of their own (local)'),
    timeout: integer('Seconds until a container that does not stop is killed', { short: 't' }),
    volumes: bool('Remove volumes, too, also those without a name', { short: 'v' }),
  },
  async run({ args, flags }, context) {
    if (!['', 'all', 'local'].includes(flags.rmi))
      throw commandError(`invalid value for --rmi: ${JSON.stringify(flags.rmi)}; want all or local`)
    const { name, project } = await context.source.name()
    const known = project ?? namedProject(name)
    const observed = await observe(context.client, {
      ...known,
      services: { ...known.services, ...known.disabled },
    })
    const plan = planDown(project, observed, {
      named: args,
      removeVolumes: flags.volumes,
      removeImages: flags.rmi === '' ? 'none' : (flags.rmi as 'all' | 'local'),
      removeOrphans: flags['remove-orphans'],
    })
    if (plan.length === 0) context.err(`Warning: No resource found to remove for project "${name}".\n`)
    await carryOut(plan, known, observed, { stopTimeout: flags.timeout }, context)
  },
})
