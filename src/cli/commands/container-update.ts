import { command } from '../command.ts'
import { updateFlags } from '../create/flags.ts'
import { parseRestart, updatableResources } from '../create/resources.ts'
import { each } from '../each.ts'
import { commandError } from '../errors.ts'

export default command({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Change limits and restart policy of containers, also while they run',
  min: 1,
  completes: 'containers',
  flags: updateFlags,
  async run({ args, flags, changed }, context) {
    if (changed.size === 0) throw commandError('you must provide one or more flags when using this command')
    const body = {
      ...updatableResources(flags),
      ...(changed.has('restart') ? { RestartPolicy: parseRestart(flags.restart) } : {}),
    }
    return each(args, context, async (ref) => {
      const { Warnings } = await context.client.containers.update(ref, body)
      for (const warning of Warnings ?? []) context.err(`${warning}\n`)
    })
  },
})
