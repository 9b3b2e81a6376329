import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Digest, digestOf } from '#base/digest.ts'
import { context, copyStep, runStep, scratch, SolveWorld } from '#test/support/solve-world.ts'
import type { Filesystem } from '../graph/operations.ts'
import { ForeignRecords, type StepRecord } from './foreign-records.ts'
import { recordsOf } from './solved.ts'

/** What a build elsewhere recorded of `target`, and the layers of that host. */
async function elsewhere(target: Filesystem) {
  const world = new SolveWorld()
  await world.image('base')
  await world.build([target])
  // The second time everything is found by definition: the records are the same.
  const { solved } = await world.build([target])
  const records = recordsOf(target, solved, world.cache)
  return { records, snapshots: world.images.snapshots, layers: solved.get(target)?.layers }
}

/** A world that gets layers from another one, and which it got. */
function importing(records: readonly StepRecord[], from: SolveWorld['images']['snapshots']) {
  const world = new SolveWorld()
  const fetched: Digest[] = []
  const foreign = new ForeignRecords()
  foreign.addRecords(records, async (layer) => {
    fetched.push(layer)
    if ((await from.layer(layer)) === undefined) return false
    await world.images.snapshots.ingest(from.tar(layer), { expected: layer })
    return true
  })
  return { world, fetched, foreign }
}

describe('recordsOf()', () => {
  it('has stages that were not needed, too, when the build is to be complete, if the cache has them', async () => {
    const world = new SolveWorld()
    const built = runStep(runStep(scratch, 'one', { label: { stage: 'build' } }), 'two', {
      label: { stage: 'build' },
    })
    const target = copyStep(scratch, built, '.')
    await world.build([target])
    const plain = await world.build([target])
    assert.deepEqual(recordsOf(built, plain.solved, world.cache), [])
    const complete = await world.build([target], { complete: true })
    assert.deepEqual(
      recordsOf(built, complete.solved, world.cache).map(({ name }) => name),
      ['[build] RUN one', '[build] RUN two'],
    )
    // What is gone is not done only for that.
    const one = (await world.cache.usage()).find(({ description }) => description === '[build] RUN one')
    await world.cache.remove([one!.id])
    world.done.length = 0
    await world.build([target], { complete: true })
    assert.deepEqual(world.done, [])
  })

  it('has every step of a filesystem, the lowest first, with both keys', async () => {
    const target = runStep(runStep(copyStep(scratch, context, 'a'), 'nothing'), 'make')
    const { records, layers } = await elsewhere(target)
    assert.deepEqual(
      records.map(({ name }) => name),
      ['[stage-0] COPY a /', '[stage-0] RUN nothing', '[stage-0] RUN make'],
    )
    assert.deepEqual(
      records.flatMap(({ layer }) => layer ?? []),
      layers,
    )
    assert.equal(new Set(records.flatMap(({ content, definition }) => [content, definition.key])).size, 6)
  })
})

describe('records of others', () => {
  it('are used by the build that asks for them, which fetches what it needs and does nothing', async () => {
    const target = runStep(copyStep(scratch, context, 'a'), 'make')
    const { records, snapshots, layers } = await elsewhere(target)
    const { world, fetched, foreign } = importing(records, snapshots)
    const { solved, cached } = await world.build([target], { foreign })
    assert.deepEqual(world.done, [])
    assert.deepEqual(cached, ['[stage-0] COPY a /', '[stage-0] RUN make'])
    assert.deepEqual(solved.get(target)?.layers, layers)
    assert.deepEqual(fetched, layers)
  })

  it('stand for stages that are not there, and of which nothing is fetched', async () => {
    const built = runStep(scratch, 'make', { label: { stage: 'build' } })
    const target = copyStep(scratch, built, '.')
    const { records, snapshots } = await elsewhere(target)
    const { world, fetched, foreign } = importing(records, snapshots)
    await world.build([target], { foreign })
    assert.deepEqual(world.done, [])
    assert.equal(fetched.length, 1)
  })

  it('are found by no other build, and their layers go when nobody has them', async () => {
    const target = runStep(scratch, 'make')
    const { records, snapshots } = await elsewhere(target)
    const { world, foreign } = importing(records, snapshots)
    await world.build([target], { foreign })
    assert.deepEqual(await world.cache.usage(), [])
    await world.images.store.collector.collectAll()
    assert.deepEqual(await Array.fromAsync(world.images.snapshots.layers()), [])
    await world.build([target])
    assert.deepEqual(world.done, ['RUN make'])
  })

  it('are recorded again by a build that has used them', async () => {
    const target = runStep(runStep(scratch, 'one'), 'two')
    const { records, snapshots } = await elsewhere(target)
    const { world, foreign } = importing(records.slice(0, 1), snapshots)
    const { solved } = await world.build([target], { foreign })
    assert.deepEqual(world.done, ['RUN two'])
    assert.deepEqual(recordsOf(target, solved, world.cache), records)
  })

  it('are nothing when their layer cannot be had, or other layers are below', async () => {
    const target = runStep(runStep(scratch, 'one'), 'two')
    const { records, snapshots } = await elsewhere(target)
    const [first, second] = records
    assert.ok(first?.layer !== undefined && second !== undefined)
    await snapshots.removeLayer(first.layer)
    const { world, fetched, foreign } = importing(records, snapshots)
    await world.build([target], { foreign })
    assert.deepEqual(world.done, ['RUN one'])
    assert.deepEqual(fetched, [first.layer, first.layer, second.layer])

    const lie = {
      ...second,
      definition: { ...second.definition, below: digestOf('others') },
      content: digestOf('lie'),
    }
    const lied = importing([lie], snapshots)
    await lied.world.build([target], { foreign: lied.foreign })
    assert.deepEqual(lied.world.done, ['RUN one', 'RUN two'])
  })

  it('are no answer to an uncached step', async () => {
    const graph = (uncached: boolean) => runStep(scratch, 'make', { label: { uncached } })
    const { records, snapshots } = await elsewhere(graph(false))
    const { world, fetched, foreign } = importing(records, snapshots)
    await world.build([graph(true)], { foreign })
    assert.deepEqual([world.done, fetched], [['RUN make'], []])
  })
})
