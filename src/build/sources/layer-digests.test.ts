import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { digestOf } from '#base/digest.ts'
import { LayerDigests } from './layer-digests.ts'

const layer = (name: string) => digestOf(name)

describe('LayerDigests', () => {
  it('keeps what is known of the same layers in the same order', () => {
    const digests = new LayerDigests()
    digests.of([layer('a'), layer('b')]).set('f', digestOf('content'))

    assert.equal(digests.of([layer('a'), layer('b')]).get('f'), digestOf('content'))
    assert.equal(digests.of([layer('b'), layer('a')]).get('f'), undefined)
    assert.equal(digests.of([layer('a')]).get('f'), undefined)
  })

  it('forgets what was used longest ago', () => {
    const digests = new LayerDigests()
    for (let i = 0; i < 40; i++) {
      digests.of([layer(`${i}`)]).set('f', digestOf('content'))
      digests.of([layer('0')])
    }

    assert.equal(digests.of([layer('0')]).size, 1)
    assert.equal(digests.of([layer('39')]).size, 1)
    assert.equal(digests.of([layer('1')]).size, 0)
  })
})
