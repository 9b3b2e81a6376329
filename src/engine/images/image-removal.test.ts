import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hexOf } from '#base/digest.ts'
import { isKind, messageOf } from '#base/errors.ts'
import { shortId } from '#base/ids.ts'
import { imagesForTest, LAYER_SIZE } from '#test/support/images.ts'

const plain = { force: false, noprune: false }
const force = { force: true, noprune: false }
const digest = `sha256:${'ab'.repeat(32)}` as const

function conflict(message: string) {
  return (error: unknown): boolean => {
    assert.equal(messageOf(error), message)
    return isKind(error, 'conflict')
  }
}

describe('ImageRemoval.remove()', () => {
  it('untags and deletes image and layers, in this order', async () => {
    const { image, removal, store, stored, trace } = imagesForTest()
    const id = await image({ layers: ['base', 'top'], names: ['a:1'] })
    const [base] = store.rows.layers(id)
    const items = await removal.remove('a:1', plain)
    assert.deepEqual(items.slice(0, 2), [{ Untagged: 'a:1' }, { Deleted: id }])
    assert.equal(items.length, 4)
    assert.deepEqual(items.at(-1), { Deleted: base })
    assert.deepEqual(await stored(), { layers: [], blobs: 0 })
    assert.deepEqual(
      trace.map((line) => line.split(' ')[1]),
      ['untag', 'delete'],
    )
  })

  it('keeps layers that another image has', async () => {
    const { image, removal, stored } = imagesForTest()
    const id = await image({ layers: ['base', 'top'], names: ['a:1'] })
    await image({ layers: ['base', 'other'], names: ['b:1'] })
    const items = await removal.remove('a:1', plain)
    assert.deepEqual(items.slice(0, 2), [{ Untagged: 'a:1' }, { Deleted: id }])
    assert.equal(items.length, 3)
    assert.deepEqual(await stored(), { layers: ['base', 'other'], blobs: 1 })
  })

  it('only untags when there are other names', async () => {
    const { image, removal, store } = imagesForTest()
    const id = await image({ names: ['a:1', 'a:2', 'b:1'] })
    assert.deepEqual(await removal.remove('a:1', plain), [{ Untagged: 'a:1' }])
    assert.equal(store.lookup('a:2'), id)
  })

  it('drops the digests of a repository with its last tag', async () => {
    const { image, removal } = imagesForTest()
    const id = await image({ names: ['a:1', `a@${digest}`] })
    const items = await removal.remove('a:1', plain)
    assert.deepEqual(items.slice(0, 3), [{ Untagged: 'a:1' }, { Untagged: `a@${digest}` }, { Deleted: id }])
  })

  it('keeps digests while the repository has a tag', async () => {
    const { image, removal } = imagesForTest()
    await image({ names: ['a:1', 'a:2', `a@${digest}`] })
    assert.deepEqual(await removal.remove('a:1', plain), [{ Untagged: 'a:1' }])
  })

  it('removes by id together with the only name', async () => {
    const { image, removal, store } = imagesForTest()
    const id = await image({ names: ['a:1', `a@${digest}`] })
    const items = await removal.remove(shortId(id), plain)
    assert.deepEqual(items.slice(0, 3), [{ Untagged: 'a:1' }, { Untagged: `a@${digest}` }, { Deleted: id }])
    assert.deepEqual(store.rows.list(), [])
  })

  it('refuses to remove by id when there are several names, unless forced', async () => {
    const { image, removal } = imagesForTest()
    const id = await image({ names: ['a:1', 'b:1'] })
    await assert.rejects(
      removal.remove(id, plain),
      conflict(
        `conflict: unable to delete ${shortId(id)} (must be forced) - image is referenced in multiple repositories`,
      ),
    )
    const items = await removal.remove(hexOf(id), force)
    assert.deepEqual(items.slice(0, 3), [{ Untagged: 'a:1' }, { Untagged: 'b:1' }, { Deleted: id }])
  })

  it('refuses to take the last name from a container, unless forced', async () => {
    const { image, removal, container, store } = imagesForTest()
    const id = await image({ names: ['a:1'] })
    container('c'.repeat(64), id)
    await assert.rejects(
      removal.remove('a:1', plain),
      conflict(
        `conflict: unable to remove repository reference "a:1" (must force) - container cccccccccccc is using its referenced image ${shortId(id)}`,
      ),
    )
    await assert.rejects(
      removal.remove(id, plain),
      conflict(
        `conflict: unable to delete ${shortId(id)} (must be forced) - image is being used by stopped container cccccccccccc`,
      ),
    )
    assert.equal(store.lookup('a:1'), id)
  })

  it('keeps the layers of a stopped container until it is gone', async () => {
    const { image, removal, container, store, stored, db } = imagesForTest()
    const id = await image({ names: ['a:1'] })
    container('c'.repeat(64), id)
    assert.deepEqual(await removal.remove('a:1', force), [{ Untagged: 'a:1' }, { Deleted: id }])
    assert.throws(() => store.lookup(id), /No such image/)
    await store.collector.collectAll()
    assert.deepEqual(await stored(), { layers: ['base'], blobs: 1 })

    db.run('DELETE FROM containers')
    await store.collector.releaseHidden()
    assert.deepEqual(await stored(), { layers: [], blobs: 0 })
  })

  it('never removes the image of a running container: by force its last name goes, and no more', async () => {
    const { image, removal, container, store } = imagesForTest()
    const id = await image({ names: ['a:1'] })
    container('c'.repeat(64), id, true)
    await assert.rejects(
      removal.remove(id, force),
      conflict(
        `conflict: unable to delete ${shortId(id)} (cannot be forced) - image is being used by running container cccccccccccc`,
      ),
    )
    assert.equal(store.references.of(id).length, 1)
    assert.deepEqual(await removal.remove('a:1', force), [{ Untagged: 'a:1' }])
    assert.equal(store.references.of(id).length, 0)
    assert.equal(store.lookup(id), id)
  })

  it('untags one of two names of an image in use', async () => {
    const { image, removal, container } = imagesForTest()
    const id = await image({ names: ['a:1', 'a:2'] })
    container('c'.repeat(64), id, true)
    assert.deepEqual(await removal.remove('a:1', plain), [{ Untagged: 'a:1' }])
  })

  it('keeps an image that others were made from', async () => {
    const { image, removal, store } = imagesForTest()
    const parent = await image({ names: ['a:1'] })
    await image({ layers: ['base', 'top'], names: ['child:1'], parentId: parent })
    await assert.rejects(
      removal.remove(parent, force),
      conflict(
        `conflict: unable to delete ${shortId(parent)} (cannot be forced) - image has dependent child images`,
      ),
    )
    assert.deepEqual(await removal.remove('a:1', plain), [{ Untagged: 'a:1' }])
    assert.equal(store.lookup(parent), parent)
  })

  it('prunes nameless parents unless told not to', async () => {
    for (const noprune of [false, true]) {
      const { image, removal, store } = imagesForTest()
      const parent = await image()
      const child = await image({ layers: ['base', 'top'], names: ['child:1'], parentId: parent })
      const items = await removal.remove('child:1', { force: false, noprune })
      const deleted = items.map(({ Deleted }) => Deleted)
      assert.equal(deleted.includes(child), true)
      assert.equal(deleted.includes(parent), !noprune)
      assert.equal(store.rows.list().length, noprune ? 1 : 0)
    }
  })

  it('says which image is missing', async () => {
    const { removal } = imagesForTest()
    await assert.rejects(removal.remove('nobody', plain), /No such image: nobody:latest/)
  })
})

