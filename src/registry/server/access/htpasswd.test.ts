import assert from 'node:assert/strict'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { FakeClock } from '#base/fake-clock.ts'
import { jsonLogger, silentLogger } from '#base/logger.ts'
import { HtpasswdFile } from './htpasswd-file.ts'
import { checkAccountName, checkPassword, parseHtpasswd, withAccount, withoutAccount } from './htpasswd.ts'

const TAIL = 'KtzRbeyMRP5Eau7/ZnwqBOLiSoL5gILDpD6hTUWopF4xz70hT5BGC'
const good = `$2y$05$${TAIL}`

describe('parseHtpasswd()', () => {
  it('takes bcrypt in its three spellings, comments and empty lines', () => {
    const text = `# ours\n\nann:$2y$05$${TAIL}\r\nbob:$2b$10$${TAIL}\n  eve:$2a$12$${TAIL}`
    const { accounts, refused } = parseHtpasswd(text)
    assert.deepEqual([[...accounts.keys()], refused], [['ann', 'bob', 'eve'], []])
  })

  it('refuses everything else by line, and shows no secret', () => {
    const lines = [
      'md5:$apr1$Q1w2E3r4$SECRETSECRETSECRETSEC.',
      'sha:{SHA}SECRETSECRETSECRETSECRETSEC=',
      'sha512:$6$salt$SECRET',
      'plain:SECRET',
      'SECRETwithoutcolon',
      ':SECRET',
      'x y:SECRET',
      'short:$2y$05$SECRET',
      `slow:$2y$31$${TAIL}`,
      `anonymous:${good}`,
      `ann:${good}`,
      `ann:${good}`,
    ]
    const { accounts, refused } = parseHtpasswd(lines.join('\n'))
    assert.deepEqual([...accounts.keys()], ['ann'])
    assert.deepEqual(
      refused.map((text) => /^line (\d+)/.exec(text)?.[1]),
      ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '12'],
    )
    assert.match(refused[0] ?? '', /^line 1 \(md5\): MD5 is not accepted, only bcrypt/)
    assert.doesNotMatch(refused.join(), /SECRET/)
  })

  it('writing keeps other lines as they are', () => {
    const text = `# head\nann:${good}\nanna:${good}\n`
    assert.equal(withAccount(text, { name: 'ann', hash: 'new' }), `# head\nann:new\nanna:${good}\n`)
    assert.equal(withAccount('a:x', { name: 'b', hash: 'y' }), 'a:x\nb:y\n')
    assert.equal(withAccount('', { name: 'b', hash: 'y' }), 'b:y\n')
    assert.equal(withoutAccount(text, 'ann'), `# head\nanna:${good}\n`)
  })

  it('names and passwords have bounds', () => {
    for (const name of ['', 'a b', 'a:b', 'a/b', '*', 'anonymous', '#a', 'a\n', 'x'.repeat(129)]) {
      assert.throws(() => checkAccountName(name), { code: 'ACCOUNT_NAME_INVALID' }, name)
    }
    for (const password of ['', 'x'.repeat(73), 'ä'.repeat(37), 'a\0b', 'brt_x']) {
      assert.throws(() => checkPassword(password), { code: 'PASSWORD_INVALID' })
    }
    checkAccountName('ann@example.org')
    checkPassword('ä'.repeat(36))
  })
})

describe('HtpasswdFile', () => {
  it('sees a change within a second, and stays with what it knows while the file is away', async () => {
    await using directory = await scratch()
    const path = join(directory.path, 'htpasswd')
    await writeFile(path, `ann:${good}\n`)
    const clock = new FakeClock()
    const lines: string[] = []
    const logger = jsonLogger((line) => lines.push(line), 'error')
    const file = await HtpasswdFile.open(path, { clock, logger })
    const names = async (): Promise<string[]> => [...(await file.all()).keys()]

    await writeFile(`${path}.new`, `bob:${good}\nbad:SECRET\n`)
    await rename(`${path}.new`, path)
    assert.deepEqual(await names(), ['ann'])
    await clock.advance(1000)
    assert.deepEqual(await Promise.all([names(), names()]), [['bob'], ['bob']])
    await rm(path)
    await clock.advance(1000)
    assert.deepEqual(await names(), ['bob'])
    assert.equal(lines.length, 2)
    assert.match(lines[0] ?? '', /line 2 \(bad\)/)
    assert.doesNotMatch(lines.join(), /SECRET/)
  })

  it('does not open with lines that are not accepted, or without a file', async () => {
    await using directory = await scratch()
    const path = join(directory.path, 'htpasswd')
    const options = { clock: new FakeClock(), logger: silentLogger }
    await assert.rejects(HtpasswdFile.open(path, options), { code: 'HTPASSWD_INVALID' })
    await writeFile(path, `ann:${good}\nbob:plain\n`)
    await assert.rejects(HtpasswdFile.open(path, options), /line 2 \(bob\)/)
  })
})

async function scratch(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'berth-htpasswd-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}
