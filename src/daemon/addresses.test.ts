import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseAddress } from './addresses.ts'

describe('parseAddress()', () => {
  it('reads sockets, with the group that may use them', async () => {
    assert.deepEqual(await parseAddress('unix:///run/x.sock', 'root'), {
      kind: 'unix',
      path: '/run/x.sock',
      gid: 0,
    })
    assert.deepEqual(await parseAddress('unix:///run/x.sock', '42'), {
      kind: 'unix',
      path: '/run/x.sock',
      gid: 42,
    })
    assert.deepEqual(await parseAddress('unix:///run/x.sock', 'no-such-group'), {
      kind: 'unix',
      path: '/run/x.sock',
      gid: undefined,
    })
  })

  it('reads hosts and ports; without a host it is loopback', async () => {
    assert.deepEqual(await parseAddress('tcp://:2375', ''), { kind: 'tcp', host: '127.0.0.1', port: 2375 })
    assert.deepEqual(await parseAddress('tcp://[::1]:2375', ''), { kind: 'tcp', host: '::1', port: 2375 })
    assert.deepEqual(await parseAddress('tcp://10.0.0.1:1', ''), { kind: 'tcp', host: '10.0.0.1', port: 1 })
  })

  it('reads descriptors that a supervisor opened', async () => {
    assert.deepEqual(await parseAddress('fd://', ''), { kind: 'fd', fd: 3 })
    assert.deepEqual(await parseAddress('fd://7', ''), { kind: 'fd', fd: 7 })
  })

  it('takes a host with a port for TCP, as dockerd does', async () => {
    assert.deepEqual(await parseAddress('127.0.0.1:2375', ''), { kind: 'tcp', host: '127.0.0.1', port: 2375 })
  })

  it('refuses everything else, with what it wants', async () => {
    const bad = [
      '',
      'x',
      'unix://relative',
      'tcp://host',
      'tcp://host:http',
      'fd://x',
      'ftp://x:1',
      'tcp://a:70000',
    ]
    for (const host of bad) {
      await assert.rejects(parseAddress(host, ''), {
        message: `invalid bind address "${host}": want unix:///PATH, tcp://HOST:PORT or fd://N`,
      })
    }
  })
})
