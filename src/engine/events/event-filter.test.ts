import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { matchesFilters } from './event-filter.ts'

const start = {
  type: 'container',
  action: 'start',
  actorId: 'abcdef012345',
  attributes: { name: 'web', image: 'host:5000/app:1.2', tier: 'front', empty: '' },
}

const matches = (filters: Record<string, string[]>, event = start) =>
  matchesFilters(event, new Map(Object.entries(filters)))

describe('matchesFilters()', () => {
  it('takes values of one key as alternatives and keys as conditions', () => {
    assert.ok(matches({}))
    assert.ok(matches({ type: ['image', 'container'], event: ['stop', 'start'] }))
    assert.ok(!matches({ type: ['container'], event: ['stop'] }))
    assert.ok(matches({ scope: ['local'], unknown: ['x'] }))
    assert.ok(!matches({ scope: ['swarm'] }))
  })

  it('wants all labels', () => {
    assert.ok(matches({ label: ['tier', 'tier=front', 'empty='] }))
    assert.ok(!matches({ label: ['tier=front', 'other'] }))
    assert.ok(!matches({ label: ['constructor'] }))
  })

  it('finds actors by the beginning of id or name', () => {
    assert.ok(matches({ container: ['abc'] }))
    assert.ok(matches({ container: ['nope', 'we'] }))
    assert.ok(!matches({ container: ['eb'] }))
  })

  it('compares images with and without the tag', () => {
    assert.ok(matches({ image: ['host:5000/app'] }))
    assert.ok(matches({ image: ['host:5000/app:1.2'] }))
    assert.ok(!matches({ image: ['host'] }))
    assert.ok(
      matches(
        { image: ['app'] },
        { ...start, type: 'image', attributes: { ...start.attributes, name: 'app:1' } },
      ),
    )
  })

  it('matches actions with a detail by their name', () => {
    assert.ok(matches({ event: ['exec_start'] }, { ...start, action: 'exec_start: ls -l' }))
    assert.ok(matches({ event: ['health_status: healthy'] }, { ...start, action: 'health_status: healthy' }))
    assert.ok(!matches({ event: ['exec'] }, { ...start, action: 'exec_start: ls' }))
  })
})
