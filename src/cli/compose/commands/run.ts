import { attachAndStart } from '../../run/start-attached.ts'
import { bool, list, string } from '../../flags.ts'
import { commandError } from '../../errors.ts'
import { bringUp } from '../carry-out.ts'
import { createOneOff } from '../run/one-off.ts'
import { oneOffService } from '../run/one-off-service.ts'
import { prepareDependencies } from '../run/dependencies.ts'
import { subcommand } from '../subcommand.ts'

const runFlags = {
  build: bool('Build the image first'),
  'cap-add': list('Give a capability'),
  'cap-drop': list('Take a capability away'),
  detach: bool('In the background; print the name of the container', { short: 'd' }),
  entrypoint: string('Instead of the entrypoint of the service'),
  env: list('Environment variable (KEY=value)', { short: 'e' }),
  'env-from-file': list('File with environment variables'),
  interactive: bool('Keep stdin open', { short: 'i', initial: true }),
  label: list('Label (KEY=value)', { short: 'l' }),
  name: string('Name of the container'),
  'no-deps': bool('Do not start what the service needs'),
  'no-tty': bool('Without a terminal; default where there is none', { short: 'T' }),
  publish: list('Publish a port', { short: 'p' }),
  pull: string('When to fetch the image: always, missing, never', { initial: 'policy' }),
  quiet: bool('Say nothing', { short: 'q' }),
  'quiet-build': bool('Build without showing progress'),
  'quiet-pull': bool('Fetch images without showing progress'),
  'remove-orphans': bool('Remove containers of services that the files do not have'),
  rm: bool('Remove the container when it ends'),
  'service-ports': bool('Publish the ports of the service', { short: 'P' }),
  tty: bool('With a terminal', { short: 't', initial: true, hidden: true }),
  'use-aliases': bool('Give it the names of the service in its networks'),
  user: string('User (name|uid[:group|gid])', { short: 'u' }),
  volume: list('Mount a volume', { short: 'v' }),
  workdir: string('Working directory', { short: 'w' }),
} as const

export default subcommand({
  usage: '[OPTIONS] SERVICE [COMMAND] [ARGS...]',
  summary: 'Run one command in a new container of a service',
  min: 1,
  interspersed: false,
  flags: runFlags,
  async run({ args: [name = '', ...words], flags }, context) {
    const quiet = flags.quiet ? { ...context, globals: { ...context.globals, progress: 'quiet' } } : context
    const project = await context.source.load([name], { dependencies: !flags['no-deps'] })
    const service = project.services[name]
    if (service === undefined) throw commandError(`no such service: ${name}`)
    await prepareDependencies(project, name, flags, quiet, bringUp)
    if (context.globals['dry-run']) {
      context.out(`create container of ${name}: a command is to be run in it\n`)
      return 0
    }
    const { stdin, stdout } = context.io
    const tty = !flags['no-tty'] && flags.tty && stdin.isTTY === true && stdout.isTTY === true
    const changed = oneOffService(service, words, { ...flags, tty }, context.io)
    const container = await createOneOff(project, name, changed, flags, context)
    if (flags.detach) {
      await context.client.containers.start(container.id)
      context.out(`${container.name}\n`)
      return 0
    }
    return attachAndStart(
      container.id,
      { stdin: flags.interactive, output: true, detachKeys: undefined },
      context,
    )
  },
})
