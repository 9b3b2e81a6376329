import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { Expansion } from './expansion.ts'

async function* pieces(...sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (const size of sizes) yield Buffer.alloc(size)
}

describe('Expansion', () => {
  const limits = { unquestioned: 100, ratio: 3 }

  it('lets pass what is small, and what does not grow much', async () => {
    const expansion = new Expansion(limits)
    await Array.fromAsync(expansion.from(pieces(1)))
    await Array.fromAsync(expansion.into(pieces(50, 50)))
    await Array.fromAsync(expansion.from(pieces(99)))
    await Array.fromAsync(expansion.into(pieces(200)))
  })

  it('adds up everything that comes out, and stops at the first byte too many', async () => {
    const expansion = new Expansion(limits)
    await Array.fromAsync(expansion.from(pieces(10)))
    await Array.fromAsync(expansion.into(pieces(60)))
    let made = 0
    await assert.rejects(
      async () => {
        for await (const chunk of expansion.into(pieces(40, 1, 1000))) made += chunk.length
      },
      (error) => isKind(error, 'resource_exhausted'),
    )
    assert.equal(made, 40)
  })
})
