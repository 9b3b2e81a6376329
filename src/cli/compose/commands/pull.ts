import { planImages } from '#compose/plan/images.ts'
import { observe } from '#compose/state/observe.ts'
import { bool, string } from '../../flags.ts'
import { errorText } from '../../errors.ts'
import { carryOut } from '../carry-out.ts'
import { subcommand } from '../subcommand.ts'

export default subcommand({
  usage: '[OPTIONS] [SERVICE...]',
  summary: 'Fetch images',
  flags: {
    'ignore-buildable': bool('Not those that can be built'),
    'ignore-pull-failures': bool('Fetch what can be fetched'),
    'include-deps': bool('Those of what the services need, too'),
    policy: string('missing or always', { initial: 'always' }),
    quiet: bool('Without showing progress', { short: 'q' }),
  },
  async run({ args, flags }, context) {
    const project = await context.source.load(args, { dependencies: flags['include-deps'] })
    const services = Object.entries(project.services).filter(
      ([, { build, image }]) => build === undefined || (image !== undefined && !flags['ignore-buildable']),
    )
    const pulled = { ...project, services: Object.fromEntries(services) }
    const observed = await observe(context.client, pulled)
    const plan = planImages(pulled, observed, { pull: flags.policy, build: 'never', now: context.io.now() })
    const quiet = flags.quiet ? { ...context, globals: { ...context.globals, progress: 'quiet' } } : context
    let status = 0
    // Apart, so that one that fails does not keep the others.
    for (const part of flags['ignore-pull-failures'] ? plan.map((operation) => [operation]) : [plan]) {
      try {
        await carryOut(part, pulled, observed, {}, quiet)
      } catch (error) {
        if (!flags['ignore-pull-failures']) throw error
        context.err(`WARN: ${errorText(error)}\n`)
        status = 0
      }
    }
    return status
  },
})
