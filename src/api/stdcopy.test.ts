import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { frame, FrameReader, streamType } from './stdcopy.ts'

describe('frame()', () => {
  it('writes type, three zeros, the length and the payload', () => {
    assert.deepEqual([...frame(streamType.stderr, Buffer.from('ab'))], [2, 0, 0, 0, 0, 0, 0, 2, 97, 98])
  })
})

describe('FrameReader', () => {
  it('finds the frames again however the bytes are cut', () => {
    const frames = fc.array(
      fc.record({ type: fc.constantFrom(0, 1, 2, 3), payload: fc.uint8Array({ maxLength: 40 }) }),
    )
    fc.assert(
      fc.property(frames, fc.array(fc.nat(200)), (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(({ type, payload }) => frame(type, payload)))
        const edges = [0, ...cuts.filter((cut) => cut < bytes.length).toSorted((a, b) => a - b), bytes.length]
        const reader = new FrameReader()
        const got = edges.slice(1).flatMap((end, i) => reader.push(bytes.subarray(edges[i], end)))
        assert.deepEqual(
          got.map(({ type, payload }) => [type, [...payload]]),
          sent.map(({ type, payload }) => [type, [...payload]]),
        )
        assert.equal(reader.isAtBoundary, true)
      }),
    )
  })
})
