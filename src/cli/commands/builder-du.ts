import type { BuildCache } from '#api/generated/types.ts'
import { command } from '../command.ts'
import { bool, filter, string } from '../flags.ts'
import { chooseFormat, formatList } from '../format/list.ts'
import { humanSize } from '../format/units.ts'
import { buildCacheHeaders, buildCacheTable, buildCacheView } from '../format/views/build-cache.ts'
import { matching } from '../build/cache-filter.ts'

export default command({
  usage: '[OPTIONS]',
  summary: 'Show what is in the build cache',
  min: 0,
  max: 0,
  flags: {
    builder: string('Has no effect', { hidden: true }),
    debug: bool('Has no effect', { short: 'D', hidden: true }),
    filter: {
      ...filter('Keep only what matches (id, type, description, inuse, shared, private)'),
      short: undefined,
    },
    format: string("'table', 'table TEMPLATE', 'json', or a Go template"),
    verbose: bool('Everything of every record'),
  },
  async run({ flags, changed }, { client, io, out }) {
    const records = matching(await client.builds.usage(), flags.filter)
    if (flags.verbose && !changed.has('format')) {
      out(records.map(details).join('\n'))
    } else {
      const views = records.map((each) => buildCacheView(each, { trunc: flags.format === '', now: io.now() }))
      out(formatList(chooseFormat(flags.format, undefined, buildCacheTable), buildCacheHeaders, views))
    }
    if (!changed.has('format')) out(totals(records))
  },
})

function details(record: BuildCache): string {
  const fields = [
    ['ID', record.ID],
    ['Parents', record.Parents?.join(', ')],
    ['Created at', record.CreatedAt],
    ['In use', String(record.InUse === true)],
    ['Shared', String(record.Shared === true)],
    ['Size', humanSize(record.Size ?? 0, 3)],
    ['Description', record.Description],
    ['Usage count', String(record.UsageCount ?? 0)],
    ['Last used', record.LastUsedAt],
    ['Type', record.Type],
  ] as const
  const shown = fields.filter(([, value]) => value !== undefined && value !== null && value !== '')
  return shown.map(([name, value]) => `${`${name}:`.padEnd(14)}${value}\n`).join('')
}

function totals(records: readonly BuildCache[]): string {
  const sum = (some: readonly BuildCache[]): string =>
    humanSize(
      some.reduce((bytes, { Size }) => bytes + (Size ?? 0), 0),
      3,
    )
  const lines = [
    ['Shared', records.filter(({ Shared }) => Shared === true)],
    ['Private', records.filter(({ Shared }) => Shared !== true)],
    // What images have as well stays when its record goes.
    ['Reclaimable', records.filter(({ InUse, Shared }) => InUse !== true && Shared !== true)],
    ['Total', records],
  ] as const
  return `\n${lines.map(([name, some]) => `${`${name}:`.padEnd(14)}${sum(some)}\n`).join('')}`
}
