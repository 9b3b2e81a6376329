import { command } from '../command.ts'
import { checkContextName, ContextStore } from '../contexts/context-store.ts'
import { dockerEndpoint } from '../contexts/docker-endpoint.ts'
import { dockerFlag } from '../contexts/docker-flag.ts'
import { string } from '../flags.ts'

export default command({
  usage: '[OPTIONS] CONTEXT',
  summary: 'Change a context',
  min: 1,
  max: 1,
  local: true,
  completes: 'contexts',
  flags: { description: string('What it is for'), docker: dockerFlag },
  async run({ args: [name = ''], flags, changed }, { config, out, err }) {
    checkContextName(name)
    const store = new ContextStore(config)
    const { document, tls } = store.read(name)
    const { Description } = document.Metadata
    const description = flags.description === '' ? Description : flags.description
    const Metadata = {
      ...document.Metadata,
      ...(description === undefined ? {} : { Description: description }),
    }
    const changes = changed.has('docker')
      ? dockerEndpoint(flags.docker, (from) => store.read(from))
      : { endpoint: document.Endpoints, tls }
    await store.write({ document: { Name: name, Metadata, Endpoints: changes.endpoint }, tls: changes.tls })
    out(`${name}\n`)
    err(`Successfully updated context "${name}"\n`)
  },
})
