import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { link, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { allocatedBytes, countBlocks } from './blocks.ts'

let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'berth-blocks-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

function du(): number {
  return Number.parseInt(execFileSync('du', ['-s', '--block-size=1', root], { encoding: 'utf8' }), 10)
}

describe('countBlocks()', () => {
  it('adds up to what du says, with hard links, holes and symbolic links', async () => {
    await mkdir(join(root, 'a/b'), { recursive: true })
    await writeFile(join(root, 'a/one'), Buffer.alloc(100_000, 1))
    await link(join(root, 'a/one'), join(root, 'a/b/two'))
    await writeFile(join(root, 'a/hole'), 'x')
    await truncate(join(root, 'a/hole'), 1 << 30)
    await symlink('/usr', join(root, 'a/usr'))
    for (let i = 0; i < 50; i++) await writeFile(join(root, 'a/b', `f${i}`), 'x')
    const piles = await countBlocks(root, (path) =>
      path === '' ? 'top' : path === 'a/b' ? 'inner' : undefined,
    )
    assert.deepEqual([...piles.keys()].toSorted(), ['inner', 'top'])
    assert.equal((piles.get('top') ?? 0) + (piles.get('inner') ?? 0), du())
    assert.equal(await allocatedBytes(root), du())
  })

  it('is nothing for what is not there, and stops when it is told to', async () => {
    assert.equal(await allocatedBytes(join(root, 'nothing')), 0)
    await writeFile(join(root, 'x'), 'x')
    await assert.rejects(
      countBlocks(root, () => 'x', { signal: AbortSignal.abort() }),
      /abort/i,
    )
  })

  it('frees what has no name elsewhere', async () => {
    await mkdir(join(root, 'inside'))
    await writeFile(join(root, 'inside/own'), Buffer.alloc(50_000))
    await link(join(root, 'inside/own'), join(root, 'inside/own-too'))
    await writeFile(join(root, 'shared'), Buffer.alloc(100_000))
    const alone = await allocatedBytes(join(root, 'inside'))
    await link(join(root, 'shared'), join(root, 'inside/shared'))
    assert.equal(await allocatedBytes(join(root, 'inside')), alone)
    assert.equal(await allocatedBytes(join(root, 'inside/shared')), 0)
    assert.ok(alone >= 50_000 && alone < 100_000, String(alone))
  })

  it('counts trees of a thousand levels', async () => {
    const deep = Array.from({ length: 1000 }, () => 'd').join('/')
    await mkdir(join(root, deep), { recursive: true })
    assert.equal(await allocatedBytes(root), du())
  })
})
