import { observeContainers } from '#compose/state/observe.ts'
import { type ObservedContainer, isUp } from '#compose/state/observed.ts'
import type { Project } from '#compose/model/project.ts'
import { commandError } from '../../errors.ts'
import { bool, list, string } from '../../flags.ts'
import { chooseFormat, formatList } from '../../format/list.ts'
import { subcommand } from '../subcommand.ts'
import { containerHeaders, containerView } from '../views/container.ts'

const statuses = ['paused', 'restarting', 'removing', 'running', 'dead', 'created', 'exited']
const TABLE =
  'table {{.Name}}\\t{{.Image}}\\t{{.Command}}\\t{{.Service}}\\t{{.RunningFor}}\\t{{.Status}}\\t{{.Ports}}'

export default subcommand({
  usage: '[OPTIONS] [SERVICE...]',
  summary: 'List containers',
  flags: {
    all: bool('Those that do not run, too', { short: 'a' }),
    filter: string('Only those that fit (status=running)'),
    format: string('table, json, or a template', { initial: '' }),
    'no-trunc': bool('Show everything in full length'),
    orphans: bool('Those of services that the files do not have, too', { initial: true }),
    quiet: bool('Only ids', { short: 'q' }),
    services: bool('Only names of services'),
    status: list('Only those in this state', { completes: statuses }),
  },
  async run({ args, flags }, context) {
    const { name, project } = await context.source.name()
    checkServices(args, project)
    const wanted = statusesOf(flags.status, flags.filter)
    const found = await observeContainers(context.client, name)
    const containers = found
      .filter(({ service, oneoff }) => !oneoff && (args.length === 0 || args.includes(service)))
      .filter((container) =>
        wanted.length > 0 ? wanted.includes(container.status) : flags.all || isUp(container),
      )
      .filter(
        ({ service }) => flags.orphans || project === undefined || Object.hasOwn(project.services, service),
      )
    if (flags.quiet) context.out(linesOf(containers.map(({ id }) => id)))
    else if (flags.services) context.out(linesOf([...new Set(containers.map(({ service }) => service))]))
    else context.out(table(containers, flags.format, { trunc: !flags['no-trunc'], now: context.io.now() }))
  },
})

function table(
  containers: readonly ObservedContainer[],
  format: string,
  options: { trunc: boolean; now: number },
): string {
  const views = containers.map((container) => containerView(container, options))
  return formatList(chooseFormat(format, undefined, TABLE), containerHeaders, views)
}

function statusesOf(given: readonly string[], filter: string): readonly string[] {
  const [, filtered] = /^status=(.+)$/.exec(filter) ?? []
  if (filter !== '' && filtered === undefined)
    throw commandError(`unknown filter ${filter}; want status=STATE`)
  return filtered === undefined ? given : [...given, filtered]
}

function checkServices(names: readonly string[], project: Project | undefined): void {
  const known = project === undefined ? undefined : { ...project.services, ...project.disabled }
  const unknown = names.find((each) => known !== undefined && !Object.hasOwn(known, each))
  if (unknown !== undefined) throw commandError(`no such service: ${unknown}`)
}

function linesOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}
