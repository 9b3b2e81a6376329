import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RunResult } from '#os/helper.ts'
import { ensureBridge } from './bridge.ts'

describe('ensureBridge()', () => {
  it('puts links into a bridge that is made again before it can ask them for anything', async () => {
    const done: string[] = []
    const run = async (argv: readonly string[], { stdin = '' } = {}): Promise<RunResult> => {
      done.push(...(stdin === '' ? [argv.join(' ')] : stdin.trim().split('\n')))
      return argv.includes('show')
        ? { code: 1, stdout: '', stderr: 'Device "br0" does not exist.' }
        : { code: 0, stdout: '', stderr: '' }
    }
    const sysctls = { read: async () => undefined, write: async () => undefined }
    const settings = { link: 'br0', mac: '02:00:00:00:00:01', mtu: 1500, addresses: ['10.0.0.1/24'] }
    const made = await ensureBridge({ helper: { run }, sysctls }, { ...settings, ports: ['veth1', 'veth2'] })
    assert.equal(made, 'made')
    assert.deepEqual(done.slice(1), [
      'link add name br0 address 02:00:00:00:00:01 type bridge',
      'link set dev veth1 master br0 up',
      'link set dev veth2 master br0 up',
      'link set dev br0 mtu 1500',
      'addr add 10.0.0.1/24 broadcast + dev br0',
      'link set dev br0 up',
    ])
  })
})
