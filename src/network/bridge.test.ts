import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RunResult } from '#os/helper.ts'
import { ensureBridge } from './bridge.ts'

const settings = { link: 'br0', mac: '02:00:00:00:00:01', mtu: 1500, addresses: ['10.0.0.1/24'] }

/** A host that shows its bridge like this, and what it is told to do. */
function host(shown: object | undefined) {
  const done: string[] = []
  const run = async (argv: readonly string[], { stdin = '' } = {}): Promise<RunResult> => {
    if (!argv.includes('show')) done.push(...stdin.trim().split('\n'))
    else if (shown === undefined) return { code: 1, stdout: '', stderr: 'Device "br0" does not exist.' }
    return { code: 0, stdout: JSON.stringify([shown]), stderr: '' }
  }
  const sysctls = { read: async () => undefined, write: async () => undefined }
  return { done, deps: { helper: { run }, sysctls } }
}

describe('ensureBridge()', () => {
  it('puts links into a bridge that is made again before it can ask them for anything', async () => {
    const { done, deps } = host(undefined)
    assert.equal(await ensureBridge(deps, { ...settings, ports: ['veth1', 'veth2'] }), 'made')
    assert.deepEqual(done, [
      'link add name br0 address 02:00:00:00:00:01 type bridge',
      'link set dev veth1 master br0 up',
      'link set dev veth2 master br0 up',
      'link set dev br0 mtu 1500',
      'addr add 10.0.0.1/24 broadcast + dev br0',
      'link set dev br0 up',
    ])
  })

  it('leaves what is on a bridge of somebody else’s', async () => {
    const { done, deps } = host({
      ifname: 'br0',
      address: '52:54:00:00:00:01',
      flags: ['UP'],
      mtu: 9000,
      linkinfo: { info_kind: 'bridge' },
      addr_info: [{ local: '192.0.2.1', prefixlen: 24, scope: 'global' }],
    })
    const written: string[] = []
    const write = async (value: string, ...key: string[]) => void written.push(`${key.join('.')}=${value}`)
    const sysctls = { read: async () => 'other', write }
    assert.equal(await ensureBridge({ ...deps, sysctls }, settings), 'mended')
    assert.deepEqual(done, ['addr add 10.0.0.1/24 broadcast + dev br0'])
    assert.deepEqual(written, ['net.ipv4.conf.br0.route_localnet=1'])
  })

  it('knows the link-local addresses that it has, and that an address has one prefix', async () => {
    const shown = {
      ifname: 'br0',
      address: settings.mac,
      flags: ['UP'],
      mtu: 1500,
      linkinfo: { info_kind: 'bridge' },
      addr_info: [
        { local: '10.0.0.1', prefixlen: 24, scope: 'global' },
        { local: 'fe80::1', prefixlen: 64, scope: 'link' },
        { local: 'fe80::5054:ff:fe00:1', prefixlen: 64, scope: 'link' },
      ],
    }
    const { done, deps } = host(shown)
    assert.equal(await ensureBridge(deps, { ...settings, addresses: ['10.0.0.1/24', 'fe80::1/64'] }), 'fine')
    await ensureBridge(deps, { ...settings, addresses: ['10.0.0.1/16', 'fe80::1/80'] })
    assert.deepEqual(done, [
      'addr del 10.0.0.1/24 dev br0',
      'addr del fe80::1/64 dev br0',
      'addr add 10.0.0.1/16 broadcast + dev br0',
      'addr add fe80::1/80 dev br0 nodad',
    ])
    const { done: lent, deps: other } = host({ ...shown, address: '52:54:00:00:00:01' })
    await ensureBridge(other, { ...settings, addresses: ['10.0.0.1/16', 'fe80::1/80'] })
    assert.deepEqual(lent, [])
  })

  it('changes nothing for what was seen while somebody else was making it', async () => {
    const { done, deps } = host({
      ifname: 'br0',
      address: settings.mac,
      flags: ['UP'],
      mtu: 1500,
      linkinfo: { info_kind: 'bridge' },
      addr_info: [{ local: '10.0.0.1', prefixlen: 24, scope: 'global' }],
    })
    const state = { kind: 'bridge', mac: settings.mac, up: false, mtu: 1500, addresses: [] }
    assert.equal(await ensureBridge(deps, settings, { state }), 'fine')
    assert.deepEqual(done, [])
  })
})
