import { text } from 'node:stream/consumers'
import { AccountEdits } from '../access/account-edits.ts'
import { BcryptThread } from '../access/bcrypt.ts'
import {
  requiredText,
  textOf,
  usageError,
  type CommandInvocation,
  type CommandIo,
  type RegistryCommand,
} from './command.ts'
import { withTokens } from './token-database.ts'

/** `berth registry user`: the accounts in an htpasswd file. */
export const userCommand: RegistryCommand = {
  usage: 'add|passwd|rm|ls [NAME] --htpasswd FILE',
  summary: 'Manage the accounts of a registry: add, passwd, rm, ls',
  options: {
    htpasswd: { kind: 'text', help: 'The file of accounts; add makes it' },
    'password-stdin': { kind: 'switch', help: 'Read the password from stdin' },
    root: {
      kind: 'text',
      help: 'With rm: directory of the registry, to end the tokens and logins of the account, too',
    },
  },
  min: 1,
  max: 2,
  async run(invocation, io) {
    const [verb = '', name] = invocation.args
    await using hashes = new BcryptThread()
    const edits = new AccountEdits(requiredText(invocation, 'htpasswd'), hashes)
    if (verb === 'ls') return await list(edits, io)
    if (name === undefined) throw usageError(`registry user ${verb}: name the account`)
    switch (verb) {
      case 'add':
        await edits.add(name, await password(invocation, io))
        io.out(`${name}\n`)
        return
      case 'passwd':
        await edits.setPassword(name, await password(invocation, io))
        io.out(`${name}\n`)
        return
      case 'rm':
        await remove(edits, name, invocation, io)
        return
      default:
        throw usageError(`registry user has no "${verb}"; there are add, passwd, rm and ls`)
    }
  },
}

/** Exit code 1 when a registry would refuse the file. */
async function list(edits: AccountEdits, { out, err }: CommandIo): Promise<number> {
  const { accounts, refused } = await edits.list()
  for (const name of [...accounts.keys()].toSorted()) out(`${name}\n`)
  for (const line of refused) err(`${line}\n`)
  return refused.length === 0 ? 0 : 1
}

async function remove(
  edits: AccountEdits,
  name: string,
  invocation: CommandInvocation,
  io: CommandIo,
): Promise<void> {
  await edits.remove(name)
  const root = textOf(invocation, 'root')
  if (root !== undefined) {
    await withTokens(root, async ({ accessTokens, logins }) => {
      await accessTokens.removeAll(name)
      await logins.removeAll(name)
    })
  } else {
    // Whoever gets the name next would get them back.
    io.err(
      `Tokens of ${name} are kept, without use while there is no such account; --root DIR removes them.\n`,
    )
  }
  io.out(`${name}\n`)
}

/** From the terminal (twice) or from stdin (one line). */
async function password({ options }: CommandInvocation, io: CommandIo): Promise<string> {
  if (options['password-stdin'] === true || io.stdin.isTTY !== true) {
    return (await text(io.stdin)).replace(/\r?\n$/, '')
  }
  const first = await io.secret('Password: ')
  if ((await io.secret('The same again: ')) !== first)
    throw usageError('the two passwords differ; nothing was changed')
  return first
}
