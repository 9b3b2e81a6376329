import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { FakeClock } from '#base/fake-clock.ts'
import { writeFileDurably } from '#os/files.ts'
import { INDEX, KeptStore } from './kept-store.ts'

async function store(limit: number) {
  const directory = await mkdtemp(join(tmpdir(), 'berth-kept-'))
  const clock = new FakeClock(new Date())
  const helper = { removeTree: (path: string) => rm(path, { recursive: true }) }
  const kept = new KeptStore({ directory, helper, clock, limit })
  return {
    kept,
    clock,
    /** Something of about `kibibytes`. */
    async keep(key: string, kibibytes: number): Promise<void> {
      await mkdir(kept.path(key), { recursive: true })
      await writeFile(join(kept.path(key), 'content'), Buffer.alloc(kibibytes << 10, 'x'))
      await writeFileDurably(join(kept.path(key), INDEX), '{}')
      await kept.touch(key)
      await clock.advance(1000)
    },
    keys: async () => (await readdir(directory)).toSorted(),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  }
}

describe('KeptStore', () => {
  it('removes what was used longest ago until the rest is little enough', async () => {
    await using at = await store(500 << 10)
    for (const key of ['a', 'b', 'c']) await at.keep(key, 200)
    await at.kept.touch('a')

    await at.kept.tidy()

    assert.deepEqual(await at.keys(), ['a', 'c'])
    assert.deepEqual(
      (await at.kept.list()).map(({ key }) => key),
      ['c', 'a'],
    )
  })

  it('removes what nobody has used for two weeks', async () => {
    await using at = await store(1 << 30)
    await at.keep('old', 1)
    await at.clock.advance(14 * 86_400_000)
    await at.keep('new', 1)

    await at.kept.tidy()

    assert.deepEqual(await at.keys(), ['new'])
  })

  it('removes nothing that is in use, however often', async () => {
    await using at = await store(0)
    await at.keep('a', 100)
    {
      using _one = at.kept.use('a')
      {
        using _two = at.kept.use('a')
        await at.kept.tidy()
      }
      await at.kept.tidy()
      assert.equal(await at.kept.remove('a'), false)
      assert.deepEqual(await at.keys(), ['a'])
      assert.equal((await at.kept.list())[0]?.inUse, true)
    }
    await at.kept.tidy()
    assert.deepEqual(await at.keys(), [])
  })

  it('tells the size anew when the index was written anew', async () => {
    await using at = await store(1 << 30)
    await at.keep('a', 100)
    const [before] = await at.kept.list()
    await at.keep('a', 300)
    const [after] = await at.kept.list()

    assert.ok((before?.size ?? 0) >= 100 << 10 && (before?.size ?? 0) < 200 << 10)
    assert.ok((after?.size ?? 0) >= 300 << 10)
  })

  it('counts what has no index, and removes it when it is old', async () => {
    await using at = await store(1 << 30)
    await mkdir(at.kept.path('torn'))
    assert.equal((await at.kept.list()).length, 1)
    await at.clock.advance(15 * 86_400_000)
    await at.kept.tidy()
    assert.deepEqual(await at.keys(), [])
  })
})
