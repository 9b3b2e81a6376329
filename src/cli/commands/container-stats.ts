import { isKind } from '#base/errors.ts'
import { command, type Context } from '../command.ts'
import { errorText } from '../errors.ts'
import { bool, string } from '../flags.ts'
import { chooseFormat, formatList } from '../format/list.ts'
import { statsHeaders, statsTable, statsView, type StatsRow } from '../format/views/stats.ts'

const REFRESH_MS = 500

export default command({
  usage: '[OPTIONS] [CONTAINER...]',
  summary: 'Show how much containers use: of all running ones, or of those named',
  min: 0,
  completes: 'running',
  flags: {
    all: bool('Stopped ones too', { short: 'a' }),
    format: string("'table', 'table TEMPLATE', 'json', or a Go template"),
    'no-stream': bool('Only once'),
    'no-trunc': bool('Show values in full'),
  },
  async run({ args, flags, changed }, context) {
    const configured = changed.has('format') ? undefined : context.config.file.statsFormat
    const format = chooseFormat(flags.format, configured, statsTable)
    const show = (rows: readonly StatsRow[]): string =>
      formatList(
        format,
        statsHeaders,
        rows.map((row) => statsView(row, { trunc: !flags['no-trunc'] })),
      )
    if (flags['no-stream']) return once(args, flags.all, show, context)
    return live(args, flags.all, show, context)
  },
})

type Show = (rows: readonly StatsRow[]) => string

async function once(args: readonly string[], all: boolean, show: Show, context: Context): Promise<number> {
  const { client, signal, out, err } = context
  const refs = args.length > 0 ? args : await idsOf(all, context)
  const results = await Promise.allSettled(
    refs.map(async (container): Promise<StatsRow> => {
      for await (const sample of client.containerQuery.stats(container, { stream: false, signal })) {
        return { container, sample }
      }
      return { container }
    }),
  )
  const rows = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  if (rows.length > 0 || args.length === 0) out(show(rows))
  const failures = results.flatMap((result) =>
    // Without names, what is gone by now was not asked for.
    result.status === 'rejected' && (args.length > 0 || !isKind(result.reason, 'not_found')) ? [result] : [],
  )
  for (const { reason } of failures) err(`${errorText(reason)}\n`)
  return failures.length === 0 ? 0 : 1
}

async function live(args: readonly string[], all: boolean, show: Show, context: Context): Promise<number> {
  const { client, io, signal } = context
  const rows = new Map<string, StatsRow>()
  const { promise: failed, reject } = Promise.withResolvers<never>()

  const follow = async (container: string): Promise<void> => {
    if (rows.has(container)) return
    rows.set(container, { container })
    try {
      for await (const sample of client.containerQuery.stats(container, { stream: true, signal })) {
        rows.set(container, { container, sample })
      }
    } catch (error) {
      if (signal.aborted) return
      if (args.length > 0 || !isKind(error, 'not_found')) throw error
    }
    rows.delete(container)
  }
  const started = args.length > 0 ? args : await idsOf(all, context)
  const tasks = started.map(follow)
  if (args.length === 0) tasks.push(followStarts(follow, reject, context))
  const running = Promise.all(tasks)

  const paint = (): void => {
    const text = show([...rows.values()])
    // Written over what is there, line by line, so that nothing flickers.
    if (io.stdout.isTTY === true) io.stdout.write(`\u001b[H${text.replaceAll('\n', '\u001b[K\n')}\u001b[J`)
    else io.stdout.write(text)
  }
  if (io.stdout.isTTY === true) io.stdout.write('\u001b[2J\u001b[H')
  paint()
  const timer = setInterval(paint, REFRESH_MS)
  try {
    await Promise.race([running, failed, aborted(signal)])
  } finally {
    clearInterval(timer)
  }
  return 0
}

/** Containers that start later are shown too. */
async function followStarts(
  follow: (container: string) => Promise<void>,
  fail: (error: unknown) => void,
  { client, signal }: Context,
): Promise<void> {
  const filters = { type: ['container'], event: ['start'] }
  try {
    for await (const { Actor } of client.system.events({ filters, signal })) {
      if (Actor?.ID) follow(Actor.ID).catch(fail)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

async function idsOf(all: boolean, { client }: Context): Promise<string[]> {
  const containers = await client.containerQuery.list({ all })
  return containers.map(({ Id }) => Id ?? '')
}

async function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => resolve(), { once: true })
  await promise
}
