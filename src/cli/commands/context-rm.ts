import { command } from '../command.ts'
import { ContextStore } from '../contexts/context-store.ts'
import { updateConfig } from '../credentials/config-update.ts'
import { each } from '../each.ts'
import { commandError } from '../errors.ts'
import { bool } from '../flags.ts'

export default command({
  usage: '[OPTIONS] CONTEXT [CONTEXT...]',
  summary: 'Remove contexts',
  min: 1,
  local: true,
  completes: 'contexts',
  flags: { force: bool('Also the one in use', { short: 'f' }) },
  async run({ args, flags: { force } }, context) {
    const { config } = context
    const store = new ContextStore(config)
    return each(args, context, async (name) => {
      if (name === 'default') throw commandError('context "default" cannot be removed')
      if (store.find(name) === undefined && !force) throw commandError(`context "${name}" does not exist`)
      if (name === context.context && !force) {
        throw commandError(`context "${name}" is in use, set -f flag to force remove`)
      }
      await store.remove(name)
      if (config.file.currentContext !== name) return
      await updateConfig(config.directory, (document) => void delete document['currentContext'])
    })
  },
})
