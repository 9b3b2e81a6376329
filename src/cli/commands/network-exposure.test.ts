import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { placesText } from './network-exposure.ts'

describe('placesText()', () => {
  it('says once what is said of several', () => {
    assert.equal(placesText(['this host']), 'this host')
    assert.equal(
      placesText([
        'this host',
        'neighbours at 192.0.2.2',
        'neighbours at 10.0.0.1',
        'network a',
        'network b',
      ]),
      'this host; neighbours at 192.0.2.2, 10.0.0.1; networks a, b',
    )
    assert.equal(placesText(['this host', 'network app']), 'this host; network app')
  })
})
