import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { FakeClock } from '#base/fake-clock.ts'
import { silentLogger } from '#base/logger.ts'
import { checkExposure } from './exposure.ts'
import { openSigningKey } from './signing-key.ts'
import { TlsFiles } from './tls-files.ts'

const directory = await mkdtemp(join(tmpdir(), 'berth-access-'))
after(() => rm(directory, { recursive: true }))

function certificate(name: string): { cert: string; key: string } {
  const [cert, key] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)]
  const fields = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30']
  execFileSync('openssl', ['req', ...fields, '-subj', `/CN=${name}`, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  })
  return { cert, key }
}

describe('openSigningKey()', () => {
  it('makes a key that only its owner may read, and finds it again', async () => {
    const path = join(directory, 'token-key.pem')
    const made = await openSigningKey(path)
    assert.equal((await stat(path)).mode & 0o777, 0o600)
    const found = await openSigningKey(path)
    assert.ok(found.privateKey.equals(made.privateKey) && found.publicKey.equals(made.publicKey))
    await chmod(path, 0o640)
    await assert.rejects(openSigningKey(path), /can be read by others/)
  })

  it('refuses what is no key, and says what to do', async () => {
    const path = join(directory, 'damaged.pem')
    await writeFile(path, '-----BEGIN PRIVATE KEY-----\n', { mode: 0o600 })
    await assert.rejects(openSigningKey(path), { code: 'SIGNING_KEY_INVALID', message: /remove it/ })
  })
})

describe('TlsFiles', () => {
  const first = certificate('first')
  const second = certificate('second')
  const now = new Date()
  const at = (days: number) => ({
    clock: new FakeClock(new Date(now.getTime() + days * 86_400_000)),
    logger: silentLogger,
  })

  it('checks what it is given before it is used', async () => {
    const { tls } = await TlsFiles.open({ ...first, clientCa: second.cert }, at(1))
    assert.deepEqual([tls.requestCert, tls.rejectUnauthorized, tls.minVersion], [true, true, 'TLSv1.2'])
    await assert.rejects(
      TlsFiles.open({ cert: first.cert, key: second.key }, at(1)),
      /is not the key of the certificate/,
    )
    await assert.rejects(TlsFiles.open(first, at(31)), /expired at/)
    await assert.rejects(TlsFiles.open(first, at(-1)), /good only from/)
    await assert.rejects(TlsFiles.open({ cert: first.key, key: first.key }, at(1)), {
      code: 'TLS_FILES_INVALID',
    })
    await assert.rejects(TlsFiles.open({ ...first, clientCa: first.key }, at(1)), {
      code: 'TLS_FILES_INVALID',
    })
    await assert.rejects(TlsFiles.open({ ...first, cert: '/nowhere' }, at(1)), /cannot read \/nowhere/)
  })

  it('takes over a change, and keeps what it has when the new files do not fit', async () => {
    const paths = certificate('changing')
    const options = at(1)
    const files = await TlsFiles.open(paths, options)
    const before = files.tls
    assert.equal(await files.reload(), false)

    const over = new AbortController()
    const applied: unknown[] = []
    const watching = files.watch(({ cert }) => applied.push(cert), { signal: over.signal })
    await writeFile(paths.cert, 'nonsense')
    assert.equal(await files.reload(), false)
    assert.equal(files.tls, before)
    certificate('changing')
    assert.equal(await files.reload(), true)
    assert.notEqual(files.tls.cert, before.cert)
    over.abort()
    await watching
  })
})

describe('checkExposure()', () => {
  const open = { hasTls: false, hasAccounts: false, insecureOpen: false }
  const cases: readonly (readonly [string, Partial<typeof open>, RegExp | undefined])[] = [
    ['127.0.0.1', {}, undefined],
    ['127.8.8.8', {}, undefined],
    ['[::1]', {}, undefined],
    ['localhost', {}, undefined],
    ['', {}, /every address without accounts .* and TLS .*everybody could push/],
    ['0.0.0.0', { hasTls: true }, /without accounts/],
    ['192.0.2.1', { hasAccounts: true }, /without TLS .*in the clear/],
    ['192.0.2.1', { hasAccounts: true, hasTls: true }, undefined],
    ['127.0.0.1.evil.test', {}, /refusing/],
    ['0.0.0.0', { insecureOpen: true }, undefined],
  ]
  for (const [host, given, text] of cases) {
    it(`${text === undefined ? 'allows' : 'refuses'} "${host}" ${JSON.stringify(given)}`, () => {
      const check = (): void => checkExposure({ ...open, host, ...given })
      if (text === undefined) check()
      else assert.throws(check, text)
    })
  }
})
