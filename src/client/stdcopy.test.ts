import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { frame, streamType } from '#api/stdcopy.ts'
import { demultiplex } from './stdcopy.ts'

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

describe('demultiplex()', () => {
  it('gives each stream its bytes back, however they are cut', async () => {
    const frames = fc.array(
      fc.tuple(fc.constantFrom('stdout' as const, 'stderr' as const), fc.string({ unit: 'grapheme' })),
    )
    await fc.assert(
      fc.asyncProperty(frames, fc.integer({ min: 1, max: 20 }), async (written, size) => {
        const wire = Buffer.concat(written.map(([name, text]) => frame(streamType[name], Buffer.from(text))))
        const read = { stdout: '', stderr: '' }
        const chunks = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] }
        for await (const { stream, data } of demultiplex(pieces(wire, size))) chunks[stream].push(data)
        for (const name of ['stdout', 'stderr'] as const) read[name] = Buffer.concat(chunks[name]).toString()
        const text = (name: string): string =>
          written
            .filter(([stream]) => stream === name)
            .map(([, each]) => each)
            .join('')
        assert.deepEqual(read, { stdout: text('stdout'), stderr: text('stderr') })
      }),
    )
  })

  it("rejects with the daemon's message when it sends one", async () => {
    const wire = frame(streamType.error, Buffer.from('Error grabbing logs: gone'))
    await assert.rejects(Array.fromAsync(demultiplex(pieces(wire, 5))), /Error grabbing logs: gone/)
  })

  it('rejects when the stream ends inside a frame, or is no such stream', async () => {
    const wire = frame(streamType.stdout, Buffer.from('abc'))
    await assert.rejects(Array.fromAsync(demultiplex(pieces(wire.subarray(0, 9), 3))), /ends inside a frame/)
    await assert.rejects(Array.fromAsync(demultiplex(pieces(Buffer.from('plain text'), 99))))
  })
})
