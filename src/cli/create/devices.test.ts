import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  checkDeviceRule,
  isCdiDevice,
  parseDevice,
  parseGpus,
  parseThrottle,
  parseUlimit,
  parseWeight,
} from './devices.ts'
import { endpointSettings, parseNetwork } from './networks.ts'

describe('parseDevice()', () => {
  it('reads host path, container path and permissions', () => {
    const device = (PathOnHost: string, PathInContainer: string, CgroupPermissions: string): object => ({
      PathOnHost,
      PathInContainer,
      CgroupPermissions,
    })
    assert.deepEqual(parseDevice('/dev/null'), device('/dev/null', '/dev/null', 'rwm'))
    assert.deepEqual(parseDevice('/dev/zero:/dev/z:rw'), device('/dev/zero', '/dev/z', 'rw'))
    assert.deepEqual(parseDevice('/dev/full:rm'), device('/dev/full', '/dev/full', 'rm'))
    assert.throws(() => parseDevice('/dev/null:/x:q'), { message: 'bad mode specified: q' })
    assert.throws(() => parseDevice('/dev/null:x'), { message: 'x is not an absolute path' })
    assert.equal(isCdiDevice('vendor.com/class=x'), true)
    assert.equal(isCdiDevice('/dev/null'), false)
  })

  it('checks rules, rates and weights', () => {
    assert.equal(checkDeviceRule('c 42:* rmw'), 'c 42:* rmw')
    assert.throws(() => checkDeviceRule('x'), /invalid device cgroup format 'x'/)
    assert.deepEqual(parseThrottle('/dev/sda:1mb', 'bytes'), { Path: '/dev/sda', Rate: 1048576 })
    assert.deepEqual(parseThrottle('/dev/sda:100', 'operations'), { Path: '/dev/sda', Rate: 100 })
    assert.throws(() => parseThrottle('sda:1', 'bytes'), { message: 'bad format for device path: sda:1' })
    assert.throws(() => parseThrottle('/dev/sda:x', 'operations'), /invalid rate for device: \/dev\/sda:x/)
    assert.deepEqual(parseWeight('/dev/sda:500'), { Path: '/dev/sda', Weight: 500 })
    assert.throws(() => parseWeight('/dev/sda:5'), /invalid weight/)
  })
})

describe('parseUlimit()', () => {
  it('takes the soft limit for both when it stands alone', () => {
    assert.deepEqual(parseUlimit('nofile=10:20'), { Name: 'nofile', Soft: 10, Hard: 20 })
    assert.deepEqual(parseUlimit('core=-1'), { Name: 'core', Soft: -1, Hard: -1 })
    assert.throws(() => parseUlimit('nofile=20:10'), /20 > 10/)
    assert.throws(() => parseUlimit('foo=1'), { message: 'invalid ulimit type: foo' })
    assert.throws(() => parseUlimit('nofile'), { message: 'invalid ulimit argument: nofile' })
  })
})

describe('parseGpus()', () => {
  it('asks for all, some, or particular ones', () => {
    assert.deepEqual(parseGpus('all'), {
      Driver: '',
      Count: -1,
      DeviceIDs: null,
      Capabilities: [['gpu']],
      Options: {},
    })
    assert.deepEqual(parseGpus('"device=0,2"').DeviceIDs, ['0', '2'])
    assert.deepEqual(parseGpus('driver=nvidia,count=2,capabilities=compute').Capabilities, [
      ['compute', 'gpu'],
    ])
    assert.throws(() => parseGpus('foo=1'), { message: "unexpected key 'foo' in 'foo=1'" })
  })
})

describe('parseNetwork()', () => {
  it('takes a name, or settings of the endpoint', () => {
    assert.equal(parseNetwork('container:x').target, 'container:x')
    const attachment = parseNetwork('name=app,alias=x,alias=y,driver-opt=a=b,ip=10.0.0.3,gw-priority=5')
    assert.equal(attachment.target, 'app')
    assert.deepEqual(endpointSettings(attachment), {
      IPAMConfig: { IPv4Address: '10.0.0.3' },
      Aliases: ['x', 'y'],
      DriverOpts: { a: 'b' },
      GwPriority: 5,
    })
    assert.throws(() => parseNetwork('name=app,foo=bar'), { message: 'invalid field key foo' })
    assert.throws(() => parseNetwork('alias=x'), /network name is required|add name=NETWORK/)
  })
})
