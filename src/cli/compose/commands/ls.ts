import { labels } from '#compose/state/labels.ts'
import { observedContainer, type ObservedContainer } from '#compose/state/observed.ts'
import { commandError } from '../../errors.ts'
import { bool, filter, string } from '../../flags.ts'
import { alignColumns } from '../../format/table.ts'
import { subcommand } from '../subcommand.ts'

interface Row {
  readonly Name: string
  readonly Status: string
  readonly ConfigFiles: string
}

export default subcommand({
  usage: '[OPTIONS]',
  summary: 'List projects',
  max: 0,
  flags: {
    all: bool('Those that do not run, too', { short: 'a' }),
    filter: filter(),
    format: string('table or json', { initial: 'table' }),
    quiet: bool('Only names', { short: 'q' }),
  },
  async run({ flags }, { client, out }) {
    if (!['table', 'json'].includes(flags.format))
      throw commandError(`unsupported format ${JSON.stringify(flags.format)}; want table or json`)
    const summaries = await client.containerQuery.list({
      all: flags.all,
      filters: { label: [labels.project] },
    })
    const projects = Map.groupBy(
      summaries.map(observedContainer),
      (container) => container.labels[labels.project] ?? '',
    )
    const rows = [...projects]
      .filter(([name]) => (flags.filter['name'] ?? []).every((wanted) => new RegExp(wanted).test(name)))
      .map(([name, containers]) => rowOf(name, containers))
      .toSorted((a, b) => (a.Name < b.Name ? -1 : 1))
    if (flags.quiet) out(rows.map(({ Name }) => `${Name}\n`).join(''))
    else if (flags.format === 'json') out(`${JSON.stringify(rows)}\n`)
    else
      out(
        `${alignColumns(['NAME\tSTATUS\tCONFIG FILES', ...rows.map((row) => Object.values(row).join('\t'))].join('\n'))}\n`,
      )
  },
})

/** `running(2), exited(1)`. */
function rowOf(name: string, containers: readonly ObservedContainer[]): Row {
  const states = Map.groupBy(containers, ({ status }) => status)
  const status = [...states]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([state, own]) => `${state}(${own.length})`)
  const files = new Set(containers.flatMap(({ labels: own }) => own[labels.files] ?? []))
  return { Name: name, Status: status.join(', '), ConfigFiles: [...files].join(',') }
}
