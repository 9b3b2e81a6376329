import { labels, ofProject } from '#compose/state/labels.ts'
import { bool, string } from '../../flags.ts'
import { chooseFormat, formatList } from '../../format/list.ts'
import { volumeHeaders, volumeView } from '../../format/views/volume.ts'
import { findContainers } from '../containers.ts'
import { subcommand } from '../subcommand.ts'

export default subcommand({
  usage: '[OPTIONS] [SERVICE...]',
  summary: 'List the volumes of the project',
  flags: {
    format: string("'table', 'table TEMPLATE', 'json', or a Go template"),
    quiet: bool('Only names', { short: 'q' }),
  },
  async run({ args, flags }, context) {
    const { name, containers } = await findContainers(args, context)
    const { Volumes: found } = await context.client.volumes.list(ofProject(name))
    const used = new Set(containers.flatMap(({ volumes }) => volumes.map((volume) => volume.name)))
    const volumes = (found ?? []).filter(
      ({ Name, Labels }) =>
        Labels?.[labels.volume] !== undefined && (args.length === 0 || used.has(Name ?? '')),
    )
    if (flags.quiet) context.out(volumes.map(({ Name }) => `${Name}\n`).join(''))
    else
      context.out(
        formatList(
          chooseFormat(flags.format, undefined, 'table {{.Driver}}\\t{{.Name}}'),
          volumeHeaders,
          volumes.map(volumeView),
        ),
      )
  },
})
