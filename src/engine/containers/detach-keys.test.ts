import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { detachFilter, parseDetachKeys } from './detach-keys.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1')
const run = (keys: string, ...chunks: string[]): (string | undefined)[] => {
  const filter = detachFilter(parseDetachKeys(keys))
  return chunks.map((chunk) => {
    const passed = filter(bytes(chunk))
    return passed === undefined ? undefined : Buffer.from(passed).toString('latin1')
  })
}

describe('parseDetachKeys()', () => {
  it('is ctrl-p ctrl-q when nothing is given', () => {
    assert.deepEqual([...parseDetachKeys('')], [0x10, 0x11])
  })

  it('reads characters and control keys', () => {
    assert.deepEqual([...parseDetachKeys('a,ctrl-@,ctrl-_')], [0x61, 0x00, 0x1f])
  })

  it('refuses what is neither', () => {
    assert.throws(
      () => parseDetachKeys('ctrl-1'),
      (error) => isKind(error, 'invalid_argument'),
    )
  })
})

describe('detachFilter()', () => {
  it('detaches on the sequence, also across chunks', () => {
    assert.deepEqual(run('', 'ab\x10', '\x11'), ['ab', undefined])
  })

  it('gives withheld bytes back when the sequence breaks off', () => {
    assert.deepEqual(run('', '\x10', 'x'), ['', '\x10x'])
  })

  it('starts over at a first key that follows a first key', () => {
    assert.deepEqual(run('', '\x10\x10', '\x11'), ['\x10', undefined])
  })
})
