import { command } from '../command.ts'
import { each } from '../each.ts'
import { commandError } from '../errors.ts'

export default command({
  usage: 'CONTAINER [CONTAINER...]',
  summary: 'Wait until containers stop and print their exit codes',
  min: 1,
  completes: 'containers',
  flags: {},
  async run({ args }, context) {
    const { client, signal } = context
    return each(args, context, async (ref) => {
      const { result } = await client.containers.wait(ref, 'not-running', { signal })
      const { StatusCode, Error: failure } = await result
      if (failure?.Message) throw commandError(`cannot wait for ${ref}: ${failure.Message}`)
      return String(StatusCode ?? 0)
    })
  },
})
