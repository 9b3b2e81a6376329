import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EngineError } from '#base/errors.ts'
import { nextLink } from './links.ts'
import { parseRetryAfter, pauseAfter } from './retries.ts'
import { uniteScopes } from './scopes.ts'

describe('parseRetryAfter()', () => {
  it('reads seconds and dates', () => {
    const now = Date.parse('2026-01-02T03:04:05Z')
    assert.equal(parseRetryAfter('120', now), 120_000)
    assert.equal(parseRetryAfter('Fri, 02 Jan 2026 03:04:15 GMT', now), 10_000)
    assert.equal(parseRetryAfter('Fri, 02 Jan 2026 03:04:00 GMT', now), 0)
    assert.equal(parseRetryAfter('soon', now), undefined)
    assert.equal(parseRetryAfter(undefined, now), undefined)
  })
})

describe('pauseAfter()', () => {
  it('grows up to a limit, by chance between half and all of it', () => {
    const error = new Error('x')
    assert.deepEqual(
      [1, 2, 3, 9].map((attempt) => pauseAfter(error, attempt, () => 0)),
      [125, 250, 500, 5000],
    )
    assert.equal(
      pauseAfter(error, 9, () => 0.999),
      9995,
    )
  })

  it('is what was asked for, unless that is too long', () => {
    const asked = (retryAfter: number) =>
      new EngineError('unavailable', '', { code: 'X', details: { retryAfter } })
    assert.equal(
      pauseAfter(asked(3000), 1, () => 0),
      3000,
    )
    assert.equal(
      pauseAfter(asked(0), 1, () => 0),
      125,
    )
    assert.equal(
      pauseAfter(asked(60_001), 1, () => 0),
      undefined,
    )
  })
})

describe('uniteScopes()', () => {
  it('has every resource once', () => {
    assert.deepEqual(
      uniteScopes([
        'repository:a:pull',
        'repository:b:pull repository:a:push,pull',
        'registry:catalog:*',
        '',
      ]),
      ['repository:a:pull,push', 'repository:b:pull', 'registry:catalog:*'],
    )
  })
})

describe('nextLink()', () => {
  it('finds the next page among links', () => {
    assert.equal(nextLink('</v2/a?last=b>; rel="next"'), '/v2/a?last=b')
    assert.equal(nextLink('</x>; rel="prev", </y>; title="a"; rel=next'), '/y')
    assert.equal(nextLink('</x>; rel="prev"'), undefined)
    assert.equal(nextLink(undefined), undefined)
  })
})
