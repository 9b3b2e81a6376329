import copyCommand from '../../commands/container-cp.ts'
import { commandError } from '../../errors.ts'
import { bool, integer } from '../../flags.ts'
import { findContainers } from '../containers.ts'
import { delegate, switchOf } from '../delegate.ts'
import { type ComposeContext, subcommand } from '../subcommand.ts'

export default subcommand({
  usage: '[OPTIONS] SERVICE:SRC_PATH DEST_PATH|-   (or SRC_PATH|- SERVICE:DEST_PATH)',
  summary: 'Copy files between containers of a service and this host',
  min: 2,
  max: 2,
  flags: {
    all: bool('Containers of run, too', { hidden: true }),
    archive: bool('Keep owner and group', { short: 'a' }),
    'follow-link': bool('Copy what a symlink leads to', { short: 'L' }),
    index: integer('Number of the container; without it, the first, or into all'),
  },
  async run({ args: [source = '', target = ''], flags }, context) {
    const from = await sidesOf(source, flags.index, context)
    const to = await sidesOf(target, flags.index, context)
    if (from.length > 0 && to.length > 0)
      throw commandError('copying between services is not supported; copy to this host first')
    if (from.length === 0 && to.length === 0)
      throw commandError('unknown copy direction: one side has to be SERVICE:PATH')
    const options = [...switchOf('archive', flags.archive), ...switchOf('follow-link', flags['follow-link'])]
    if (from.length > 0) return delegate(copyCommand, [...options, '--', from[0] ?? '', target], context)
    let status = 0
    for (const side of to)
      status = Math.max(status, await delegate(copyCommand, [...options, '--', source, side], context))
    return status
  },
})

/** `CONTAINER:PATH` for each container of `SERVICE:PATH`; none for a path of this host. */
async function sidesOf(
  text: string,
  index: number | undefined,
  context: ComposeContext,
): Promise<readonly string[]> {
  const [, service, path] = /^([a-zA-Z0-9][a-zA-Z0-9._-]*):(.*)$/s.exec(text) ?? []
  if (service === undefined || text.startsWith('/') || text.startsWith('.')) return []
  const { containers } = await findContainers([service], context)
  const chosen = containers.filter(({ number }) => index === undefined || number === index)
  if (chosen.length === 0) throw commandError(`no container found for service ${JSON.stringify(service)}`)
  return chosen.map(({ id }) => `${id}:${path}`)
}
