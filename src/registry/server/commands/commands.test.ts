import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, describe, it } from 'node:test'
import { silentLogger } from '#base/logger.ts'
import { main } from '../program.ts'
import { openCatalogue } from '../storage/catalogue.ts'

const root = await mkdtemp(join(tmpdir(), 'berth-commands-'))
after(() => rm(root, { recursive: true }))
const htpasswd = join(root, 'htpasswd')
await openCatalogue(join(root, 'registry.db'), { logger: silentLogger })[Symbol.asyncDispose]()

interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** `line` is split at spaces. `stdin` is a file's content, or lines that are typed on a terminal. */
async function run(line: string, stdin: string | readonly string[] = ''): Promise<Outcome> {
  const said = { out: '', err: '' }
  const typed = typeof stdin === 'string' ? [] : [...stdin]
  const input: Readable & { isTTY?: boolean } = Readable.from([
    Buffer.from(typeof stdin === 'string' ? stdin : ''),
  ])
  input.isTTY = typeof stdin !== 'string'
  const code = await main(line.split(' '), {
    stdin: input,
    out: (text) => (said.out += text),
    err: (text) => (said.err += text),
    secret: () => Promise.resolve(typed.shift() ?? ''),
    signal: new AbortController().signal,
    onHangUp: () => ({ [Symbol.dispose]: () => undefined }),
  })
  return { code, ...said }
}

describe('berth registry user', () => {
  const at = `--htpasswd ${htpasswd}`

  it('adds, lists, changes and removes accounts', async () => {
    assert.deepEqual(await run(`user add bob ${at} --password-stdin`, 'secret\n'), {
      code: 0,
      out: 'bob\n',
      err: '',
    })
    assert.deepEqual(await run(`user passwd bob ${at}`, 'other'), { code: 0, out: 'bob\n', err: '' })
    await run(`user add ann ${at}`, 'secret')
    assert.deepEqual(await run(`user ls ${at}`), { code: 0, out: 'ann\nbob\n', err: '' })
    assert.match((await run(`user rm bob ${at}`)).err, /--root DIR removes them/)
    assert.equal((await run(`user ls ${at}`)).out, 'ann\n')
  })

  it('asks twice on a terminal', async () => {
    assert.equal((await run(`user passwd ann ${at}`, ['new secret', 'new secret'])).out, 'ann\n')
    assert.match((await run(`user passwd ann ${at}`, ['a', 'b'])).err, /differ; nothing was changed/)
  })

  it('says what is wrong', async () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      [`user add ann ${at}`, /there is an account ann already/],
      [`user add x/y ${at}`, /cannot be the name of an account/],
      [`user rm x ${at}`, /there is no account x/],
      ['user ls', /--htpasswd is needed/],
      [`user add ${at}`, /usage: berth registry user add NAME/],
    ]
    for (const [line, text] of cases) {
      const { code, err } = await run(line, 'secret')
      assert.equal(code, 1)
      assert.match(err, text)
    }
    assert.match((await run(`user add x ${at}`, '\n')).err, /the password is empty/)
    await writeFile(join(root, 'bad'), 'eve:{SHA}x\n')
    const { code, err } = await run(`user ls --htpasswd ${join(root, 'bad')}`)
    assert.deepEqual([code, err.slice(0, 12)], [1, 'line 1 (eve)'])
  })
})

describe('berth registry token', () => {
  const at = `--root ${root}`

  it('creates, lists and removes tokens, and shows a secret once', async () => {
    const made = await run(`token create laptop --user ann --expires 30d ${at}`)
    assert.match(made.out, /^brt_[\w-]{43}\n$/)
    assert.match(made.err, /Log in as ann/)
    await run(`token create ci --scope repository:team/*:pull,push --scope repository:base:pull ${at}`)
    const { out } = await run(`token ls ${at}`)
    const [heads = '', ci = '', laptop = ''] = out.split('\n')
    assert.match(heads, /^NAME +USER +SCOPES +CREATED +EXPIRES +LAST USED$/)
    assert.match(ci, /^ci +- +repository:team\/\*:pull,push repository:base:pull +\S+Z +- +-$/)
    assert.match(laptop, /^laptop +ann +- +\S+Z +\S+Z +-$/)
    assert.ok(!out.includes('brt_'))
    const json = JSON.parse((await run(`token ls --json --user ann ${at}`)).out) as Record<string, unknown>
    assert.deepEqual([json['name'], json['user'], json['scopes']], ['laptop', 'ann', null])
    assert.equal((await run(`token rm ci ${at}`)).out, 'ci\n')
    await run(`user rm ann --htpasswd ${htpasswd} ${at}`)
    assert.equal((await run(`token ls --json ${at}`)).out, '')
    assert.match((await run(`token ls --logins ${at}`)).out, /^USER +CLIENT/)
    assert.equal((await run(`token rm --logins --user ann ${at}`)).out, '0\n')
  })

  it('says what is wrong', async () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      [`token create x ${at}`, /has only the rights of its scopes/],
      [`token create x --scope repository:A:pull ${at}`, /cannot be a repository/],
      [`token create x --user ann --expires soon ${at}`, /want a time such as 30d/],
      [`token rm x ${at}`, /there is no token x/],
      [`token rm ${at}`, /name the token/],
      [`token rm x --logins --user ann ${at}`, /name the token/],
      [`token ls --root ${join(root, 'nowhere')}`, /there is no registry in/],
    ]
    for (const [line, text] of cases) assert.match((await run(line)).err, text, line)
  })
})
