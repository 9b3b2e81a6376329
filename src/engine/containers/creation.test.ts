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
