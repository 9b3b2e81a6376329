import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { describe, it } from 'node:test'
import { EngineError } from '#base/errors.ts'
import { runStep, scratch, SolveWorld } from '#test/support/solve-world.ts'
import type { BuildPruneOptions } from '../service.ts'
import type { CacheMountUsage } from '../run/cache-mounts.ts'
import { CacheUpkeep } from './cache-upkeep.ts'

const DAY = 24 * 60 * 60 * 1000

const everything: BuildPruneOptions = {
  all: true,
  filters: new Map(),
  keepStorage: undefined,
  reservedSpace: undefined,
  maxUsedSpace: undefined,
  minFreeSpace: undefined,
}

/** A cache with the results of two steps and two cache mounts, of which one is in use. */
async function upkeepForTest(limit?: number) {
  const world = new SolveWorld()
  await world.build([runStep(runStep(scratch, 'first'), 'second')])
  const at = world.clock.now()
  const mount = { createdAt: at, lastUsedAt: at, uses: 1, size: 100 }
  const mounts = new Map<string, CacheMountUsage>([
    ['one', { ...mount, key: 'one', id: '/root/.npm', inUse: false }],
    ['two', { ...mount, key: 'two', id: '/root/.cache', inUse: true }],
  ])
  const upkeep = new CacheUpkeep({
    cache: world.cache,
    mounts: {
      list: async () => [...mounts.values()],
      remove: async (key) => {
        if (mounts.get(key)?.inUse === true) throw new EngineError('conflict', 'in use', { code: 'X' })
        return mounts.delete(key) ? 100 : 0
      },
    },
    sources: { list: async () => [], remove: async () => 0 },
    dataRoot: tmpdir(),
    clock: world.clock,
    limit,
  })
  const left = async (): Promise<string[]> => (await upkeep.usage()).map(({ Description }) => Description)
  return { world, mounts, upkeep, left }
}

