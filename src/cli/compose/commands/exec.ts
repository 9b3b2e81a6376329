import execCommand from '../../commands/container-exec.ts'
import { bool, integer, list, string } from '../../flags.ts'
import { findContainer } from '../containers.ts'
import { delegate, switchOf, valuesOf } from '../delegate.ts'
import { subcommand } from '../subcommand.ts'

export default subcommand({
  usage: '[OPTIONS] SERVICE COMMAND [ARGS...]',
  summary: 'Run another process in a container of a service',
  min: 2,
  interspersed: false,
  flags: {
    detach: bool('In the background', { short: 'd' }),
    env: list('Environment variable (KEY=value)', { short: 'e' }),
    index: integer('Number of the container, if there are several'),
    interactive: bool('Keep stdin open', { short: 'i', initial: true, hidden: true }),
    'no-tty': bool('Without a terminal; default where there is none', { short: 'T' }),
    privileged: bool('All privileges'),
    tty: bool('With a terminal', { short: 't', initial: true, hidden: true }),
    user: string('User (name|uid[:group|gid])', { short: 'u' }),
    workdir: string('Working directory', { short: 'w' }),
  },
  async run({ args: [service = '', ...words], flags }, context) {
    const { id } = await findContainer(service, flags.index, context, { running: true })
    const { stdin, stdout } = context.io
    const tty = !flags['no-tty'] && flags.tty && stdin.isTTY === true && stdout.isTTY === true
    const argv = [
      ...switchOf('detach', flags.detach),
      ...switchOf('interactive', flags.interactive),
      ...switchOf('privileged', flags.privileged),
      ...switchOf('tty', tty),
      ...valuesOf('env', ...flags.env),
      ...valuesOf('user', flags.user),
      ...valuesOf('workdir', flags.workdir),
      id,
      ...words,
    ]
    return delegate(execCommand, argv, context)
  },
})
