import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { EngineError } from '#base/errors.ts'
import { silentLogger } from '#base/logger.ts'
import type { Helper } from '#os/helper.ts'
import type { VolumeRow } from '#store/volumes.ts'
import type { VolumePlugins } from './volume-plugins.ts'
import type { VolumeDirectories } from './volume-directories.ts'
import { VolumeMounts } from './volume-mounts.ts'

const row = (options: Record<string, string>, driver = 'local'): VolumeRow => ({
  name: 'data',
  driver,
  labels: {},
  options,
  createdAt: '',
  origin: {},
  project: null,
})
const tmpfs = row({ type: 'tmpfs', device: 'tmpfs', o: 'ro' })
const holder = { pid: 7, startTime: '42', path: '/run/c/x/pins/0' }

let calls: string[]
let failing: Set<string>
let mounts: VolumeMounts

function called(name: string, ...args: readonly unknown[]): void {
  calls.push([name, ...args].join(' '))
  if (failing.has(name))
    throw new EngineError('internal', `${name}: x: Device or resource busy`, { code: 'SYSTEM_CALL_FAILED' })
}

function start(): void {
  const helper = {
    mountVolume: async (target: string, { type }: { type: string }) => called('mount', type, target),
    copyMount: async ({ pid }: { pid: number }, source: string, target: string) =>
      called('copy', pid, source, target),
    unmount: async (target: string) => called('unmount', target),
  } as unknown as Helper
  const plugin = {
    mount: async (name: string, id: string) => (called('plugin-mount', name, id), '/mnt/theirs'),
    unmount: async (name: string, id: string) => called('plugin-unmount', name, id),
  }
  mounts = new VolumeMounts({
    root: '/m',
    helper,
    directories: { data: (name: string) => `/volumes/${name}/_data` } as VolumeDirectories,
    plugins: { get: async () => plugin } as unknown as VolumePlugins,
    logger: silentLogger,
  })
}

beforeEach(() => {
  calls = []
  failing = new Set()
  start()
})

describe('VolumeMounts', () => {
  it('has nothing to do for a directory', async () => {
    assert.deepEqual(await mounts.acquire(row({}), 'a'), {
      path: '/volumes/data/_data',
      mounted: false,
      readOnly: false,
    })
    await mounts.release(row({}), 'a')
    assert.deepEqual(calls, [])
  })

  it('mounts for the first and unmounts after the last', async () => {
    const source = await mounts.acquire(tmpfs, 'a')
    assert.deepEqual(source, { path: '/m/data', mounted: true, readOnly: true })
    await Promise.all([mounts.acquire(tmpfs, 'b'), mounts.acquire(tmpfs, 'c')])
    await mounts.release(tmpfs, 'a')
    await mounts.release(tmpfs, 'a')
    await mounts.release(tmpfs, 'b')
    assert.deepEqual(calls, ['mount tmpfs /m/data'])
    await mounts.release(tmpfs, 'c')
    assert.deepEqual(calls, ['mount tmpfs /m/data', 'unmount /m/data'])
  })

  it('takes the mount from whoever runs when the daemon was killed', async () => {
    mounts.held('data', 'a', holder)
    await mounts.acquire(tmpfs, 'b')
    assert.deepEqual(calls, ['copy 7 /run/c/x/pins/0 /m/data'])
    await mounts.release(tmpfs, 'a')
    await mounts.release(tmpfs, 'b')
    assert.deepEqual(calls.slice(1), ['unmount /m/data'])
  })

  it('unmounts nothing that it has not mounted', async () => {
    mounts.held('data', 'a', holder)
    await mounts.release(tmpfs, 'a')
    assert.deepEqual(calls, [])
  })

  it('mounts anew when whoever ran has gone', async () => {
    mounts.held('data', 'a', holder)
    failing.add('copy')
    await mounts.acquire(tmpfs, 'b')
    assert.deepEqual(
      calls.map((call) => call.split(' ')[0]),
      ['copy', 'mount'],
    )
  })

  it('leaves nothing when it cannot be mounted, and says why as Docker does', async () => {
    failing.add('mount')
    await assert.rejects(mounts.acquire(tmpfs, 'a'), {
      message:
        "error while mounting volume '/volumes/data/_data': failed to mount local volume: mount tmpfs:/volumes/data/_data, flags: 0x1: device or resource busy",
    })
    failing.clear()
    await mounts.acquire(tmpfs, 'b')
    await mounts.release(tmpfs, 'b')
    assert.deepEqual(
      calls.map((call) => call.split(' ')[0]),
      ['mount', 'unmount', 'mount', 'unmount'],
    )
  })

  it('lets plugins mount for each user, and go on when they cannot unmount', async () => {
    const theirs = row({}, 'store')
    assert.deepEqual(await mounts.acquire(theirs, 'a'), {
      path: '/mnt/theirs',
      mounted: false,
      readOnly: false,
    })
    await mounts.acquire(theirs, 'b')
    failing.add('plugin-unmount')
    await mounts.release(theirs, 'a')
    assert.deepEqual(calls, ['plugin-mount data a', 'plugin-mount data b', 'plugin-unmount data a'])
  })
})
