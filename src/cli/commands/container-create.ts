import { command } from '../command.ts'
import { createBody } from '../create/body.ts'
import { createContainer } from '../create/create-container.ts'
import { createFlags } from '../create/flags.ts'
import { commandError, hasCode, errorText } from '../errors.ts'

export default command({
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  summary: 'Create a container without starting it',
  min: 1,
  interspersed: false,
  completes: 'images',
  flags: createFlags,
  async run({ args, flags, changed }, context) {
    const { cwd, env } = context.io
    try {
      const body = createBody(flags, args, { cwd, env, changed })
      context.out(`${await createContainer(body, flags, context)}\n`)
      return 0
    } catch (error) {
      if (hasCode(error, 'VALUE_INVALID')) throw commandError(errorText(error), error)
      throw error
    }
  },
})
