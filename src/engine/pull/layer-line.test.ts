import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { layerBytes, progressBar } from './layer-line.ts'

describe('progressBar()', () => {
  it('has fifty places, and sizes as Docker writes them', () => {
    assert.equal(progressBar(0, 2_000_000), `[>${' '.repeat(50)}]       0B/2MB`)
    assert.equal(progressBar(1_234_567, 2_469_134), `[${'='.repeat(25)}>${' '.repeat(25)}]  1.235MB/2.469MB`)
    assert.equal(progressBar(10, 10), `[${'='.repeat(50)}>]      10B/10B`)
  })

  it('is a size alone when the end is not known', () => {
    assert.equal(progressBar(1500, 0), '   1.5kB')
    assert.equal(progressBar(1500, 1000), '   1.5kB')
  })

  it('comes with the numbers', () => {
    assert.deepEqual(layerBytes(`sha256:${'ab'.repeat(32)}`, 'Downloading', 10, 10), {
      status: 'Downloading',
      progressDetail: { current: 10, total: 10 },
      progress: progressBar(10, 10),
      id: 'abababababab',
    })
  })
})
