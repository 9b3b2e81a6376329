import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { silentLogger } from '#base/logger.ts'
import { openCatalogue } from '../storage/catalogue.ts'
import { Quota, readQuota } from './quota.ts'

const blob = (letter: string) => `sha256:${letter.repeat(64)}` as const

describe('Quota', () => {
  it('counts each blob of a namespace once, and refuses what does not fit with both numbers', async () => {
    await using catalogue = openCatalogue(':memory:', { logger: silentLogger })
    const quota = new Quota(
      catalogue.db,
      readQuota([
        { namespace: 'team', limit: 100 },
        { namespace: 'guest*', limit: '1KB' },
      ]),
    )
    for (const [repository, digest, size] of [
      ['team/a', blob('a'), 40],
      ['team/b', blob('a'), 40],
      ['team/b', blob('b'), 20],
      ['teams/x', blob('c'), 999],
    ] as const) {
      catalogue.repositories.pushed(repository, 1)
      catalogue.links.put({ repository, blob: digest, size, touched: 1 })
    }
    assert.equal(quota.used('team'), 60)
    quota.check('team/a', { kind: 'blob', bytes: 40 })
    quota.check('team/a', { kind: 'blob', bytes: undefined })
    quota.check('team/a', { kind: 'mount', bytes: 41 })
    assert.throws(() => quota.check('team/a', { kind: 'blob', bytes: 41 }), {
      code: 'DENIED',
      message: /uses 60 of 100 bytes allowed, and this needs 41 more/,
    })
    assert.deepEqual(
      [quota.room('team/a'), quota.room('guest1/x'), quota.room('teams/x')],
      [40, 1000, undefined],
    )
    assert.equal(quota.limitOf('guest7'), 1000)
    quota.check('teams/x', { kind: 'blob', bytes: 10 ** 12 })
  })

  it('refuses settings that say nothing', () => {
    assert.throws(() => readQuota([{ namespace: 'x' }]), /limit is missing/)
    assert.throws(() => readQuota([{ namespace: '/(/', limit: 1 }]), /is no pattern/)
  })
})
