import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { parseListen, registryConfig, readRegistryConfig } from './config.ts'

describe('registryConfig()', () => {
  it('takes flags over the file, and the file over what is usual', () => {
    const file = { listen: '[::1]:5001', root: '/srv/file', limits: { manifest: '8MiB' } }
    const config = registryConfig({ root: '/srv/flag' }, file)
    assert.deepEqual(config.listen, { host: '::1', port: 5001 })
    assert.equal(config.root, '/srv/flag')
    assert.equal(config.limits.manifest, 8 << 20)
    assert.deepEqual(registryConfig({}).listen, { host: '127.0.0.1', port: 5000 })
  })

  it('refuses keys that it does not know, and names them', () => {
    assert.throws(() => registryConfig({}, { lisen: 'x' }), /lisen is not a setting/)
    assert.throws(() => registryConfig({}, { limits: { blobs: 1 } }), /limits\.blobs is not a setting/)
    assert.throws(() => registryConfig({}, { root: 3 }), /root: want a non-empty string/)
    assert.throws(() => registryConfig({ tlsCert: 'c.pem' }), /both tls-cert and tls-key/)
  })
})

describe('parseListen()', () => {
  it('reads addresses as people write them', () => {
    assert.deepEqual(parseListen(':5000'), { host: '', port: 5000 })
    assert.deepEqual(parseListen('5000'), { host: '', port: 5000 })
    assert.deepEqual(parseListen('localhost:0'), { host: 'localhost', port: 0 })
    for (const text of ['', 'x', '1.2.3.4', 'a:b', '::1:5000', '1.2.3.4:70000']) {
      assert.throws(() => parseListen(text), /want ADDRESS:PORT/, text)
    }
  })

  it('does not repeat what stands in a file that it cannot read', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'berth-config-')), 'config.json')
    writeFileSync(file, '{ "proxy": [{ "password": hunter2 }] }')
    await assert.rejects(readRegistryConfig({ config: file }), (error) => {
      assert.ok(error instanceof Error)
      assert.match(error.message, /not valid JSON/)
      assert.doesNotMatch(inspect(error), /hunter/)
      return true
    })
    rmSync(dirname(file), { recursive: true })
  })
})
