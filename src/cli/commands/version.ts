import type { SystemVersion } from '#api/generated/types.ts'
import { clientFacts } from '../client-facts.ts'
import { command } from '../command.ts'
import { errorText } from '../errors.ts'
import { string } from '../flags.ts'
import { parseTemplate } from '../format/template/template.ts'
import { toJson } from '../format/template/print.ts'
import { view, type View } from '../format/template/view.ts'

const COLUMN = 20

export default command({
  usage: '[OPTIONS]',
  summary: 'Show the versions of client and engine',
  min: 0,
  max: 0,
  flags: { format: string("'json', or a Go template", { short: 'f' }) },
  async run({ flags }, context) {
    const { client, out, err } = context
    const template =
      flags.format === '' || flags.format === 'json' ? undefined : parseTemplate(flags.format, 'version')
    const [server, facts] = await Promise.all([
      client.system.version().then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      ),
      clientFacts(context),
    ])
    const found = 'value' in server ? server.value : null
    if (template !== undefined) {
      const fields = { Client: () => named(facts), Server: () => named(found) }
      out(`${template.execute(view('system.versionInfo', fields))}\n`)
    } else if (flags.format === 'json') out(`${toJson({ Client: facts, Server: found })}\n`)
    else out(clientText(facts) + (found === null ? '' : `\n${serverText(found)}`))
    if ('value' in server) return 0
    err(`${errorText(server.error)}\n`)
    return 1
  },
})

/** Templates know some fields under other names than JSON does. */
function named(document: Readonly<Record<string, unknown>> | SystemVersion | null): View | null {
  if (document === null) return null
  const { ApiVersion, Experimental, MinAPIVersion, Platform } = document as SystemVersion
  const names = {
    APIVersion: ApiVersion,
    MinAPIVersion: MinAPIVersion ?? '',
    Platform: Platform ?? { Name: '' },
    ...('MinAPIVersion' in document ? { Experimental: Experimental ?? false } : {}),
  }
  const fields = Object.entries({ ...document, ...names }).map(([name, value]) => [name, () => value])
  return view('system.versionPart', Object.fromEntries(fields) as Record<string, () => unknown>, document)
}

function clientText(facts: Readonly<Record<string, string>>): string {
  return [
    'Client: Berth\n',
    fact(1, 'Version', facts['Version']),
    fact(1, 'API version', facts['ApiVersion']),
    fact(1, 'Go version', facts['GoVersion']),
    fact(1, 'Git commit', facts['GitCommit']),
    fact(1, 'Built', builtText(facts['BuildTime'])),
    fact(1, 'OS/Arch', `${facts['Os']}/${facts['Arch']}`),
    fact(1, 'Context', facts['Context']),
  ].join('')
}

function serverText(version: SystemVersion): string {
  const name = version.Platform?.Name ?? ''
  const components = version.Components ?? []
  const hasEngine = components.some((each) => each.Name === 'Engine')
  const parts = hasEngine
    ? components
    : [{ Name: 'Engine', Version: version.Version, Details: undefined }, ...components]
  const sections = parts.map((part) => {
    if (part.Name === 'Engine') return engineText(version)
    const details = Object.entries(part.Details ?? {}).filter(([key]) => key === 'GitCommit')
    return [
      ` ${part.Name}:\n`,
      fact(2, 'Version', part.Version),
      ...details.map(([key, value]) => fact(2, key, String(value))),
    ].join('')
  })
  return `Server:${name === '' ? '' : ` ${name}`}\n${sections.join('')}`
}

function engineText(version: SystemVersion): string {
  const minimum = version.MinAPIVersion ? ` (minimum version ${version.MinAPIVersion})` : ''
  return [
    ' Engine:\n',
    fact(2, 'Version', version.Version),
    fact(2, 'API version', `${version.ApiVersion ?? ''}${minimum}`),
    fact(2, 'Go version', version.GoVersion),
    fact(2, 'Git commit', version.GitCommit),
    fact(2, 'Built', builtText(version.BuildTime)),
    fact(2, 'OS/Arch', `${version.Os ?? ''}/${version.Arch ?? ''}`),
    fact(2, 'Experimental', String(version.Experimental ?? false)),
  ].join('')
}

function fact(depth: number, name: string, value: string | null | undefined): string {
  return `${`${' '.repeat(depth)}${name}:`.padEnd(COLUMN)}${value ?? ''}\n`
}

/** `Tue Jan  2 03:04:05 2024`; a text that is no time stays as it is. */
function builtText(text: string | null | undefined): string {
  const time = new Date(text ?? '')
  if (Number.isNaN(time.getTime())) return text ?? ''
  const [day = '', month = '', date = '', year = '', clock = ''] = time.toString().split(' ')
  return `${day} ${month} ${String(Number(date)).padStart(2)} ${clock} ${year}`
}