describe('ImageRemoval.prune()', () => {
  it('removes dangling images only', async () => {
    const { image, removal, trace, stored } = imagesForTest()
    await image({ layers: ['named'], names: ['a:1'] })
    const dangling = await image({ layers: ['dangling'] })
    const { ImagesDeleted, SpaceReclaimed } = await removal.prune(new Map())
    assert.deepEqual(ImagesDeleted?.[0], { Deleted: dangling })
    assert.equal(SpaceReclaimed, LAYER_SIZE)
    assert.deepEqual((await stored()).layers, ['named'])
    assert.equal(trace.at(-1), 'image prune  ')
  })

  it('removes everything unused with dangling=false, and keeps what containers use', async () => {
    const { image, removal, container, store } = imagesForTest()
    const used = await image({ layers: ['used'], names: ['a:1', 'a:2'] })
    container('c'.repeat(64), used)
    await image({ layers: ['unused'], names: ['b:1', 'b:2'] })
    const { ImagesDeleted } = await removal.prune(new Map([['dangling', ['false']]]))
    assert.deepEqual(
      ImagesDeleted?.flatMap(({ Untagged }) => Untagged ?? []),
      ['b:1', 'b:2'],
    )
    assert.equal(store.references.of(used).length, 2)
  })

  it('honours until and labels', async () => {
    const { image, removal, store } = imagesForTest()
    await image({ layers: ['old'], created: '2020-01-01T00:00:00Z' })
    await image({ layers: ['old kept'], created: '2020-01-01T00:00:00Z', config: { Labels: { keep: '1' } } })
    await image({ layers: ['new'] })
    await removal.prune(
      new Map([
        ['until', ['2021-01-01T00:00:00Z']],
        ['label!', ['keep']],
      ]),
    )
    assert.equal(store.rows.list().length, 2)
  })

  it('refuses filters it does not know', async () => {
    const { removal } = imagesForTest()
    await assert.rejects(removal.prune(new Map([['reference', ['a']]])), /invalid filter 'reference'/)
    await assert.rejects(
      removal.prune(new Map([['dangling', ['maybe']]])),
      /invalid filter 'dangling=\[maybe\]'/,
    )
    await assert.rejects(removal.prune(new Map([['until', ['1h', '2h']]])), /more than one until filter/)
  })
})

