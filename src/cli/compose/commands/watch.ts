import { once } from 'node:events'
import type { Project } from '#compose/model/project.ts'
import { commandError } from '../../errors.ts'
import { bool, parseFlags } from '../../flags.ts'
import { bringUp } from '../carry-out.ts'
import { subcommand } from '../subcommand.ts'
import { convergeFlags, imageWishesOf, wishesOf } from '../up-flags.ts'
import { watchProject } from '../watch/watch-project.ts'

export default subcommand({
  usage: '[SERVICE...]',
  summary: 'Follow the files, and bring changes into containers',
  flags: {
    'no-up': bool('Do not make and start services first'),
    prune: bool('Remove images that a rebuild has replaced', { initial: true }),
    quiet: bool('Say nothing of changes'),
  },
  async run({ args, flags }, context) {
    const project = builtAnew(await context.source.load(args))
    if (!Object.values(project.services).some(({ develop }) => (develop?.watch ?? []).length > 0)) {
      throw commandError(
        'none of the selected services is configured for watch; see develop.watch in the Compose specification',
      )
    }
    if (!flags['no-up']) {
      const { flags: defaults } = parseFlags(convergeFlags, [], { interspersed: true })
      await bringUp(project, wishesOf(args, defaults, context), imageWishesOf(defaults, context), {}, context)
    }
    if (context.globals['dry-run']) return 0
    using _watching = await watchProject(project, flags, context)
    if (!context.signal.aborted) await once(context.signal, 'abort')
    return 130
  },
})

/** What changed while nobody followed it is in the image, if anywhere. */
function builtAnew(project: Project): Project {
  const services = Object.entries(project.services).map(([name, service]) =>
    service.build === undefined || service.develop === undefined
      ? [name, service]
      : [name, { ...service, pull_policy: 'build' }],
  )
  return { ...project, services: Object.fromEntries(services) as Project['services'] }
}
