import { shortId } from '#base/ids.ts'
import { isKind } from '#base/errors.ts'
import { bool, string } from '../../flags.ts'
import { commandError } from '../../errors.ts'
import { alignColumns } from '../../format/table.ts'
import { humanDuration, humanSize } from '../../format/units.ts'
import { findContainers } from '../containers.ts'
import { type ComposeContext, subcommand } from '../subcommand.ts'

interface Row {
  readonly ID: string
  readonly ContainerName: string
  readonly Repository: string
  readonly Tag: string
  readonly Platform: string
  readonly Size: number
  readonly Created: string
}

export default subcommand({
  usage: '[OPTIONS] [SERVICE...]',
  summary: 'List the images that containers were made of',
  flags: {
    format: string('table or json', { initial: 'table' }),
    quiet: bool('Only ids', { short: 'q' }),
  },
  async run({ args, flags }, context) {
    if (!['table', 'json'].includes(flags.format))
      throw commandError(`unsupported format ${JSON.stringify(flags.format)}; want table or json`)
    const { containers } = await findContainers(args, context)
    const found = await Promise.all(
      containers.map(({ name, image, imageId }) => rowOf(name, image, imageId, context)),
    )
    const rows = found.flatMap((row) => row ?? [])
    if (flags.quiet)
      context.out([...new Set(rows.map(({ ID }) => `${ID.replace('sha256:', '')}\n`))].join(''))
    else if (flags.format === 'json') context.out(`${JSON.stringify(rows)}\n`)
    else context.out(tableOf(rows, context.io.now()))
  },
})

async function rowOf(
  name: string,
  image: string,
  id: string,
  { client }: ComposeContext,
): Promise<Row | undefined> {
  try {
    const found = await client.images.inspect(id || image)
    const named = image.startsWith('sha256:') ? (found.RepoTags?.[0] ?? '') : image
    const [, repository = named, tag = 'latest'] = /^(.*?)(?::([^:/]+))?$/.exec(named) ?? []
    return {
      ID: found.Id ?? '',
      ContainerName: name,
      Repository: repository,
      Tag: tag,
      Platform: [found.Os, found.Architecture, found.Variant].filter(Boolean).join('/'),
      Size: found.Size ?? 0,
      Created: found.Created ?? '',
    }
  } catch (error) {
    if (isKind(error, 'not_found')) return undefined
    throw error
  }
}

function tableOf(rows: readonly Row[], now: number): string {
  const lines = rows.map((row) => {
    const created = Date.parse(row.Created)
    const age = Number.isNaN(created) || created <= 0 ? 'N/A' : `${humanDuration((now - created) / 1000)} ago`
    return [
      row.ContainerName,
      row.Repository,
      row.Tag,
      row.Platform,
      shortId(row.ID),
      humanSize(row.Size, 3),
      age,
    ].join('\t')
  })
  return `${alignColumns(['CONTAINER\tREPOSITORY\tTAG\tPLATFORM\tIMAGE ID\tSIZE\tCREATED', ...lines].join('\n'))}\n`
}
