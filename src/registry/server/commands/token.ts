import type { AccessToken, AccessTokens } from '../access/access-tokens.ts'
import type { Logins, StoredLogin } from '../access/logins.ts'
import { formatScope } from '../access/scope.ts'
import { parseDuration } from '../settings/units.ts'
import {
  requiredText,
  tableText,
  textOf,
  textsOf,
  usageError,
  type CommandInvocation,
  type CommandIo,
  type RegistryCommand,
} from './command.ts'
import { withTokens } from './token-database.ts'

interface Tokens {
  readonly accessTokens: AccessTokens
  readonly logins: Logins
}

/** `berth registry token`: secrets that stand in for a password. */
export const tokenCommand: RegistryCommand = {
  usage: 'create|rm|ls [NAME] --root DIR [OPTIONS]',
  summary: 'Manage the access tokens of a registry: create, rm, ls',
  options: {
    root: { kind: 'text', help: 'Directory of the registry' },
    user: {
      kind: 'text',
      short: 'u',
      help: 'Account it belongs to; without, it belongs to nobody and needs --scope',
    },
    scope: { kind: 'texts', help: 'With create: what it is good for, such as repository:team/*:pull,push' },
    expires: {
      kind: 'text',
      help: 'With create: how long it is good, such as 30d or 12h; without, for ever',
    },
    logins: { kind: 'switch', help: 'With ls and rm: what clients keep of a login instead of the password' },
    json: { kind: 'switch', help: 'With ls: one JSON object per line' },
  },
  min: 1,
  max: 2,
  async run(invocation, io) {
    const [verb = '', name] = invocation.args
    const action =
      verb === 'ls'
        ? list
        : name === undefined && invocation.options['logins'] !== true
          ? undefined
          : named[verb]
    if (action === undefined) {
      const known = verb === 'ls' || named[verb] !== undefined
      throw usageError(
        known
          ? `registry token ${verb}: name the token`
          : `registry token has no "${verb}"; there are create, rm and ls`,
      )
    }
    await withTokens(requiredText(invocation, 'root'), (tokens) => action(tokens, invocation, io))
  },
}

type Verb = (tokens: Tokens, invocation: CommandInvocation, io: CommandIo) => Promise<void> | void

const named: Readonly<Record<string, Verb>> = { create, rm: remove }

async function create({ accessTokens }: Tokens, invocation: CommandInvocation, io: CommandIo): Promise<void> {
  const [, name = ''] = invocation.args
  const account = textOf(invocation, 'user') ?? ''
  const secret = await accessTokens.create({
    account,
    name,
    scopes: textsOf(invocation, 'scope'),
    expires: expiryOf(textOf(invocation, 'expires')),
  })
  io.err(`Log in as ${account || name} with this token as password. It is shown only now:\n`)
  io.out(`${secret}\n`)
}

function expiryOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const duration = parseDuration(text)
  if (duration === undefined || duration === 0)
    throw usageError(`--expires ${text}: want a duration such as 30d or 12h`)
  return Date.now() + duration
}

async function remove(
  { accessTokens, logins }: Tokens,
  invocation: CommandInvocation,
  io: CommandIo,
): Promise<void> {
  const [, name] = invocation.args
  const account = textOf(invocation, 'user') ?? ''
  if (invocation.options['logins'] === true) {
    if (account === '' || name !== undefined)
      throw usageError('--logins ends all logins of --user, and takes no name')
    io.out(`${await logins.removeAll(account)}\n`)
    return
  }
  await accessTokens.remove(account, name ?? '')
  io.out(`${name}\n`)
}

function list({ accessTokens, logins }: Tokens, invocation: CommandInvocation, io: CommandIo): void {
  const account = textOf(invocation, 'user')
  const isWanted = (row: { readonly account: string }): boolean =>
    account === undefined || row.account === account
  const { rows, heads } =
    invocation.options['logins'] === true
      ? { rows: logins.list().filter(isWanted).map(loginRow), heads: loginHeads }
      : { rows: accessTokens.list().filter(isWanted).map(tokenRow), heads: tokenHeads }
  if (invocation.options['json'] === true) {
    for (const row of rows) io.out(`${JSON.stringify(row)}\n`)
    return
  }
  io.out(tableText([heads, ...rows.map((row) => Object.values(row).map((cell) => cell ?? '-'))]))
}

const tokenHeads = ['NAME', 'USER', 'SCOPES', 'CREATED', 'EXPIRES', 'LAST USED']

function tokenRow({ name, account, scopes, created, expires, used }: AccessToken) {
  return {
    name,
    user: account || null,
    scopes: scopes.map(formatScope).join(' ') || null,
    created: dateOf(created),
    expires: dateOf(expires),
    used: dateOf(used),
  }
}

const loginHeads = ['USER', 'CLIENT', 'ADDRESS', 'CREATED', 'EXPIRES', 'LAST USED']

function loginRow({ account, client, address, created, expires, used }: StoredLogin) {
  return {
    user: account || null,
    client: client || null,
    address,
    created: dateOf(created),
    expires: dateOf(expires),
    used: dateOf(used),
  }
}

/** To the minute, UTC. */
function dateOf(milliseconds: number | null | undefined): string | null {
  if (milliseconds === null || milliseconds === undefined) return null
  return `${new Date(milliseconds).toISOString().slice(0, 16)}Z`
}
