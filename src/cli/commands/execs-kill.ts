import { command, type Context } from '../command.ts'
import { each } from '../each.ts'
import { commandError } from '../errors.ts'
import { string } from '../flags.ts'

const WHOLE = 64

export default command({
  usage: '[OPTIONS] EXEC [EXEC...]',
  summary: 'Send a signal to what exec has started',
  min: 1,
  completes: 'execs',
  flags: { signal: string('Signal to send', { short: 's', shown: 'SIGKILL' }) },
  async run({ args, flags }, context) {
    return each(args, context, async (ref) => {
      await context.client.execs.kill(await idOf(ref, context), flags.signal || undefined)
    })
  },
})

/** The beginning of an id is enough when it is that of one only. */
async function idOf(ref: string, { client }: Context): Promise<string> {
  if (ref.length === WHOLE) return ref
  const containers = await client.containerQuery.list()
  const documents = await Promise.all(containers.map(({ Id }) => client.containerQuery.inspect(Id ?? '')))
  const fitting = documents.flatMap(({ ExecIDs }) => ExecIDs ?? []).filter((id) => id.startsWith(ref))
  const [found, other] = fitting
  if (found === undefined) throw commandError(`No such exec instance: ${ref}; look with: berth execs ls`)
  if (other !== undefined) throw commandError(`${ref} is the beginning of several execs; give more of the id`)
  return found
}
