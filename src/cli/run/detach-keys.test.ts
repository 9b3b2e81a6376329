import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DEFAULT_DETACH_KEYS, DetachWatcher, parseDetachKeys } from './detach-keys.ts'

describe('parseDetachKeys()', () => {
  it('reads characters and control keys', () => {
    assert.deepEqual(parseDetachKeys(DEFAULT_DETACH_KEYS), [16, 17])
    assert.deepEqual(parseDetachKeys('a,ctrl-@,ctrl-['), [97, 0, 27])
    assert.throws(() => parseDetachKeys('ctrl-1'), /Unknown character: 'ctrl-1'/)
    assert.throws(() => parseDetachKeys(''), /Unknown character/)
  })
})

describe('DetachWatcher', () => {
  it('sees the keys in a row only, however the bytes come', () => {
    const seen = (...typed: number[][]): boolean => {
      const watcher = new DetachWatcher('ctrl-p,ctrl-q')
      for (const bytes of typed) watcher.push(Uint8Array.from(bytes))
      return watcher.seen
    }
    assert.equal(seen([16, 17]), true)
    assert.equal(seen([65, 16], [17]), true)
    assert.equal(seen([16, 16, 17]), true)
    assert.equal(seen([16, 65, 17]), false)
    assert.equal(new DetachWatcher(undefined).seen, false)
  })
})
