import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { doorSettings, readTlsFiles } from './door-settings.ts'
import { passedDescriptors } from './service-manager.ts'

describe('doorSettings()', () => {
  it('prefers flags to the file, and has defaults', () => {
    assert.deepEqual(doorSettings({}, {}), {
      hosts: ['unix:///run/berth/berth.sock'],
      readOnlyHosts: [],
      group: 'docker',
      tls: undefined,
    })
    const file = { hosts: ['unix:///a'], 'read-only-hosts': ['unix:///b'], group: 'ops' }
    assert.deepEqual(doorSettings({ host: ['unix:///c'] }, file), {
      hosts: ['unix:///c'],
      readOnlyHosts: ['unix:///b'],
      group: 'ops',
      tls: undefined,
    })
  })

  it('has TLS for holders of a certificate alone', () => {
    const tls = { ca: '/x/ca.pem', cert: '/etc/berth/cert.pem', key: '/etc/berth/key.pem' }
    for (const values of [
      { tlsverify: true, tlscacert: '/x/ca.pem' },
      { tls: true, tlscacert: '/x/ca.pem' },
      { tlscacert: '/x/ca.pem' },
    ]) {
      assert.deepEqual(doorSettings(values, {}).tls, tls)
      assert.deepEqual(doorSettings({}, values).tls, tls)
    }
    for (const values of [{ tls: true }, { tlsverify: false, tlscacert: '/x' }]) {
      assert.throws(() => doorSettings(values, {}), /holders of a certificate alone/)
    }
    assert.throws(() => doorSettings({}, { tlsverify: 'yes' }), /"tlsverify" must be a boolean/)
    assert.throws(() => doorSettings({}, { 'read-only-hosts': 'unix:///a' }), /must be a list of addresses/)
  })
})

describe('readTlsFiles()', () => {
  let root: string
  const at = (name: string): string => join(root, name)
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'berth-door-'))
    for (const name of ['a', 'b']) {
      const request =
        'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x'.split(' ')
      const files = ['-keyout', at(`${name}.key`), '-out', at(`${name}.crt`)]
      execFileSync('openssl', [...request, ...files], { stdio: 'ignore' })
    }
  })
  after(() => rmSync(root, { recursive: true }))
  const read = (cert: string, key: string) => readTlsFiles({ ca: at('a.crt'), cert: at(cert), key: at(key) })

  it('reads what belongs together', () => {
    assert.match(read('a.crt', 'a.key').key.toString(), /PRIVATE KEY/)
  })

  it('says which file cannot be used, and why', () => {
    assert.throws(() => read('b.crt', 'a.key'), /a\.key does not belong to tlscert .*b\.crt/)
    assert.throws(() => read('missing.crt', 'a.key'), /cannot read tlscert .*missing\.crt/)
    writeFileSync(at('torn.crt'), 'x')
    assert.throws(() => read('torn.crt', 'a.key'), /cannot use tlscert .*torn\.crt/)
    chmodSync(at('b.key'), 0o640)
    assert.throws(() => read('b.crt', 'b.key'), /b\.key may be read by others \(mode 640\): chmod 600/)
  })
})

describe('passedDescriptors()', () => {
  it('are those that were passed to this process', () => {
    assert.deepEqual(passedDescriptors({ LISTEN_PID: '7', LISTEN_FDS: '2' }, 7), ['fd://3', 'fd://4'])
    for (const [LISTEN_PID, LISTEN_FDS] of [
      ['8', '1'],
      ['7', '0'],
      ['7', 'x'],
    ]) {
      assert.throws(() => passedDescriptors({ LISTEN_PID, LISTEN_FDS }, 7), /no sockets were passed/)
    }
    assert.throws(() => passedDescriptors({}, 7), { code: 'ADDRESS_INVALID' })
  })
})
