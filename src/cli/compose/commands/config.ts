import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { selectServices, withFilesRead, withoutUnused } from '#compose/load/project.ts'
import { serviceHash } from '#compose/model/hash.ts'
import type { Project, Service } from '#compose/model/project.ts'
import { goJson } from '#base/go-json.ts'
import { projectDocument, projectYaml } from '#compose/model/write.ts'
import { imageOf } from '#compose/model/names.ts'
import { parseDocuments } from '#compose/document/parse.ts'
import { plainOf } from '#compose/document/node.ts'
import { parseTemplate, variablesIn } from '#compose/environment/template.ts'
import { commandError } from '../../errors.ts'
import { alignColumns } from '../../format/table.ts'
import { bool, string, type Values } from '../../flags.ts'
import { type ComposeContext, subcommand } from '../subcommand.ts'

const flags = {
  environment: bool('Print the variables that values are filled in with'),
  format: string('yaml or json', { initial: 'yaml' }),
  hash: string('Print the configuration hash of these services (comma-separated, or *)'),
  images: bool('Print the names of images'),
  networks: bool('Print the names of networks'),
  'no-consistency': bool('Do not check whether the parts fit together'),
  'no-env-resolution': bool('Leave env_file as it is'),
  'no-interpolate': bool('Leave variables as they are'),
  'no-normalize': bool('Leave out defaults'),
  'no-path-resolution': bool('Leave paths as they are'),
  output: string('Write to this file', { short: 'o' }),
  profiles: bool('Print the names of profiles'),
  quiet: bool('Only check', { short: 'q' }),
  services: bool('Print the names of services'),
  variables: bool('Print the variables that the files use'),
  volumes: bool('Print the names of volumes'),
} as const

export default subcommand({
  usage: '[OPTIONS] [SERVICE...]',
  summary: 'Check the project files, and print what they come to',
  flags,
  async run({ args, flags: given }, context) {
    if (!['yaml', 'json'].includes(given.format)) {
      throw commandError(`unsupported format ${JSON.stringify(given.format)}; want yaml or json`)
    }
    const text = given.variables ? await variablesText(context) : await projectText(args, given, context)
    if (given.quiet) return
    if (given.output === '') context.out(text)
    else writeFileSync(resolve(context.io.cwd, given.output), text)
  },
})

async function projectText(
  args: readonly string[],
  given: Values<typeof flags>,
  context: ComposeContext,
): Promise<string> {
  const { source, globals } = context
  const read = await source.read({
    interpolates: !given['no-interpolate'],
    resolvesPaths: !given['no-path-resolution'],
    normalizes: !given['no-normalize'],
    checks: !given['no-consistency'],
  })
  if (given.profiles) return linesOf(profilesOf(read))
  const selected = selectServices(read, args)
  const complete = given['no-env-resolution'] ? selected : withFilesRead(selected, await source.files())
  const project = globals['all-resources'] ? complete : withoutUnused(complete)
  return listing(project, given) ?? whole(project, given)
}

/** A list that was asked for instead of the whole. */
function listing(project: Project, given: Values<typeof flags>): string | undefined {
  const services = Object.entries(project.services)
  if (given.services) return linesOf(services.map(([name]) => name))
  if (given.volumes) return linesOf(Object.keys(project.volumes))
  if (given.networks) return linesOf(Object.keys(project.networks))
  if (given.images) return linesOf(services.map(([name, service]) => imageOf(project.name, name, service)))
  if (given.environment) {
    return linesOf([...project.environment].map(([name, value]) => `${name}=${value}`).toSorted())
  }
  return given.hash === '' ? undefined : hashes(project, given.hash)
}

function hashes(project: Project, wanted: string): string {
  const names = wanted === '*' ? Object.keys(project.services) : wanted.split(',')
  const lines = names.map((name) => {
    const service = project.services[name]
    if (service === undefined) throw commandError(`no such service: ${name}`)
    return `${name} ${serviceHash(service)}`
  })
  return linesOf(lines.toSorted())
}

/** A dollar is written as two, so that the output can be read again. */
function whole(project: Project, given: Values<typeof flags>): string {
  const written = given['no-interpolate'] ? project : (escaped(project) as Project)
  return given.format === 'json' ? `${goJson(projectDocument(written), 2)}\n` : projectYaml(written)
}

function escaped(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('$', '$$$$')
  if (Array.isArray(value)) return value.map(escaped)
  if (value === null || typeof value !== 'object' || value instanceof Map) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key.replaceAll('$', '$$$$'), escaped(each)]),
  )
}

function profilesOf(project: Project): readonly string[] {
  const services: readonly Service[] = Object.values({ ...project.services, ...project.disabled })
  return [...new Set(services.flatMap(({ profiles = [] }) => profiles))].toSorted()
}

async function variablesText({ source }: ComposeContext): Promise<string> {
  const project = await source.read({ interpolates: false, checks: false, normalizes: false })
  const files = await source.files()
  const found = new Map<string, readonly [string, string, string]>()
  const walk = (value: unknown): void => {
    if (typeof value === 'string' && value.includes('$')) {
      for (const { name, operator = '', operand } of variablesIn(parseTemplate(value))) {
        const text = operand.map((part) => (part.kind === 'text' ? part.text : `$${part.name}`)).join('')
        found.set(name, [
          String(operator.endsWith('?')),
          operator.endsWith('-') ? text : '',
          operator.endsWith('+') ? text : '',
        ])
      }
    } else if (value !== null && typeof value === 'object') Object.values(value).forEach(walk)
  }
  for (const file of project.files) {
    for (const document of parseDocuments(files.read(file) ?? '', file)) walk(plainOf(document))
  }
  const rows = [...found]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, cells]) => [name, ...cells].join('\t'))
  return `${alignColumns(['NAME\tREQUIRED\tDEFAULT VALUE\tALTERNATE VALUE', ...rows].join('\n'))}\n`
}

function linesOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}
