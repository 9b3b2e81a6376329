import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ProgressTally } from './progress-tally.ts'

describe('ProgressTally', () => {
  it('says what a pull leaves behind', () => {
    const tally = new ProgressTally()
    tally.add({ id: 'latest', status: 'Pulling from library/demo' })
    assert.equal(tally.afterInterrupt('pull'), 'Interrupted before anything was fetched.')
    for (const id of ['a', 'b', 'c', 'd']) tally.add({ id, status: 'Pulling fs layer' })
    tally.add({ id: 'a', status: 'Pull complete' })
    tally.add({ id: 'b', status: 'Downloading', progressDetail: { current: 1e6, total: 9e6 } })
    tally.add({ id: 'c', status: 'Downloading', progressDetail: { current: 1e6, total: 2e6 } })
    tally.add({ id: 'c', status: 'Download complete' })
    assert.equal(
      tally.afterInterrupt('pull'),
      'Interrupted. Kept here: 1 of 4 layers and 3MB of 2 more.\nThe next pull goes on from there.',
    )
  })

  it('says what a push has reached', () => {
    const tally = new ProgressTally()
    tally.add({ id: 'a', status: 'Mounted from library/demo' })
    tally.add({ id: 'b', status: 'Layer already exists' })
    tally.add({ id: 'c', status: 'Preparing' })
    assert.equal(
      tally.afterInterrupt('push'),
      'Interrupted. With the registry: 2 of 3 layers.\nThe next push goes on from there.',
    )
  })
})
