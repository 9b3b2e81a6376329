import type { SystemInfo } from '#api/generated/types.ts'
import { clientFacts } from '../client-facts.ts'
import { command } from '../command.ts'
import { errorText } from '../errors.ts'
import { string } from '../flags.ts'
import { showServerInfo } from '../format/info.ts'
import { toJson } from '../format/template/print.ts'
import { parseTemplate } from '../format/template/template.ts'
import { describePlugins, type PluginFacts } from '../plugins/plugins.ts'
import { view } from '../format/template/view.ts'

export default command({
  usage: '[OPTIONS]',
  summary: 'Show facts about the engine and its host',
  min: 0,
  max: 0,
  flags: { format: string("'json', or a Go template", { short: 'f' }) },
  async run({ flags }, context) {
    const { client, out, err } = context
    const template = flags.format === '' || flags.format === 'json' ? undefined : parseTemplate(flags.format)
    let info: SystemInfo | undefined
    let failure: unknown
    try {
      info = await client.system.info()
    } catch (error) {
      failure = error
    }
    const plugins = await describePlugins(context)
    const ClientInfo: Record<string, unknown> = {
      Debug: false,
      ...(await clientFacts(context)),
      Plugins: plugins.map(pluginInfo),
    }
    const document = {
      ...info,
      ...(failure === undefined ? {} : { ServerErrors: [errorText(failure)] }),
      ClientInfo,
    }
    if (template !== undefined) {
      const fields = Object.fromEntries(Object.entries(document).map(([key, value]) => [key, () => value]))
      try {
        out(`${template.execute(view('system.dockerInfo', fields, document))}\n`)
      } catch (error) {
        // A field is missing because the engine has not answered.
        throw failure ?? error
      }
    } else if (flags.format === 'json') out(`${toJson(document)}\n`)
    else {
      out(
        `Client: Berth\n Version:    ${String(ClientInfo['Version'])}\n Context:    ${String(ClientInfo['Context'])}\n Debug Mode: false\n${pluginLines(plugins)}\n`,
      )
      if (info !== undefined) out(showServerInfo(info))
      for (const warning of info?.Warnings ?? []) err(`${warning}\n`)
    }
    if (failure === undefined) return 0
    err(`${errorText(failure)}\n`)
    return 1
  },
})

/** As in the JSON form of Docker's own client. */
function pluginInfo({ name, path, vendor, version, summary }: PluginFacts): Record<string, string> {
  return { Name: name, Path: path, Vendor: vendor, Version: version, ShortDescription: summary }
}

function pluginLines(plugins: readonly PluginFacts[]): string {
  const lines = plugins.map(
    ({ name, path, vendor, version, summary }) =>
      `  ${name}: ${summary} (${vendor})\n    Version:  ${version}\n    Path:     ${path}\n`,
  )
  return lines.length === 0 ? '' : ` Plugins:\n${lines.join('')}`
}
