import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseLocalOptions } from './local-options.ts'

const parse = (options: Record<string, string>) => parseLocalOptions('data', options)

describe('parseLocalOptions()', () => {
  it('without options is a directory of ours', () => {
    assert.deepEqual(parse({}), { mount: undefined, size: undefined })
  })

  it('takes the flags of mount(8) out of o and leaves the rest to the filesystem', () => {
    assert.deepEqual(
      parse({ type: 'tmpfs', device: 'tmpfs', o: 'size=100m,uid=1000,noexec,nosuid,ro,rw' }).mount,
      {
        type: 'tmpfs',
        source: 'tmpfs',
        flags: 8 | 2,
        data: 'size=100m,uid=1000',
      },
    )
    const bind = { type: 'none', source: '/srv/data', flags: 4096 | 16384 | 1, data: '' }
    assert.deepEqual(parse({ type: 'none', device: '/srv/data', o: 'rbind,ro,rshared' }).mount, bind)
    const nfs = { type: 'nfs4', source: ':/export', flags: 1024, data: 'addr=10.0.0.1,nolock,soft' }
    assert.deepEqual(
      parse({ type: 'nfs4', device: ':/export', o: 'addr=10.0.0.1,nolock,soft,noatime' }).mount,
      nfs,
    )
  })

  it('reads sizes, as an option or as a word of o', () => {
    assert.equal(parse({ size: '10G' }).size, 10 * 2 ** 30)
    assert.equal(parse({ o: 'size=1.5m' }).size, 1.5 * 2 ** 20)
    assert.equal(parse({ size: '4096' }).size, 4096)
  })

  it('refuses with Docker’s words', () => {
    const refused = (options: Record<string, string>, message: string) =>
      assert.throws(() => parse(options), { kind: 'invalid_argument', message: `create data: ${message}` })
    refused({ colour: 'red' }, 'invalid option: "colour"')
    refused({ type: 'tmpfs' }, 'missing required option: "device"')
    refused({ device: '/dev/sda1' }, 'missing required option: "type"')
    refused({ o: 'uid=5' }, 'missing required option: "device"')
    refused({ o: 'ro', device: '/x' }, 'missing required option: "type"')
    refused({ size: '0' }, "invalid size: '0'")
    refused({ size: 'all' }, "invalid size: 'all'")
    refused(
      { type: 'none', o: 'bind', device: 'relative' },
      'the device of a bind must be an absolute path: relative',
    )
    refused({ type: 'none', o: 'bind,remount', device: '/x' }, 'invalid option: "remount"')
    refused(
      { type: 'tmpfs', device: 'tmpfs', size: '1G' },
      'size limits a directory of the engine, not what type and device mount',
    )
  })
})