describe('ImageRemoval.planRemove()', () => {
  it('says what remove() would do, and does nothing', async () => {
    const { image, removal, stored, trace } = imagesForTest()
    const id = await image({ layers: ['base', 'top'], names: ['a:1', 'a:2'] })
    const before = await stored()
    const plan = removal.planRemove(['a:1', 'a:2'], plain)
    assert.deepEqual(
      plan.map(({ Kind, Name }) => [Kind, Name]),
      [
        ['name', 'a:1'],
        ['name', 'a:2'],
        ['image', ''],
        ['layer', ''],
        ['layer', ''],
      ],
    )
    assert.deepEqual([...new Set(plan.slice(0, 3).map(({ ID }) => ID))], [id])
    assert.deepEqual([await stored(), trace], [before, []])

    const done = [...(await removal.remove('a:1', plain)), ...(await removal.remove('a:2', plain))]
    assert.deepEqual(
      done.map(({ Untagged, Deleted }) => Untagged ?? Deleted),
      plan.map(({ ID, Name }) => (Name === '' ? ID : Name)),
    )
  })

  it('throws what remove() would throw', async () => {
    const { image, removal } = imagesForTest()
    await image({ names: ['a:1'] })
    assert.throws(
      () => removal.planRemove(['a:1', 'nope'], plain),
      (error) => isKind(error, 'not_found'),
    )
  })
})

describe('ImageRemoval.planPrune()', () => {
  it('counts containers that will be gone as gone, and others not', async () => {
    const { image, removal, users, stored } = imagesForTest()
    const id = await image({ layers: ['base'], names: ['a:1'] })
    users.set(id, [{ id: 'c1', running: false }])
    const all = new Map([['dangling', ['false']]])
    assert.deepEqual(removal.planPrune(all, new Set()), [])
    assert.deepEqual(
      removal.planPrune(all, new Set(['c1'])).map(({ Kind }) => Kind),
      ['name', 'image', 'layer'],
    )
    assert.equal((await removal.prune(all)).ImagesDeleted, null)
    assert.deepEqual((await stored()).layers, ['base'])
  })
})
