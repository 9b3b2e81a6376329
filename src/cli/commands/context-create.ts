import { command } from '../command.ts'
import { checkContextName, ContextStore } from '../contexts/context-store.ts'
import { defaultContext } from '../contexts/default-context.ts'
import { dockerEndpoint } from '../contexts/docker-endpoint.ts'
import { dockerFlag } from '../contexts/docker-flag.ts'
import { commandError } from '../errors.ts'
import { string } from '../flags.ts'

export default command({
  usage: '[OPTIONS] CONTEXT',
  summary: 'Create a context: an engine under a name',
  min: 1,
  max: 1,
  local: true,
  completes: 'none',
  flags: {
    description: string('What it is for'),
    docker: dockerFlag,
    from: string('Begin with what another context has', { completes: 'contexts' }),
  },
  async run({ args: [name = ''], flags, changed }, context) {
    const store = new ContextStore(context.config)
    checkContextName(name)
    if (store.find(name) !== undefined) throw commandError(`context "${name}" already exists`)
    const stored = (from: string) => (from === 'default' ? defaultContext(context) : store.read(from))
    const source =
      changed.has('docker') && flags.from === '' ? undefined : stored(flags.from || context.context)
    const { endpoint, tls } = changed.has('docker')
      ? dockerEndpoint(flags.docker, stored)
      : { endpoint: source?.document.Endpoints ?? {}, tls: source?.tls ?? {} }
    const Metadata = {
      ...source?.document.Metadata,
      ...(flags.description === '' ? {} : { Description: flags.description }),
    }
    await store.write({ document: { Name: name, Metadata, Endpoints: endpoint }, tls })
    context.out(`${name}\n`)
    context.err(`Successfully created context "${name}"\n`)
  },
})
