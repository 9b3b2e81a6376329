import assert from 'node:assert/strict'
import { chmod, link, mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { temporaryDirectory } from '#test/support/native.ts'
import { IgnoreMatcher } from '../dockerfile/ignore.ts'
import { openDirectory } from './directory-source.ts'
import { withoutIgnored } from './ignored-source.ts'

const copies = { copy: () => assert.fail('nothing is copied') }
/** All that is there was written long ago. */
const later = { now: () => new Date(Date.now() + 60_000), sleep: () => assert.fail('nobody waits') }

async function tree() {
  const at = await temporaryDirectory('state')
  const path = (name: string): string => join(at.path, name)
  for (const name of ['d', 'd/sub', 'e']) await mkdir(path(name))
  for (const name of ['d/a', 'd/sub/b', 'e/log', 'z']) await writeFile(path(name), name)
  await symlink('a', path('d/link'))
  const open = (clock = later) => openDirectory(at.path, { name: 'build context', copies, clock })
  const state = async (below: string, ignored: readonly string[] = [], clock = later) => {
    const source = await open(clock)
    const shown = withoutIgnored(
      source,
      { matcher: new IgnoreMatcher(ignored), file: '.dockerignore' },
      copies,
    )
    await using seen = ignored.length === 0 ? source : shown
    return await seen.state?.(below)
  }
  return { path, state, [Symbol.asyncDispose]: () => at[Symbol.asyncDispose]() }
}

describe('state()', () => {
  it('is the same until something below the path changes', async () => {
    await using at = await tree()
    const changes: readonly (readonly [string, () => Promise<void>])[] = [
      ['content of the same length', () => writeFile(at.path('d/a'), 'D/A')],
      ['mode', () => chmod(at.path('d/a'), 0o600)],
      ['mode of a directory', () => chmod(at.path('d/sub'), 0o700)],
      ['time', () => utimes(at.path('d/sub/b'), 5, 5)],
      ['another name', () => rename(at.path('d/sub/b'), at.path('d/sub/c'))],
      ['a file more', () => writeFile(at.path('d/new'), '')],
      ['a hard link more', () => link(at.path('d/a'), at.path('d/hard'))],
      ['another file of that name', () => rename(at.path('d/new'), at.path('d/a'))],
      ['a file less', () => rm(at.path('d/sub/c'))],
      [
        'where a symlink leads',
        async () => {
          await rm(at.path('d/link'))
          await symlink('b', at.path('d/link'))
        },
      ],
      ['a directory less', () => rm(at.path('d/sub'), { recursive: true })],
    ]
    let before = await at.state('d')
    assert.match(before ?? '', /^sha256:/)
    for (const [what, change] of changes) {
      assert.equal(await at.state('d'), before, what)
      await change()
      const now = await at.state('d')
      assert.notEqual(now, before, what)
      before = now
    }
    await writeFile(at.path('z'), 'beside it')
    assert.equal(await at.state('d'), before)
  })

  it('does not change with files that come and go', async () => {
    await using at = await tree()
    const before = await at.state('d')
    await writeFile(at.path('d/gone'), '')
    await rm(at.path('d/gone'))
    assert.equal(await at.state('d'), before)
  })

  it('leaves out what is ignored, and all else counts', async () => {
    await using at = await tree()
    const ignored = ['*/log', 'd/sub', '!d/sub/kept']
    const before = await at.state('', ignored)
    await writeFile(at.path('e/log'), 'a line more')
    await writeFile(at.path('d/sub/b'), 'changed')
    assert.equal(await at.state('', ignored), before)
    await writeFile(at.path('d/sub/kept'), 'an exception')
    assert.notEqual(await at.state('', ignored), before)
    assert.notEqual(await at.state('', ['*/log']), await at.state(''))
  })

  it('is not known of what was changed just now, or is not there', async () => {
    await using at = await tree()
    const just = { ...later, now: () => new Date() }
    assert.equal(await at.state('d', [], just), undefined)
    assert.equal((await at.state('d', ['d/a', 'd/sub', 'd/link'], just)) === undefined, false)
    assert.equal(await at.state('nothing'), undefined)
  })
})
