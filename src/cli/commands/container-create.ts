import { command } from '../command.ts'
import { createBody } from '../create/body.ts'
import { createContainer } from '../create/create-container.ts'
import { proxyVariables } from '../proxies.ts'
import { createFlags } from '../create/flags.ts'
import { errorText } from '../errors.ts'

export default command({
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  summary: 'Create a container without starting it',
  min: 1,
  interspersed: false,
  completes: 'images',
  flags: createFlags,
  async run({ args, flags, changed }, context) {
    const { cwd, env } = context.io
    let body
    try {
      body = createBody(flags, args, { cwd, env, changed, proxies: proxyVariables(context) })
    } catch (error) {
      context.err(`berth: ${errorText(error)}\n\nRun 'berth create --help' for more information\n`)
      return 125
    }
    context.out(`${await createContainer(body, flags, context)}\n`)
    return 0
  },
})
