import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { liftCreate } from './container-requests.ts'

const refused = (error: unknown): boolean => isKind(error, 'invalid_argument')

describe('liftCreate()', () => {
  it('gives old clients the defaults of their time', () => {
    const created = { Image: 'demo', HostConfig: {} }
    assert.deepEqual(liftCreate(created, '1.39'), {
      Image: 'demo',
      HostConfig: { IpcMode: 'shareable', CgroupnsMode: 'host' },
    })
    assert.deepEqual(liftCreate(created, '1.40'), { Image: 'demo', HostConfig: { CgroupnsMode: 'host' } })
    assert.deepEqual(liftCreate(created, '1.41'), created)
  })

  it('keeps read-only binds flat before 1.44', () => {
    const body = { HostConfig: { Mounts: [{ Type: 'bind', Source: '/a', Target: '/b', ReadOnly: true }] } }
    assert.deepEqual(liftCreate(body, '1.43'), {
      HostConfig: { Mounts: [{ ...body.HostConfig.Mounts[0], BindOptions: { ReadOnlyNonRecursive: true } }] },
    })
    assert.deepEqual(liftCreate(body, '1.44'), body)
    const binds = { HostConfig: { Binds: ['/a:/b:ro'] } }
    assert.deepEqual(liftCreate(binds, '1.43'), { ...binds, ShallowReadOnlyBinds: true })
    assert.deepEqual(liftCreate(binds, '1.44'), binds)
  })

  it('drops options of another mount type before 1.42 only', () => {
    const mount = { Type: 'tmpfs', Target: '/t', BindOptions: { Propagation: 'private' } }
    const body = { HostConfig: { Mounts: [mount] } }
    assert.deepEqual(liftCreate(body, '1.41'), {
      HostConfig: { Mounts: [{ Type: 'tmpfs', Target: '/t' }] },
    })
    assert.deepEqual(liftCreate(body, '1.42'), body)
  })

  it('moves the address of the container to its main network until 1.51', () => {
    const body = { MacAddress: '02:00:00:00:00:01', HostConfig: { NetworkMode: 'backend' } }
    assert.deepEqual(liftCreate(body, '1.51'), {
      HostConfig: { NetworkMode: 'backend' },
      NetworkingConfig: { EndpointsConfig: { backend: { MacAddress: '02:00:00:00:00:01' } } },
    })
    assert.deepEqual(liftCreate({ ...body, HostConfig: { NetworkMode: 'host' } }, '1.51'), {
      HostConfig: { NetworkMode: 'host' },
    })
    const byId = { ...body, NetworkingConfig: { EndpointsConfig: { f00: { IPAMConfig: {} } } } }
    assert.deepEqual(liftCreate(byId, '1.43'), {
      HostConfig: { NetworkMode: 'backend' },
      NetworkingConfig: { EndpointsConfig: { f00: { IPAMConfig: {}, MacAddress: '02:00:00:00:00:01' } } },
    })
    const conflicting = { EndpointsConfig: { backend: { MacAddress: '02:00:00:00:00:02' } } }
    assert.throws(() => liftCreate({ ...body, NetworkingConfig: conflicting }, '1.44'), refused)
  })

  it('refuses what that version has no words for rather than doing something else', () => {
    const subpath = { Type: 'volume', Target: '/v', VolumeOptions: { Subpath: 'a' } }
    assert.throws(() => liftCreate({ HostConfig: { Mounts: [subpath] } }, '1.44'), refused)
    assert.throws(() => liftCreate({ HostConfig: { Mounts: [{ Type: 'image' }] } }, '1.47'), refused)
    const two = { EndpointsConfig: { a: {}, b: {} } }
    assert.throws(() => liftCreate({ NetworkingConfig: two }, '1.43'), /multiple network endpoints/)
    assert.deepEqual(liftCreate({ NetworkingConfig: two }, '1.44'), { HostConfig: {}, NetworkingConfig: two })
  })
})
