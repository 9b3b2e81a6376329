import assert from 'node:assert/strict'
import { mkdir, mkdtempDisposable, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { FakeClock } from '#base/fake-clock.ts'
import { silentLogger } from '#base/logger.ts'
import type { FileOrigin } from '#build/graph/operations.ts'
import type { FileSource } from '#build/sources/file-source.ts'
import { FakeTrees } from '#os/fake-trees.ts'
import { type CacheMount, CacheMounts, type HeldCache, cacheKey } from './cache-mounts.ts'

const NEVER = new AbortController().signal

function mount(changes: Partial<CacheMount> = {}): CacheMount {
  return {
    type: 'cache',
    id: 'id',
    target: '/cache',
    sharing: 'shared',
    from: undefined,
    source: '/',
    readOnly: false,
    mode: 0o755,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    ...changes,
  }
}

async function open(): Promise<never> {
  throw new Error('nothing to begin with')
}

async function world() {
  const directory = await mkdtempDisposable(join(tmpdir(), 'berth-caches-'))
  const clock = new FakeClock()
  const trees = new FakeTrees()
  const removing: { block?: Promise<void> } = {}
  const helper = {
    removeTree: async (path: string) => {
      await removing.block
      await rm(path, { recursive: true, force: true })
    },
  }
  const fresh = (): CacheMounts =>
    new CacheMounts({ dataRoot: directory.path, trees, helper, clock, logger: silentLogger })
  const root = join(directory.path, 'build/cache-mounts')
  return {
    caches: fresh(),
    fresh,
    trees,
    clock,
    root,
    removing,
    [Symbol.asyncDispose]: () => directory.remove(),
  }
}

/** The number of its directory: 0 for the first one of its key. */
function instance({ path }: HeldCache): number {
  return Number(/\.(\d+)\/data$/.exec(path)?.[1] ?? 0)
}

/** True when the promise is still open after everybody has had their turn. */
async function waits(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  const note = (): void => void (settled = true)
  promise.then(note, note)
  for (let i = 0; i < 50 && !settled; i++) await new Promise((resolve) => setTimeout(resolve, 1))
  return !settled
}

describe('CacheMounts', () => {
  it('makes a directory as it was asked for, and finds it again', async () => {
    await using w = await world()
    const held = await w.caches.acquire(mount({ mode: 0o1770 }), open, NEVER)
    assert.equal((await stat(held.path)).mode & 0o7777, 0o1770)
    await writeFile(join(held.path, 'kept'), 'x')
    await held[Symbol.asyncDispose]()
    const again = await w.fresh().acquire(mount({ mode: 0o1770 }), open, NEVER)
    assert.deepEqual(await readdir(again.path), ['kept'])
  })

  it('is the same one for the same id, beginning, owner and mode, whatever else differs', () => {
    const key = cacheKey(mount())
    const from: FileOrigin = { kind: 'context', name: 'context' }
    for (const same of [{ target: '/b' }, { sharing: 'locked' }, { readOnly: true }] as const)
      assert.equal(cacheKey(mount(same)), key)
    const others = [{ id: 'b' }, { mode: 0o700 }, { uid: 5 }, { gid: 5 }, { from }, { from, source: '/a' }]
    const keys = others.map((other) => cacheKey(mount(other)))
    assert.equal(new Set([key, ...keys]).size, others.length + 1)
  })

  it('is shared by those who share', async () => {
    await using w = await world()
    const [a, b] = await Promise.all([1, 2].map(() => w.caches.acquire(mount(), open, NEVER)))
    assert.equal(a?.path, b?.path)
    await a?.[Symbol.asyncDispose]()
    assert.equal((await w.caches.list())[0]?.inUse, true)
    await b?.[Symbol.asyncDispose]()
    assert.equal((await w.caches.list())[0]?.inUse, false)
  })

  it('that is private is never had by two', async () => {
    await using w = await world()
    const take = (sharing: CacheMount['sharing']): Promise<HeldCache> =>
      w.caches.acquire(mount({ sharing }), open, NEVER)
    const held = [await take('private'), await take('private'), await take('shared'), await take('shared')]
    assert.deepEqual(held.map(instance), [0, 1, 2, 2])
    await held[1]?.[Symbol.asyncDispose]()
    assert.equal(instance(await take('private')), 1)
  })

  it('that is locked is waited for, by each in turn', async () => {
    await using w = await world()
    const take = (signal = NEVER): Promise<HeldCache> =>
      w.caches.acquire(mount({ sharing: 'locked' }), open, signal)
    const first = await take()
    const second = take()
    const third = take()
    assert.equal(await waits(Promise.race([second, third])), true)
    await first[Symbol.asyncDispose]()
    const next = await Promise.race([second, third])
    assert.equal(await waits(Promise.all([second, third])), true)
    await next[Symbol.asyncDispose]()
    const both = await Promise.all([second, third])
    assert.deepEqual(both.map(instance), [0, 0])
  })

  it('is not waited for by who has left', async () => {
    await using w = await world()
    const locked = mount({ sharing: 'locked' })
    const first = await w.caches.acquire(locked, open, NEVER)
    const leaving = new AbortController()
    const second = w.caches.acquire(locked, open, leaving.signal)
    assert.equal(await waits(second), true)
    leaving.abort(new Error('left'))
    await assert.rejects(second, /left/)
    await first[Symbol.asyncDispose]()
    const third = await w.caches.acquire(locked, open, NEVER)
    assert.equal(instance(third), 0)
  })

  it('begins with the files of its source, or is not there at all', async () => {
    await using w = await world()
    const from: FileOrigin = { kind: 'context', name: 'context' }
    const none = async (): Promise<FileSource> =>
      ({
        name: 'build context',
        find: async () => undefined,
        [Symbol.asyncDispose]: async () => undefined,
      }) as never
    await assert.rejects(
      w.caches.acquire(mount({ from, source: '/a' }), none, NEVER),
      /"\/a": not found in the build context/,
    )
    assert.deepEqual(await readdir(w.root), [])
  })

  it('says how it was used', async () => {
    await using w = await world()
    const begun = w.clock.now()
    await (await w.caches.acquire(mount({ id: 'npm' }), open, NEVER))[Symbol.asyncDispose]()
    await w.clock.advance(60_000)
    const held = await w.caches.acquire(mount({ id: 'npm' }), open, NEVER)
    await writeFile(join(held.path, 'file'), 'x'.repeat(100_000))
    await held[Symbol.asyncDispose]()
    const [usage] = await w.fresh().list()
    assert.equal(usage?.id, 'npm')
    assert.equal(usage.key, cacheKey(mount({ id: 'npm' })))
    assert.equal(usage.uses, 2)
    assert.equal(usage.createdAt.getTime(), begun.getTime())
    assert.equal(usage.lastUsedAt.getTime(), begun.getTime() + 60_000)
    assert.ok(usage.size >= 100_000)
  })

  it('is counted again after each use, and only then', async () => {
    await using w = await world()
    const sizes: number[] = []
    for (let i = 0; i < 3; i++) {
      const held = await w.caches.acquire(mount(), open, NEVER)
      await writeFile(join(held.path, String(i)), 'x'.repeat(100_000))
      const meanwhile = (await w.caches.list())[0]?.size ?? 0
      await held[Symbol.asyncDispose]()
      const after = (await w.caches.list())[0]?.size ?? 0
      assert.ok(after >= meanwhile && meanwhile >= (i + 1) * 100_000)
      // As nobody may: what was counted is remembered.
      await writeFile(join(w.root, cacheKey(mount()), 'data', 'more'), 'x'.repeat(500_000))
      assert.equal((await w.caches.list())[0]?.size, after)
      await rm(join(w.root, cacheKey(mount()), 'data', 'more'))
      sizes.push(after)
    }
    assert.deepEqual(
      sizes,
      sizes.toSorted((a, b) => a - b),
    )
  })

  it('with a note that cannot be read is shown by its key', async () => {
    await using w = await world()
    await (await w.caches.acquire(mount(), open, NEVER))[Symbol.asyncDispose]()
    const key = cacheKey(mount())
    for (const text of ['{', '[]', '{"id":1}']) {
      await writeFile(join(w.root, key, 'mount.json'), text)
      const [usage] = await w.caches.list()
      assert.equal(usage?.id, key, text)
    }
    await (await w.caches.acquire(mount(), open, NEVER))[Symbol.asyncDispose]()
    assert.equal((await w.caches.list())[0]?.id, 'id')
  })

  it('is removed, but not while somebody has it', async () => {
    await using w = await world()
    const held = await w.caches.acquire(mount(), open, NEVER)
    await writeFile(join(held.path, 'file'), 'x'.repeat(10_000))
    const key = cacheKey(mount())
    await assert.rejects(w.caches.remove(key), /in use by a build/)
    await held[Symbol.asyncDispose]()
    assert.ok((await w.caches.remove(key)) >= 10_000)
    assert.equal(await w.caches.remove(key), 0)
    assert.deepEqual(await readdir(w.root), [])
    for (const hostile of ['..', '../../etc', '', `${key}/..`])
      assert.equal(await w.caches.remove(hostile), 0)
  })

  it('is gone at once for a step that comes while it is being removed', async () => {
    await using w = await world()
    const held = await w.caches.acquire(mount(), open, NEVER)
    await writeFile(join(held.path, 'file'), 'x')
    await held[Symbol.asyncDispose]()
    const freed = Promise.withResolvers<void>()
    w.removing.block = freed.promise
    const removed = w.caches.remove(cacheKey(mount()))
    const next = w.caches.acquire(mount(), open, NEVER)
    freed.resolve()
    assert.deepEqual(await readdir((await next).path), [])
    await removed
  })

  it('that a crash has left half made is cleared away', async () => {
    await using w = await world()
    await (await w.caches.acquire(mount(), open, NEVER))[Symbol.asyncDispose]()
    await mkdir(join(w.root, 'new-0011223344556677'))
    await mkdir(join(w.root, 'removed-0011223344556677'))
    await w.fresh().recover()
    assert.deepEqual(await readdir(w.root), [cacheKey(mount())])
  })
})
