import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, describe, it } from 'node:test'
import { silentLogger } from '#base/logger.ts'
import { openCatalogue } from '../storage/catalogue.ts'
import type { CommandInvocation, RegistryCommand } from './command.ts'
import { tokenCommand } from './token.ts'
import { userCommand } from './user.ts'

const directory = await mkdtemp(join(tmpdir(), 'berth-commands-'))
after(() => rm(directory, { recursive: true }))
const htpasswd = [join(directory, 'htpasswd')]
const root = [directory]
await openCatalogue(join(directory, 'registry.db'), { logger: silentLogger })[Symbol.asyncDispose]()

interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

async function run(
  command: RegistryCommand,
  args: string,
  options: CommandInvocation['options'],
  input: { readonly stdin?: string; readonly typed?: readonly string[] } = {},
): Promise<Outcome> {
  const said = { out: '', err: '' }
  const typed = [...(input.typed ?? [])]
  const stdin: Readable & { isTTY?: boolean } = Readable.from(
    input.stdin === undefined ? [] : [Buffer.from(input.stdin)],
  )
  if (input.typed !== undefined) stdin.isTTY = true
  const code = await command.run(
    { args: args.split(' '), options },
    {
      stdin,
      out: (text) => (said.out += text),
      err: (text) => (said.err += text),
      secret: () => Promise.resolve(typed.shift() ?? ''),
      signal: new AbortController().signal,
      onHangUp: () => ({ [Symbol.dispose]: () => undefined }),
    },
  )
  return { code: code ?? 0, ...said }
}

describe('berth registry user', () => {
  it('adds, lists, changes and removes accounts', async () => {
    assert.equal(
      (await run(userCommand, 'add bob', { htpasswd, 'password-stdin': true }, { stdin: 'secret\n' })).out,
      'bob\n',
    )
    await run(userCommand, 'add ann', { htpasswd }, { typed: ['secret', 'secret'] })
    await run(userCommand, 'passwd ann', { htpasswd }, { stdin: 'other' })
    assert.deepEqual(await run(userCommand, 'ls', { htpasswd }), { code: 0, out: 'ann\nbob\n', err: '' })
    assert.match((await run(userCommand, 'rm bob', { htpasswd })).err, /--root DIR removes them/)
    assert.equal((await run(userCommand, 'ls', { htpasswd })).out, 'ann\n')
  })

  it('says what is wrong', async () => {
    await assert.rejects(run(userCommand, 'add x', { htpasswd }, { typed: ['a', 'b'] }), /differ/)
    await assert.rejects(run(userCommand, 'add x', { htpasswd }, { stdin: '\n' }), {
      code: 'PASSWORD_INVALID',
    })
    await assert.rejects(run(userCommand, 'add', { htpasswd }), /name the account/)
    await assert.rejects(run(userCommand, 'grow x', { htpasswd }), /has no "grow"/)
    await assert.rejects(run(userCommand, 'ls', {}), /--htpasswd is needed/)
    const bad = [join(directory, 'bad')]
    await writeFile(bad[0] ?? '', 'eve:{SHA}x\n')
    const { code, err } = await run(userCommand, 'ls', { htpasswd: bad })
    assert.deepEqual([code, err.slice(0, 12)], [1, 'line 1 (eve)'])
  })
})

describe('berth registry token', () => {
  it('creates, lists and removes tokens, and shows a secret once', async () => {
    const scope = ['repository:team/*:pull,push', 'repository:base:pull']
    const made = await run(tokenCommand, 'create laptop', { root, user: ['ann'], expires: ['30d'] })
    assert.match(made.out, /^brt_[\w-]{43}\n$/)
    assert.match(made.err, /Log in as ann/)
    await run(tokenCommand, 'create ci', { root, scope })
    const { out } = await run(tokenCommand, 'ls', { root })
    assert.match(
      out,
      /^NAME +USER +SCOPES +CREATED +EXPIRES +LAST USED\nci +- +repository:team\/\*:pull,push repository:base:pull +\S+Z +- +-\nlaptop +ann +- +\S+Z +\S+Z +-\n$/,
    )
    const json = (await run(tokenCommand, 'ls', { root, json: true, user: ['ann'] })).out
    assert.deepEqual(Object.entries(JSON.parse(json) as object).slice(0, 3), [
      ['name', 'laptop'],
      ['user', 'ann'],
      ['scopes', null],
    ])
    await run(tokenCommand, 'rm ci', { root })
    await run(userCommand, 'rm ann', { htpasswd, root })
    assert.equal((await run(tokenCommand, 'ls', { root, json: true })).out, '')
    assert.match((await run(tokenCommand, 'ls', { root, logins: true })).out, /^USER +CLIENT/)
    assert.equal((await run(tokenCommand, 'rm', { root, logins: true, user: ['ann'] })).out, '0\n')
  })

  it('says what is wrong', async () => {
    await assert.rejects(run(tokenCommand, 'create', { root }), /name the token/)
    await assert.rejects(run(tokenCommand, 'grow x', { root }), /has no "grow"/)
    await assert.rejects(run(tokenCommand, 'create x', { root }), { code: 'TOKEN_SCOPE_INVALID' })
    await assert.rejects(
      run(tokenCommand, 'create x', { root, user: ['ann'], expires: ['soon'] }),
      /want a duration/,
    )
    await assert.rejects(run(tokenCommand, 'rm x', { root }), { code: 'TOKEN_NOT_FOUND' })
    await assert.rejects(run(tokenCommand, 'ls', { root: [join(directory, 'nowhere')] }), {
      code: 'REGISTRY_NOT_FOUND',
    })
    await assert.rejects(run(tokenCommand, 'rm x', { root, logins: true, user: ['ann'] }), /takes no name/)
  })
})
