import type { Command } from './command.ts'
import type { Flags } from './flags.ts'
import type { PluginFacts } from './plugins/plugins.ts'
import { common, entries, groups, type Entry } from './registry.ts'

const WIDTH = 100

/** `Usage:  berth NAME …`. */
export function usageLine(name: string, command: Command): string {
  return `Usage:  berth ${name}${command.usage === '' ? '' : ` ${command.usage}`}`
}

export function commandHelp(name: string, entry: Entry, command: Command): string {
  const spellings = entry.names.filter((each) => entry.names.length > 1 && each !== '')
  const sections = [usageLine(name, command), command.summary]
  if (spellings.length > 0)
    sections.push(`Aliases:\n  ${spellings.map((each) => `berth ${each}`).join(', ')}`)
  const flags = flagsHelp(command.flags)
  if (flags !== '') sections.push(`Options:\n${flags}`)
  if (command.sections !== undefined) sections.push(command.sections())
  return `${sections.join('\n\n')}\n`
}

export function groupHelp(group: string): string {
  const own = entries.flatMap(({ names, summary }) => {
    const [home = ''] = names
    return home.startsWith(`${group} `) ? [[home.slice(group.length + 1), summary] as const] : []
  })
  return `Usage:  berth ${group} COMMAND

${groups[group]}

Commands:
${rows(own)}

Run 'berth ${group} COMMAND --help' for more about a command.
`
}

/** `plugins` are commands of other programs. */
export function rootHelp(globalFlags: Flags, plugins: readonly PluginFacts[] = []): string {
  const topLevel = entries.flatMap((entry): [string, string][] => {
    const name = entry.names.find((each) => !each.includes(' ') && !['ls', 'list'].includes(each))
    return name === undefined || entry.hidden === true ? [] : [[name, entry.summary]]
  })
  const first = common.flatMap((name) => topLevel.filter(([each]) => each === name))
  const rest = topLevel.filter(([name]) => !common.includes(name)).sort(([a], [b]) => (a < b ? -1 : 1))
  return `Usage:  berth [OPTIONS] COMMAND

Run, look after and remove containers. Takes the commands and flags of docker.

Common Commands:
${rows(first)}

Management Commands:
${rows([...Object.entries(groups), ...plugins.map(pluginRow)].sort(([a], [b]) => (a < b ? -1 : 1)))}

Commands:
${rows(rest)}

Global Options:
${flagsHelp(globalFlags)}

Run 'berth COMMAND --help' for more about a command.
`
}

/** Marked, as in Docker's own list. */
function pluginRow({ name, summary, vendor, version }: PluginFacts): [string, string] {
  return [`${name}*`, `${summary} (${vendor}, ${version})`]
}

export function flagsHelp(flags: Flags): string {
  const shown = Object.entries(flags)
    .filter(([, flag]) => flag.hidden !== true)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, flag]) => {
      const short = flag.short === undefined ? '    ' : `-${flag.short}, `
      const type = flag.type === '' ? '' : ` ${flag.type}`
      const initial = flag.shown === undefined ? '' : ` (default ${flag.shown})`
      return [`${short}--${name}${type}`, `${flag.help}${initial}`] as const
    })
  return rows(shown)
}

/** Two columns, the second one wrapped. */
export function rows(pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(...pairs.map(([left]) => left.length), 0) + 3
  return pairs
    .map(
      ([left, right]) =>
        `  ${left.padEnd(width)}${wrap(right, WIDTH - width - 2).join(`\n${' '.repeat(width + 2)}`)}`,
    )
    .join('\n')
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
