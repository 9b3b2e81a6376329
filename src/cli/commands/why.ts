import type { ContainerWhy } from '#api/container-why.ts'
import { command } from '../command.ts'
import { commandError } from '../errors.ts'
import { string } from '../flags.ts'
import { alignColumns } from '../format/table.ts'

export default command({
  usage: '[OPTIONS] CONTAINER',
  summary: 'Say why a container is in its state: who stopped it, how it ended, what it said last',
  min: 1,
  max: 1,
  completes: 'containers',
  flags: {
    format: string("'text' or 'json'", { initial: 'text', completes: ['text', 'json'] }),
  },
  async run({ args: [ref = ''], flags: { format } }, { client, out }) {
    if (format !== 'text' && format !== 'json')
      throw commandError(`--format takes text or json, not ${format}`)
    const why = await client.containers.why(ref)
    out(format === 'json' ? `${JSON.stringify(why, undefined, 2)}\n` : textOf(why))
    return 0
  },
})

function textOf({ Name, ID, Status, Summary, Details, Next, History, LastLines }: ContainerWhy): string {
  const rows = History.map(
    ({ Time, What, By }) =>
      `${Time.slice(0, 19).replace('T', ' ')}\t${What}\t${By === undefined ? '' : `by ${By}`}`,
  )
  const sections = [
    `${Name} (${ID.slice(0, 12)}) is ${Status}: ${Summary}\n`,
    ...Details.map((detail) => `${detail}\n`),
    ...(Next === undefined ? [] : [`Next: ${Next}\n`]),
    ...(rows.length === 0
      ? []
      : [`\nWhat happened, newest first (UTC):\n${alignColumns(rows.join('\n'), { minWidth: 0 })}\n`]),
    ...(LastLines.length === 0
      ? []
      : [`\nIts last lines:\n${LastLines.map((line) => `${line}\n`).join('')}`]),
  ]
  return sections.join('')
}
