import { command, type Context } from '../command.ts'
import { ContextStore, type ContextDocument } from '../contexts/context-store.ts'
import { defaultContext } from '../contexts/default-context.ts'
import { bool, string } from '../flags.ts'
import { chooseFormat, formatList } from '../format/list.ts'
import { contextHeaders, contextTable, contextView } from '../format/views/context.ts'

export default command({
  usage: '[OPTIONS]',
  summary: 'List contexts',
  min: 0,
  max: 0,
  local: true,
  flags: {
    format: string("'table', 'table TEMPLATE', 'json', or a Go template"),
    quiet: bool('Only names', { short: 'q' }),
  },
  async run({ flags }, context) {
    const { inUse, out, err } = context
    const rows = await contexts(context)
    const format = flags.quiet ? '{{.Name}}' : chooseFormat(flags.format, undefined, contextTable)
    const views = rows.map((row) => contextView(row, row.document.Name === inUse.name))
    out(formatList(format, contextHeaders, views))
    if (inUse.variable !== undefined) {
      err(
        `Warning: ${inUse.variable} environment variable overrides the active context. To use a context, either set the global --context flag, or unset ${inUse.variable} environment variable.\n`,
      )
    }
  },
})

interface Row {
  readonly document: ContextDocument
  readonly error: string
}

/** The default one and the stored ones by name, and the one in use even when there is none of its name. */
async function contexts(context: Context): Promise<Row[]> {
  const store = new ContextStore(context.config)
  const known = [defaultContext(context).document, ...(await store.all())]
  const rows = known.map((document): Row => ({ document, error: '' }))
  const { name } = context.inUse
  if (!known.some(({ Name }) => Name === name)) {
    const file = `${store.paths(name).meta}/meta.json`
    const error = `context "${name}": context not found: open ${file}: no such file or directory`
    rows.push({ document: { Name: name, Metadata: {}, Endpoints: {} }, error })
  }
  return rows.sort((a, b) => a.document.Name.localeCompare(b.document.Name, 'en', { numeric: true }))
}
