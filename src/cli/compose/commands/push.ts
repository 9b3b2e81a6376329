import { imageOf } from '#compose/model/names.ts'
import pushCommand from '../../commands/image-push.ts'
import { bool } from '../../flags.ts'
import { errorText } from '../../errors.ts'
import { delegate, switchOf } from '../delegate.ts'
import { subcommand } from '../subcommand.ts'

export default subcommand({
  usage: '[OPTIONS] [SERVICE...]',
  summary: 'Send images that are built here to their registries',
  flags: {
    'ignore-push-failures': bool('Send what can be sent'),
    'include-deps': bool('Those of what the services need, too'),
    quiet: bool('Without showing progress', { short: 'q' }),
  },
  async run({ args, flags }, context) {
    const project = await context.source.load(args, { dependencies: flags['include-deps'] })
    let status = 0
    for (const [name, service] of Object.entries(project.services)) {
      if (service.build === undefined) continue
      if (service.image === undefined) {
        context.err(`WARN: service ${JSON.stringify(name)} has no image name, and is not pushed\n`)
        continue
      }
      for (const image of [imageOf(project.name, name, service), ...(service.build.tags ?? [])]) {
        if (context.globals['dry-run']) {
          context.out(`push image ${image}: ${name} is built here\n`)
          continue
        }
        try {
          status = Math.max(
            status,
            await delegate(pushCommand, [...switchOf('quiet', flags.quiet), image], context),
          )
        } catch (error) {
          if (!flags['ignore-push-failures']) throw error
          context.err(`WARN: ${errorText(error)}\n`)
        }
      }
    }
    return status
  },
})
