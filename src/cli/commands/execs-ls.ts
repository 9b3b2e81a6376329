import { isKind } from '#base/errors.ts'
import type { ExecInspect } from '#client/execs.ts'
import { command, type Context } from '../command.ts'
import { bool, string } from '../flags.ts'
import { chooseFormat, formatList } from '../format/list.ts'
import { execHeaders, execTable, execView } from '../format/views/exec.ts'

export default command({
  usage: '[OPTIONS] [CONTAINER...]',
  summary: 'List what exec has started and still runs: in all containers, or in those named',
  min: 0,
  completes: 'running',
  flags: {
    format: string("'table', 'table TEMPLATE', 'json', or a Go template"),
    'no-trunc': bool('Show values in full'),
    quiet: bool('Only ids', { short: 'q' }),
  },
  async run({ args, flags }, context) {
    const format = flags.quiet ? '{{.ID}}' : chooseFormat(flags.format, undefined, execTable)
    const trunc = !flags['no-trunc']
    const views = (await found(args, context)).map((each) => execView(each, { trunc }))
    context.out(formatList(format, execHeaders, views))
  },
})

interface Found {
  readonly exec: ExecInspect
  readonly container: string
}

async function found(refs: readonly string[], { client }: Context): Promise<Found[]> {
  const wanted = refs.length > 0 ? refs : (await client.containerQuery.list()).map(({ Id }) => Id ?? '')
  const lists = await Promise.all(
    wanted.map(async (ref): Promise<Found[]> => {
      const container = await client.containerQuery.inspect(ref)
      const name = (container.Name ?? '').replace(/^\//, '')
      const execs = await Promise.all((container.ExecIDs ?? []).map((id) => running(id, client)))
      return execs.flatMap((exec) => (exec === undefined ? [] : [{ exec, container: name }]))
    }),
  )
  return lists.flat()
}

/** Undefined: it has ended meanwhile. */
async function running(id: string, client: Context['client']): Promise<ExecInspect | undefined> {
  try {
    const exec = await client.execs.inspect(id)
    return exec.Running === true ? exec : undefined
  } catch (error) {
    if (isKind(error, 'not_found')) return undefined
    throw error
  }
}
