import type { Diagnosis, Hop } from '#api/network-reports.ts'
import { command } from '../command.ts'
import { commandError } from '../errors.ts'
import { string } from '../flags.ts'
import { alignColumns } from '../format/table.ts'

export default command({
  usage: '[OPTIONS] CONTAINER PORT[/PROTO]',
  summary: 'Find out why a port of a container is not reached',
  min: 2,
  max: 2,
  completes: 'containers',
  flags: {
    from: string('Another container that does not reach it; default: other hosts', { completes: 'running' }),
    name: string('The name that it asks for; default: as given here'),
    format: string("'text' or 'json'", { initial: 'text', completes: ['text', 'json'] }),
  },
  async run({ args: [ref = '', port = ''], flags }, { client, out }) {
    const { format, from, name } = flags
    if (format !== 'text' && format !== 'json')
      throw commandError(`--format takes text or json, not ${format}`)
    const question = { port, from: from || undefined, name: name || undefined }
    const diagnosis = await client.networks.unreachable(ref, question)
    out(format === 'json' ? `${JSON.stringify(diagnosis, undefined, 2)}\n` : textOf(diagnosis))
    return diagnosis.Broken === undefined ? 0 : 1
  },
})

function textOf({ Hops, Broken }: Diagnosis): string {
  const rows = Hops.map(({ State, Hop: hop, Text }) => `${State}\t${hop}\t${Text}`)
  return `${alignColumns(rows.join('\n'), { minWidth: 0 })}\n\n${conclusion(Hops, Broken)}`
}

function conclusion(hops: readonly Hop[], broken: Hop | undefined): string {
  if (broken !== undefined) return `Broken: ${broken.Hop}: ${broken.Text}\nNext: ${broken.Next ?? ''}\n`
  const doubts = hops.filter(({ State }) => State === 'doubt')
  if (doubts.length === 0) return 'No hop is broken as far as the host can tell.\n'
  return doubts
    .map(
      ({ Hop: hop, Text, Next }) =>
        `Perhaps: ${hop}: ${Text}\n${Next === undefined ? '' : `Next: ${Next}\n`}`,
    )
    .join('')
}
