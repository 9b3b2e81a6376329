import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Duplex, duplexPair } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, it } from 'node:test'
import { AttachStream } from './attach-stream.ts'
import { detachFilter, parseDetachKeys } from './detach-keys.ts'

async function* chunks(...parts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part)
}

/** Reads to the end without closing the other direction, as iterating would. */
async function read(stream: Duplex): Promise<string> {
  const parts: Buffer[] = []
  stream.on('data', (chunk: Buffer) => parts.push(chunk))
  await once(stream, 'end')
  return Buffer.concat(parts).toString()
}

describe('AttachStream', () => {
  it('keeps input and its end until there is somebody to take it', async () => {
    const stream = new AttachStream()
    stream.end('early')
    await turn()
    const [ours, theirs] = duplexPair()
    stream.connect(ours)
    assert.equal(await read(theirs), 'early')
    theirs.end('answer')
    assert.equal(await read(stream), 'answer')
  })

  it('gives output after input has ended', async () => {
    const [ours, theirs] = duplexPair()
    const stream = new AttachStream()
    stream.connect(ours)
    stream.end()
    await read(theirs)
    theirs.end('late')
    assert.equal(await read(stream), 'late')
  })

  it('keeps output for who reads slowly, also when input had ended before the process began', async () => {
    const stream = new AttachStream()
    stream.end()
    await turn()
    const [ours, theirs] = duplexPair()
    stream.connect(ours)
    await read(theirs)
    theirs.end('all of it')
    await once(ours, 'close')
    assert.equal(await read(stream), 'all of it')
  })

  it('keeps output when its input cannot be taken any more', async () => {
    for (const early of [true, false]) {
      const stream = new AttachStream()
      if (early) stream.end('typed')
      await turn()
      const target = new Duplex({
        read() {},
        write: (_chunk, _encoding, done) => done(new Error('EPIPE')),
        final: (done) => done(new Error('EPIPE')),
      })
      target.push('all of it')
      stream.connect(target)
      await turn()
      if (!early) stream.end()
      if (!target.closed) await once(target, 'close').catch(() => undefined)
      await turn()
      assert.equal(await read(stream), 'all of it')
    }
  })

  it('ends both ways when it is abandoned', async () => {
    const stream = new AttachStream()
    stream.write('typed')
    stream.abandon(Buffer.from('why'))
    assert.equal(await read(stream), 'why')
    stream.end('typed later')
    await once(stream, 'finish')
  })

  it('has no use for a stream that comes when the client has left', async () => {
    for (const leave of [
      (stream: AttachStream) => stream.destroy(),
      (stream: AttachStream) => stream.abandon(),
    ]) {
      const stream = new AttachStream()
      leave(stream)
      const [ours] = duplexPair()
      stream.connect(ours)
      assert.equal(ours.destroyed, true)
    }
  })

  it('lets go of the process when the client leaves', async () => {
    const [ours, theirs] = duplexPair()
    const stream = new AttachStream()
    stream.connect(ours)
    stream.destroy()
    await once(stream, 'close')
    assert.equal(ours.destroyed, true)
    theirs.on('error', () => undefined)
  })

  it('ends when the other side is cut off', async () => {
    const [ours] = duplexPair()
    const stream = new AttachStream()
    stream.connect(ours)
    ours.destroy()
    assert.equal(await text(stream), '')
  })

  it('shows what was written before first, with or without a process', async () => {
    const [ours, theirs] = duplexPair()
    const stream = new AttachStream({}, chunks('one ', 'two '))
    stream.connect(ours)
    theirs.end('three')
    assert.equal(await text(stream), 'one two three')

    const alone = new AttachStream({}, chunks('one ', 'two'))
    alone.abandon()
    assert.equal(await text(alone), 'one two')
  })

  it('reads what was written before as fast as the client does', async () => {
    let read = 0
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        read += 1
        yield Buffer.alloc(65536)
      }
    }
    const stream = new AttachStream({}, endless())
    stream.read(0)
    for (let i = 0; i < 50; i++) await turn()
    assert.ok(read < 5, `${read} chunks were read`)
    stream.destroy()
  })

  it('detaches at the keys and leaves the process alone', async () => {
    let detached = 0
    const filter = detachFilter(parseDetachKeys(undefined))
    const stream = new AttachStream({ filter, onDetach: () => (detached += 1) })
    const [ours, theirs] = duplexPair()
    stream.connect(ours)
    const output = text(stream)
    stream.write('ls\n')
    stream.write(Buffer.from([0x10, 0x11]))
    await once(ours, 'close')
    assert.equal(detached, 1)
    assert.equal(await output, '')
    theirs.on('error', () => undefined)
  })
})
