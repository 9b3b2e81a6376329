import { command } from '../command.ts'
import { ContextStore } from '../contexts/context-store.ts'
import { defaultContext } from '../contexts/default-context.ts'
import { string } from '../flags.ts'
import { inspectAll } from '../inspect.ts'

const IN_MEMORY = '<IN MEMORY>'

export default command({
  usage: '[OPTIONS] [CONTEXT] [CONTEXT...]',
  summary: 'Show everything about contexts; without CONTEXT, about the one in use',
  min: 0,
  local: true,
  completes: 'contexts',
  flags: { format: string("'json', or a Go template", { short: 'f' }) },
  async run({ args, flags: { format } }, context) {
    const store = new ContextStore(context.config)
    const names = args.length === 0 ? [context.context] : args
    return inspectAll(names, format, context, (name) => {
      if (name === 'default') {
        const { document } = defaultContext(context)
        const Storage = { MetadataPath: IN_MEMORY, TLSPath: IN_MEMORY }
        return Promise.resolve({ ...document, Metadata: {}, TLSMaterial: {}, Storage })
      }
      const { document, tls } = store.read(name)
      const { meta, tls: tlsPath } = store.paths(name)
      const files = Object.keys(tls)
      const TLSMaterial = files.length === 0 ? {} : { docker: files }
      return Promise.resolve({ ...document, TLSMaterial, Storage: { MetadataPath: meta, TLSPath: tlsPath } })
    })
  },
})
