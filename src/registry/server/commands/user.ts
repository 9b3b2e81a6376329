import { AccountEdits } from '../access/account-edits.ts'
import { BcryptThread } from '../access/bcrypt.ts'
import {
  requiredText,
  textOf,
  type CommandInvocation,
  type CommandIo,
  type CommandOption,
  type RegistryCommand,
} from './command.ts'
import { newPassword, passwordOption } from './password.ts'
import { withTokens } from './token-database.ts'

const htpasswd: CommandOption = { kind: 'text', value: 'FILE', help: 'The file of accounts' }

export const userAdd: RegistryCommand = {
  usage: 'NAME --htpasswd FILE [--password-stdin]',
  summary: 'Add an account; makes the file of accounts if there is none',
  min: 1,
  max: 1,
  options: { htpasswd, 'password-stdin': passwordOption },
  run: (invocation, io) =>
    edit(invocation, io, async (edits, name) => edits.add(name, await newPassword(invocation, io))),
}

export const userPasswd: RegistryCommand = {
  usage: 'NAME --htpasswd FILE [--password-stdin]',
  summary: 'Give an account another password; what clients keep of its logins ends',
  min: 1,
  max: 1,
  options: { htpasswd, 'password-stdin': passwordOption },
  run: (invocation, io) =>
    edit(invocation, io, async (edits, name) => edits.setPassword(name, await newPassword(invocation, io))),
}

export const userRm: RegistryCommand = {
  usage: 'NAME --htpasswd FILE [--root DIR]',
  summary: 'Remove an account',
  min: 1,
  max: 1,
  options: {
    htpasswd,
    root: {
      kind: 'text',
      value: 'DIR',
      help: 'Directory of the registry, to remove its tokens as well',
    },
  },
  run: (invocation, io) =>
    edit(invocation, io, async (edits, name) => {
      await edits.remove(name)
      await removeTokens(name, textOf(invocation, 'root'), io)
    }),
}

export const userLs: RegistryCommand = {
  usage: '--htpasswd FILE',
  summary: 'List the accounts, and the lines that a registry would refuse',
  min: 0,
  max: 0,
  options: { htpasswd },
  async run(invocation, io) {
    await using hashes = new BcryptThread()
    const { accounts, refused } = await new AccountEdits(requiredText(invocation, 'htpasswd'), hashes).list()
    for (const name of [...accounts.keys()].toSorted()) io.out(`${name}\n`)
    for (const line of refused) io.err(`${line}\n`)
    return refused.length === 0 ? 0 : 1
  },
}

async function edit(
  invocation: CommandInvocation,
  io: CommandIo,
  change: (edits: AccountEdits, name: string) => Promise<void>,
): Promise<void> {
  const [name = ''] = invocation.args
  await using hashes = new BcryptThread()
  await change(new AccountEdits(requiredText(invocation, 'htpasswd'), hashes), name)
  io.out(`${name}\n`)
}

async function removeTokens(name: string, root: string | undefined, io: CommandIo): Promise<void> {
  if (root === undefined) {
    // Whoever gets the name next would get them back.
    io.err(`Tokens of ${name} are good for nothing now, but kept; --root DIR removes them.\n`)
    return
  }
  await withTokens(root, async ({ accessTokens, logins }) => {
    await accessTokens.removeAll(name)
    await logins.removeAll(name)
  })
}
