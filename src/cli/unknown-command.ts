import { nearest } from '#base/nearest.ts'
import { ClientConfig } from './client-config.ts'
import { groupHelp } from './help.ts'
import type { Io } from './io.ts'
import { pluginDirectories } from './plugins/plugins.ts'
import { entries, groups } from './registry.ts'

/** Groups of Docker's commands for what berth has not. */
const foreign: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['swarm', 'node', 'service', 'stack', 'secret', 'config'].map((group) => [
      group,
      'berth has no swarm mode: its engine runs containers of one host',
    ]),
  ),
  plugin: 'berth has no managed plugins: volume and network drivers are found by their sockets',
  trust: "berth has no content trust, which Docker's own command line has dropped",
}

/** What plugins have, by far the most asked for. */
const known: readonly string[] = ['compose', 'buildx', 'bake', 'scout', 'init', 'model']

/** A group without a command shows its help; anything else is a mistake. Returns the exit code. */
export function unknownCommand(words: readonly string[], config: ClientConfig, io: Io): number {
  const [first = '', second] = words
  if (groups[first] === undefined) return reportUnknown(first, config, io)
  if (second === undefined || second === '--help' || second === '-h') {
    const to = second === undefined ? io.stderr : io.stdout
    to.write(groupHelp(first))
    return 0
  }
  if (second.startsWith('-')) {
    io.stderr.write(
      `unknown flag: ${second}\n\nUsage:  berth ${first}\n\nRun 'berth ${first} --help' for more information\n`,
    )
    return 125
  }
  const children = namesBelow(`${first} `)
  io.stderr.write(
    `berth: unknown command: berth ${first} ${second}\n${meant(second, children, `${first} `)}\nUsage:  berth ${first}\n\nRun 'berth ${first} --help' for more information\n`,
  )
  return 1
}

function reportUnknown(word: string, config: ClientConfig, io: Io): number {
  const why = foreign[word]
  const hint =
    why !== undefined
      ? `\n${why}.\n`
      : known.includes(word)
        ? `\nIt is a plugin of Docker's, and none of this name is in ${pluginDirectories({ config, io }).join(', ')}.\n`
        : meant(word, [...namesBelow(''), ...Object.keys(groups)], '')
  io.stderr.write(`berth: unknown command: berth ${word}\n${hint}\nRun 'berth --help' for more information\n`)
  return 1
}

function namesBelow(prefix: string): string[] {
  return entries
    .filter(({ hidden }) => hidden !== true)
    .flatMap(({ names }) => names.filter((name) => name.startsWith(prefix)))
    .map((name) => name.slice(prefix.length))
    .filter((name) => !name.includes(' '))
}

function meant(word: string, candidates: readonly string[], prefix: string): string {
  const begun = word.length < 3 ? undefined : candidates.find((each) => each.startsWith(word))
  const found = begun ?? nearest(word, candidates, word.length < 6 ? 1 : 2)
  return found === undefined ? '' : `\nDid you mean 'berth ${prefix}${found}'?\n`
}
