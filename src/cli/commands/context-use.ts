import { command } from '../command.ts'
import { ContextStore } from '../contexts/context-store.ts'
import { updateConfig } from '../credentials/config-update.ts'

export default command({
  usage: 'CONTEXT',
  summary: 'Use a context from now on',
  min: 1,
  max: 1,
  local: true,
  completes: 'contexts',
  flags: {},
  async run({ args: [name = ''] }, { config, inUse, out, err }) {
    if (name !== 'default') new ContextStore(config).read(name)
    if (name !== 'default' || config.file.currentContext !== undefined) {
      await updateConfig(config.directory, (document) => {
        if (name === 'default') delete document['currentContext']
        else document['currentContext'] = name
      })
    }
    out(`${name}\n`)
    err(`Current context is now "${name}"\n`)
    if (name !== 'default' && inUse.variable !== undefined) {
      err(
        `Warning: ${inUse.variable} environment variable overrides the active context. To use "${name}", either set the global --context flag, or unset ${inUse.variable} environment variable.\n`,
      )
    }
  },
})
