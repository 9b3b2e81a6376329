import { reconcile } from '#compose/plan/reconcile.ts'
import { observe } from '#compose/state/observe.ts'
import { commandError } from '../../errors.ts'
import { bool, integer, parseFlags } from '../../flags.ts'
import { carryOut } from '../carry-out.ts'
import { subcommand } from '../subcommand.ts'
import { convergeFlags, wishesOf } from '../up-flags.ts'
import { waitForAll } from '../wait-for-all.ts'

export default subcommand({
  usage: '[OPTIONS] [SERVICE...]',
  summary: 'Start containers that are there',
  flags: {
    wait: bool('Wait until services run, or are healthy'),
    'wait-timeout': integer('Seconds to wait at most'),
  },
  async run({ args, flags }, context) {
    const project = await context.source.load(args)
    const observed = await observe(context.client, project)
    const counts = Object.keys(project.services).map((name) => {
      const own = observed.containers.filter(({ service, oneoff }) => service === name && !oneoff)
      return [name, own.length] as const
    })
    const missing = counts.find(([name, count]) => count === 0 && (args.length === 0 || args.includes(name)))
    if (missing !== undefined)
      throw commandError(
        `service ${JSON.stringify(missing[0])} has no container to start; 'berth compose up' makes one`,
      )
    const { flags: defaults } = parseFlags(convergeFlags, [], { interspersed: true })
    const wishes = {
      ...wishesOf(args, { ...defaults, 'no-recreate': true }, context),
      scale: Object.fromEntries(counts),
    }
    const { plan } = reconcile(project, { ...observed, networks: observed.networks }, wishes)
    await carryOut(plan, project, observed, {}, context)
    return flags.wait && !context.globals['dry-run'] ? waitForAll(project, flags['wait-timeout'], context) : 0
  },
})
