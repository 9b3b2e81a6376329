import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Digest } from '#base/digest.ts'
import { FakeClock } from '#base/fake-clock.ts'
import { silentLogger } from '#base/logger.ts'
import { openCatalogue } from '../storage/catalogue.ts'
import { fakeManifest } from '../storage/fake-manifest.ts'
import { Retention, retentionText } from './retention.ts'
import { readRetention } from './rule.ts'

const DAY = 86_400_000
const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}`

/** `team/app` with the tags a, b, c, d, v1 pushed one day after the other; b was pulled now. */
async function bench(settings: readonly object[]) {
  const catalogue = openCatalogue(':memory:', { logger: silentLogger })
  const clock = new FakeClock()
  catalogue.repositories.pushed('team/app', 0)
  for (const [index, tag] of ['a', 'b', 'c', 'd', 'v1'].entries()) {
    const manifest = digest(String(index))
    const pushed = clock.now().getTime()
    catalogue.manifests.put(fakeManifest({ repository: 'team/app', digest: manifest, pushed }))
    catalogue.tags.put('team/app', tag, manifest, pushed)
    await clock.advance(DAY)
  }
  catalogue.tags.pulled('team/app', 'b', clock.now().getTime())
  const retention = new Retention({ catalogue, clock, rules: readRetention(settings) })
  const tags = (): string[] =>
    catalogue.tags.list('team/app', { last: undefined, limit: 100 }).map(({ tag }) => tag)
  return { retention, tags, catalogue, [Symbol.asyncDispose]: () => catalogue[Symbol.asyncDispose]() }
}

describe('Retention', () => {
  it('keeps the last pushed, the recently used and the named, and deletes the others', async () => {
    await using t = await bench([
      { repositories: ['team/*'], keepLast: 2, keepPulledWithin: '1d', keepTags: ['a'] },
    ])
    const dry = await t.retention.apply({ dryRun: true })
    assert.deepEqual(
      dry.deleted.map(({ tag }) => tag.tag),
      ['c'],
    )
    assert.match(retentionText(dry), /would delete tag team\/app:c .*: no rule keeps it/)
    assert.equal(t.tags().length, 5)
    assert.deepEqual((await t.retention.apply()).repositories, ['team/app'])
    assert.deepEqual(t.tags(), ['a', 'b', 'd', 'v1'])
  })

  it('goes by the first rule that fits, and leaves alone what no rule names', async () => {
    await using t = await bench([{ repositories: ['team/*'] }, { keepLast: 1 }])
    assert.deepEqual((await t.retention.apply()).deleted, [])
    assert.equal(t.retention.covers('team/app'), false)
    assert.equal(t.retention.covers('x'), true)
  })

  it('neither overwrites nor deletes immutable tags', async () => {
    await using t = await bench([{ immutableTags: ['v*'], keepLast: 0 }])
    t.retention.checkPush('team/app', ['v1', 'v2', 'a'], digest('4'))
    assert.throws(() => t.retention.checkPush('team/app', ['v1'], digest('e')), {
      code: 'DENIED',
      message: /tag team\/app:v1 is immutable and leads to sha256:4/,
    })
    await t.retention.apply()
    assert.deepEqual(t.tags(), ['v1'])
  })
})
