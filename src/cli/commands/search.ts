import { command } from '../command.ts'
import { bool, filter, integer, string } from '../flags.ts'
import { chooseFormat, formatList } from '../format/list.ts'
import { searchHeaders, searchTable, searchView } from '../format/views/search.ts'
import { registryAuth } from '../registry-auth.ts'

export default command({
  usage: '[OPTIONS] TERM',
  summary: 'Search a registry for images; a TERM of HOST/WORDS asks that host, others Docker Hub',
  min: 1,
  max: 1,
  flags: {
    filter: filter('Keep only what matches: is-official=true, stars=NUMBER', [
      'is-official=true',
      'is-official=false',
      'stars=',
    ]),
    format: string("'table', 'table TEMPLATE', 'json', or a Go template"),
    limit: integer('At most so many results, up to 100', { min: 0 }),
    'no-trunc': bool('Show descriptions in full'),
  },
  async run({ args: [term = ''], flags }, context) {
    const { client, signal } = context
    const auth = await registryAuth({ domain: registryOf(term) }, context)
    const items = await client.registries.search(term, {
      limit: flags.limit,
      filters: flags.filter,
      auth,
      signal,
    })
    const format = chooseFormat(flags.format, undefined, searchTable)
    const options = { trunc: !flags['no-trunc'] }
    context.out(
      formatList(
        format,
        searchHeaders,
        items.map((each) => searchView(each, options)),
      ),
    )
  },
})

/** The registry that a search term begins with, as in a reference; Docker Hub when there is none. */
function registryOf(term: string): string {
  const [first = '', ...rest] = term.split('/')
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? first : 'docker.io'
}