describe('CacheUpkeep.usage()', () => {
  it('has results and cache mounts as Docker shows them', async () => {
    const { upkeep, world } = await upkeepForTest()
    const records = await upkeep.usage()
    const [first, second, npm] = ['RUN first', 'RUN second', '.npm'].map((end) =>
      records.find(({ Description }) => Description.endsWith(end)),
    )
    assert.deepEqual(
      { ...first, ID: '', Size: 0 },
      {
        ID: '',
        Parents: null,
        Type: 'regular',
        Description: '[stage-0] RUN first',
        InUse: false,
        Shared: false,
        Size: 0,
        CreatedAt: world.clock.now().toISOString(),
        LastUsedAt: world.clock.now().toISOString(),
        UsageCount: 1,
      },
    )
    assert.match(first?.ID ?? '', /^[0-9a-f]{25}$/)
    assert.deepEqual(second?.Parents, [first?.ID])
    assert.deepEqual(
      [npm?.Type, npm?.Description, npm?.Size],
      ['exec.cachemount', 'cached mount /root/.npm', 100],
    )
  })

  it('filters', async () => {
    const { upkeep, world } = await upkeepForTest()
    const first = (await upkeep.usage()).find(({ Description }) => Description.endsWith('RUN first'))
    await world.clock.advance(2 * DAY)
    const found = async (key: string, ...values: readonly string[]): Promise<string[]> =>
      (await upkeep.usage(new Map([[key, values]]))).map(({ Description }) => Description)
    assert.deepEqual(await found('type', 'exec.cachemount'), [
      'cached mount /root/.npm',
      'cached mount /root/.cache',
    ])
    assert.deepEqual(await found('inuse'), ['cached mount /root/.cache'])
    assert.equal((await found('inuse', 'false')).length, 3)
    assert.deepEqual(await found('id', first?.ID.slice(0, 12) ?? ''), ['[stage-0] RUN first'])
    assert.deepEqual(await found('parent', first?.ID ?? ''), ['[stage-0] RUN second'])
    assert.deepEqual(await found('description', '[stage-0] RUN s'), ['[stage-0] RUN second'])
    assert.equal((await found('until', '24h')).length, 4)
    assert.equal((await found('until', '72h')).length, 0)
    assert.equal((await found('private')).length, 4)
    assert.equal((await found('shared')).length, 0)
    assert.equal((await found('label', 'a=b')).length, 0)
    assert.equal((await found('label!', 'a=b', 'c')).length, 4)
    await assert.rejects(found('colour', 'blue'), /invalid filter 'colour'/)
    await assert.rejects(found('shared', 'perhaps'), /invalid filter 'shared=/)
    await assert.rejects(found('id', 'a', 'b'), /only one value/)
    await assert.rejects(found('until', '1h', '2h'), /more than one until/)
  })
})

describe('CacheUpkeep.prune()', () => {
  it('removes results and cache mounts, says which and how much, and leaves what is in use', async () => {
    const { upkeep, left } = await upkeepForTest()
    const before = await upkeep.usage()
    const { CachesDeleted, SpaceReclaimed } = await upkeep.prune(everything)
    const gone = before.filter(({ InUse }) => !InUse)
    assert.deepEqual(CachesDeleted.toSorted(), gone.map(({ ID }) => ID).toSorted())
    assert.equal(
      SpaceReclaimed,
      gone.reduce((sum, { Size }) => sum + Size, 0),
    )
    assert.deepEqual(await left(), ['cached mount /root/.cache'])
  })

  it('goes on when a step has taken a cache meanwhile', async () => {
    const { upkeep, mounts, left } = await upkeepForTest()
    const one = mounts.get('one')
    const list = [...mounts.values()]
    mounts.values = () => list.values()
    mounts.set('one', { ...one!, inUse: true })
    const { CachesDeleted } = await upkeep.prune(everything)
    assert.equal(CachesDeleted.length, 2)
    assert.equal((await left()).length, 2)
  })

  it('keeps as much as it is told to, by either name', async () => {
    for (const keep of [{ keepStorage: 1e9 }, { reservedSpace: 1e9 }, { maxUsedSpace: 1e9 }]) {
      const { upkeep } = await upkeepForTest()
      assert.deepEqual(await upkeep.prune({ ...everything, ...keep }), {
        CachesDeleted: [],
        SpaceReclaimed: 0,
      })
    }
  })

  it('removes nothing when its caller has left', async () => {
    const { upkeep, left } = await upkeepForTest()
    await assert.rejects(
      upkeep.prune({ ...everything, signal: AbortSignal.abort(new Error('gone')) }),
      /gone/,
    )
    assert.equal((await left()).length, 4)
  })
})

describe('CacheUpkeep.collect()', () => {
  it('takes what is too much and was not used for a day, the oldest first', async () => {
    const { upkeep, world, left } = await upkeepForTest(1)
    assert.deepEqual((await upkeep.collect()).CachesDeleted, [])
    await world.clock.advance(DAY)
    await world.build([runStep(scratch, 'first')])
    await upkeep.collect()
    assert.deepEqual(await left(), ['[stage-0] RUN first', 'cached mount /root/.cache'])
  })

  it('looks at everything now and then only, however often builds end', async () => {
    const { upkeep, world, left } = await upkeepForTest(1)
    await world.clock.advance(DAY - 1000)
    await upkeep.collect()
    await world.clock.advance(2000)
    await upkeep.collect()
    assert.equal((await left()).length, 4)
    await world.clock.advance(10 * 60_000)
    await upkeep.collect()
    assert.equal((await left()).length, 1)
  })

  it('takes nothing as long as it is not too much', async () => {
    const { upkeep, world } = await upkeepForTest()
    await world.clock.advance(100 * DAY)
    assert.deepEqual(await upkeep.collect(), { CachesDeleted: [], SpaceReclaimed: 0 })
  })
})
