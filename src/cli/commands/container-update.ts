import type { ContainerUpdateBody } from '#client/containers.ts'
import { command } from '../command.ts'
import { updateFlags } from '../create/flags.ts'
import { parsePublish, parseUnpublish } from '../create/ports.ts'
import { parseRestart, updatableResources } from '../create/resources.ts'
import { each } from '../each.ts'
import { commandError } from '../errors.ts'

export default command({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Change limits, published ports and restart policy of containers, also while they run',
  min: 1,
  completes: 'containers',
  flags: updateFlags,
  async run({ args, flags, changed }, context) {
    if (changed.size === 0) throw commandError('you must provide one or more flags when using this command')
    const body = {
      ...updatableResources(flags),
      ...(changed.has('restart') ? { RestartPolicy: parseRestart(flags.restart) } : {}),
      ...publishing(flags['publish-add'], flags['publish-rm']),
    }
    return each(args, context, async (ref) => {
      const { Warnings } = await context.client.containers.update(ref, body)
      for (const warning of Warnings ?? []) context.err(`${warning}\n`)
    })
  },
})

function publishing(add: readonly string[], remove: readonly string[]): Pick<ContainerUpdateBody, 'Berth'> {
  if (add.length + remove.length === 0) return {}
  return { Berth: { PublishAdd: parsePublish(add).bindings, PublishRemove: parseUnpublish(remove) } }
}
