import type { AccessToken } from '../access/access-tokens.ts'
import type { StoredLogin } from '../access/logins.ts'
import { formatScope } from '../access/scope.ts'
import { defaults } from '../config.ts'
import { parseDuration } from '../settings/units.ts'
import {
  tableText,
  textOf,
  textsOf,
  usageError,
  type CommandInvocation,
  type CommandOption,
  type RegistryCommand,
} from './command.ts'
import { withTokens } from './token-database.ts'

const root: CommandOption = {
  kind: 'text',
  value: 'DIR',
  help: `Directory of the registry (default ${defaults.root})`,
}
const rootOf = (invocation: CommandInvocation): string => textOf(invocation, 'root') ?? defaults.root

export const tokenCreate: RegistryCommand = {
  usage: 'NAME [--user NAME] [--scope SCOPE ...] [--expires TIME] [--root DIR]',
  summary: 'Make an access token, which stands in for a password',
  min: 1,
  max: 1,
  options: {
    root,
    user: {
      kind: 'text',
      value: 'NAME',
      help: 'Account it belongs to; without, its scopes are all its rights',
    },
    scope: {
      kind: 'texts',
      value: 'SCOPE',
      help: 'What it is good for; without, whatever its account may do',
    },
    expires: {
      kind: 'text',
      value: 'TIME',
      help: 'How long it is good, such as 30d or 12h; without, for ever',
    },
  },
  more: `Scopes are repository:PATTERN:ACTIONS with pull, push and delete, such as
  repository:team/*:pull,push     (team/** also covers what is deeper)
`,
  async run(invocation, io) {
    const [name = ''] = invocation.args
    const account = textOf(invocation, 'user') ?? ''
    const scopes = textsOf(invocation, 'scope').flatMap((text) => text.split(' '))
    const expires = expiryOf(textOf(invocation, 'expires'))
    const secret = await withTokens(rootOf(invocation), ({ accessTokens }) =>
      accessTokens.create({ account, name, scopes, expires }),
    )
    io.err(`Log in as ${account || name} with this as password. It is shown only now:\n`)
    io.out(`${secret}\n`)
  },
}

export const tokenRm: RegistryCommand = {
  usage: 'NAME [--user NAME] [--root DIR] | --logins --user NAME [--root DIR]',
  summary: 'Remove an access token, and end what was logged in with it',
  min: 0,
  max: 1,
  options: {
    root,
    user: { kind: 'text', value: 'NAME', help: 'Account it belongs to' },
    logins: { kind: 'switch', help: 'End all logins that clients keep for --user' },
  },
  async run(invocation, io) {
    const [name = ''] = invocation.args
    const account = textOf(invocation, 'user') ?? ''
    if ((name === '') !== (invocation.options['logins'] === true) || (name === '' && account === '')) {
      throw usageError('name the token, or say --logins --user NAME')
    }
    await withTokens(rootOf(invocation), async ({ accessTokens, logins }) => {
      if (name === '') io.out(`${await logins.removeAll(account)}\n`)
      else {
        await accessTokens.remove(account, name)
        io.out(`${name}\n`)
      }
    })
  },
}

export const tokenLs: RegistryCommand = {
  usage: '[--user NAME] [--logins] [--json] [--root DIR]',
  summary: 'List access tokens, or what clients keep of logins',
  min: 0,
  max: 0,
  options: {
    root,
    user: { kind: 'text', value: 'NAME', help: 'Of this account only' },
    logins: { kind: 'switch', help: 'What clients keep of a login instead of the password' },
    json: { kind: 'switch', help: 'One JSON object per line' },
  },
  async run(invocation, io) {
    const account = textOf(invocation, 'user')
    const isWanted = (row: { readonly account: string }): boolean =>
      account === undefined || row.account === account
    const { heads, rows } = await withTokens(rootOf(invocation), ({ accessTokens, logins }) =>
      invocation.options['logins'] === true
        ? { heads: loginHeads, rows: logins.list().filter(isWanted).map(loginRow) }
        : { heads: tokenHeads, rows: accessTokens.list().filter(isWanted).map(tokenRow) },
    )
    const table = (): string =>
      tableText([heads, ...rows.map((row) => Object.values(row).map((cell) => cell ?? '-'))])
    io.out(
      invocation.options['json'] === true ? rows.map((row) => `${JSON.stringify(row)}\n`).join('') : table(),
    )
  },
}

function expiryOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const duration = parseDuration(text)
  if (duration === undefined || duration === 0)
    throw usageError(`--expires ${text}: want a time such as 30d or 12h`)
  return Date.now() + duration
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
