import { text } from 'node:stream/consumers'
import { usageError, type CommandInvocation, type CommandIo, type CommandOption } from './command.ts'

export const passwordOption: CommandOption = { kind: 'switch', help: 'Read the password from stdin' }

/** A new password: typed twice on a terminal, or one line of stdin. */
export async function newPassword({ options }: CommandInvocation, io: CommandIo): Promise<string> {
  if (options['password-stdin'] === true || io.stdin.isTTY !== true) {
    return (await text(io.stdin)).replace(/\r?\n$/, '')
  }
  const first = await io.secret('Password: ')
  if ((await io.secret('The same again: ')) === first) return first
  throw usageError('the two passwords differ; nothing was changed')
}
