import { openInput } from '../archive-input.ts'
import { command } from '../command.ts'
import { importContext } from '../contexts/archive.ts'
import { checkContextName, ContextStore } from '../contexts/context-store.ts'
import { commandError } from '../errors.ts'

export default command({
  usage: 'CONTEXT FILE|-',
  summary: 'Make a context from what context export has written',
  min: 2,
  max: 2,
  local: true,
  completes: 'files',
  flags: {},
  async run({ args: [name = '', file = ''] }, { config, io, out, err }) {
    checkContextName(name)
    const store = new ContextStore(config)
    if (store.find(name) !== undefined) throw commandError(`context "${name}" already exists`)
    await store.write(await importContext(name, file === '-' ? io.stdin : await openInput(file)))
    out(`${name}\n`)
    err(`Successfully imported context "${name}"\n`)
  },
})
