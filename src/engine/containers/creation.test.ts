import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { FakeMachine, IMAGE_ID, TestEngine } from '#test/support/engine.ts'

let machine: FakeMachine
let engine: TestEngine

beforeEach(async () => {
  machine = new FakeMachine()
  engine = await TestEngine.start(machine)
})
afterEach(() => machine[Symbol.dispose]())

async function assertNothingMade(): Promise<void> {
  assert.deepEqual(await machine.snapshots.snapshots(), [])
  assert.deepEqual(engine.registry.all(), [])
  assert.deepEqual(engine.takeEvents(), [])
}

describe('Creation.create()', () => {
  it('gives a name to one of two who ask for it at the same time', async () => {
    const both = await Promise.allSettled([engine.create({}, 'web'), engine.create({}, '/web')])
    assert.deepEqual(
      both.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    )
    const [, second] = both
    assert.match(
      String(second?.status === 'rejected' && second.reason),
      /^EngineError: Conflict. The container name "\/web" is already in use by container "[0-9a-f]{64}". You have to remove \(or rename\) that container to be able to reuse that name.$/,
    )
    assert.equal((await machine.snapshots.snapshots()).length, 1)
  })

  it('gives the name free when it fails', async () => {
    const { mounts } = engine.parts
    const resolve = mounts.resolve.bind(mounts)
    Object.assign(mounts, { resolve: () => Promise.reject(new Error('no such file')) })
    await assert.rejects(engine.create({}, 'web'), /no such file/)
    await assertNothingMade()
    Object.assign(mounts, { resolve })
    await engine.create({}, 'web')
  })

  it('loses against a rename to the same name that is faster', async () => {
    const other = await engine.create({}, 'other')
    const { mounts } = engine.parts
    const resolve = mounts.resolve.bind(mounts)
    Object.assign(mounts, {
      resolve: async (...args: Parameters<typeof resolve>) => {
        await engine.lifecycle.rename(other, 'web')
        return resolve(...args)
      },
    })
    await assert.rejects(engine.create({}, 'web'), /"\/web" is already in use/)
    assert.deepEqual(await machine.snapshots.snapshots(), [other])
  })

  it('warns of an image for other machines, in the words of Docker, unless that is asked for', async () => {
    const { images } = engine.parts
    const image = await images.resolve('busybox')
    const warnings = async (platform: object, asked?: string): Promise<readonly string[]> => {
      Object.assign(images, { resolve: async () => ({ ...image, config: { ...image.config, ...platform } }) })
      const { Warnings } = await engine.lifecycle.create(
        { Image: 'busybox', Cmd: ['x'] },
        { name: '', platform: asked },
      )
      return Warnings
    }
    assert.deepEqual(await warnings({ os: 'linux', architecture: 'arm64' }), [
      "The requested image's platform (linux/arm64) does not match the detected host platform (linux/amd64/v3) and no specific platform was requested",
    ])
    assert.match(String(await warnings({ os: 'linux', architecture: 'amd64', variant: 'v4' })), /amd64\/v4\)/)
    assert.deepEqual(await warnings({ os: 'linux', architecture: 'arm64' }, 'linux/arm64'), [])
    for (const architecture of ['amd64', '386'])
      assert.deepEqual(await warnings({ os: 'linux', architecture }), [])
    assert.deepEqual(await warnings({ os: 'linux', architecture: 'amd64', variant: 'v2' }), [])
  })

  it('says that the image is gone when it was removed meanwhile', async () => {
    const { mounts } = engine.parts
    Object.assign(mounts, {
      resolve: async () => {
        machine.db.run('DELETE FROM images WHERE id = ?', [IMAGE_ID])
        return []
      },
    })
    await assert.rejects(engine.create({}), { message: 'No such image: busybox:latest' })
    await assertNothingMade()
  })

  it('says why it failed although something could not be undone', async () => {
    const { mounts } = engine.parts
    Object.assign(mounts, { resolve: () => Promise.reject(new Error('the reason')) })
    machine.snapshots.remove = () => Promise.reject(new Error('busy'))
    await assert.rejects(engine.create({}), { message: 'the reason' })
    assert.match(machine.log.join(''), /busy/)
  })
})
