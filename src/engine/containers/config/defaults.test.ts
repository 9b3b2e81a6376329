import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { HostConfig } from '#api/generated/types.ts'
import { assertGolden } from '#test/golden/spec/golden.ts'
import { completeHostConfig } from './defaults.ts'

const machine = { cgroupVersion: 'v2' } as const
const complete = (given: HostConfig) => completeHostConfig(given, { machine })

describe('completeHostConfig()', () => {
  it('gives the document of golden/spec/host-config.json for nothing', () => {
    assertGolden('host-config', complete({}))
  })

  it('is idempotent', () => {
    const given: HostConfig = { Memory: 1e8, Privileged: true, NetworkMode: 'default', Tmpfs: { '/x': '' } }
    assert.deepEqual(complete(complete(given)), complete(given))
  })

  it('takes nulls for nothing', () => {
    const keys = Object.keys(complete({}))
    const nulls = Object.fromEntries(keys.map((key) => [key, null])) as unknown as HostConfig
    assert.deepEqual(complete(nulls), complete({}))
  })

  it('names both parts of a port binding', () => {
    const { PortBindings } = complete({
      PortBindings: { '80/tcp': [{ HostPort: '8080' }, {}], '81/tcp': null },
    })
    const bound = [
      { HostIp: '', HostPort: '8080' },
      { HostIp: '', HostPort: '' },
    ]
    assert.deepEqual(PortBindings, { '80/tcp': bound, '81/tcp': null })
  })

  it('sets the swap limit to twice the memory limit', () => {
    assert.equal(complete({ Memory: 1e8 }).MemorySwap, 2e8)
    assert.equal(complete({ Memory: 1e8, MemorySwap: -1 }).MemorySwap, -1)
  })

  it('hides nothing in a privileged container, and says that labels are off', () => {
    const { MaskedPaths, ReadonlyPaths, SecurityOpt } = complete({ Privileged: true })
    assert.deepEqual([MaskedPaths, ReadonlyPaths, SecurityOpt], [null, null, ['label=disable']])
  })

  it('GHSA-6fw5-f8r9-fgfm: masks the thermal paths of this machine', () => {
    const thermalThrottlePaths = ['/sys/devices/system/cpu/cpu0/thermal_throttle']
    const { MaskedPaths } = completeHostConfig({}, { machine: { ...machine, thermalThrottlePaths } })
    assert.equal(MaskedPaths?.at(-1), thermalThrottlePaths[0])
  })

  it('keeps empty lists of hidden paths', () =>
    assert.deepEqual(complete({ MaskedPaths: [] }).MaskedPaths, []))

  it('brings shares into the bounds of the kernel', () => {
    assert.deepEqual(
      [1, 1e6, 0].map((CpuShares) => complete({ CpuShares }).CpuShares),
      [2, 262_144, 0],
    )
  })

  it('uses the namespace of the host for cgroups on v1', () => {
    assert.equal(completeHostConfig({}, { machine: { cgroupVersion: 'v1' } }).CgroupnsMode, 'host')
    for (const [cgroupVersion, expected] of [
      ['v1', 'host'],
      ['v2', 'private'],
    ] as const) {
      const defaults = { machine: { cgroupVersion }, cgroupnsMode: 'private' } as const
      assert.equal(completeHostConfig({ Privileged: true }, defaults).CgroupnsMode, expected)
      assert.equal(completeHostConfig({}, defaults).CgroupnsMode, 'private')
    }
  })

  it('shows the rotation of the daemon, under what the container says', () => {
    const rotation = { 'max-size': '10', 'max-file': '3' }
    const log = { driver: 'local', options: { compress: 'false' }, rotation }
    const config = (given: HostConfig) => completeHostConfig(given, { machine, log }).LogConfig
    assert.deepEqual(config({}), { Type: 'local', Config: { compress: 'false' } })
    assert.deepEqual(config({ LogConfig: { Type: 'json-file' } }), { Type: 'json-file', Config: rotation })
    assert.deepEqual(config({ LogConfig: { Type: 'json-file', Config: { 'max-size': '5' } } })?.Config, {
      'max-size': '5',
      'max-file': '3',
    })
    assert.deepEqual(config({ LogConfig: { Type: 'none' } }), { Type: 'none', Config: {} })
  })
})
