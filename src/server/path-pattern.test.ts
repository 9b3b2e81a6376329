import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PathPattern } from './path-pattern.ts'

describe('PathPattern.match()', () => {
  it('reads one segment per parameter and decodes it afterwards', () => {
    const pattern = new PathPattern('/containers/{id}/checkpoints/{checkpoint}', { greedy: false })
    assert.deepEqual(pattern.match('/containers/a%2Fb/checkpoints/c'), { id: 'a/b', checkpoint: 'c' })
    assert.equal(pattern.match('/containers/a/b/checkpoints/c'), undefined)
    assert.equal(pattern.match('/containers//checkpoints/c'), undefined)
  })

  it('lets a greedy parameter hold slashes and matches by the end', () => {
    const pattern = new PathPattern('/images/{name}/json', { greedy: true })
    assert.deepEqual(pattern.match('/images/host:5000/a/b@sha256:1/json'), { name: 'host:5000/a/b@sha256:1' })
    assert.deepEqual(pattern.match('/images/json/json'), { name: 'json' })
    assert.equal(pattern.match('/images/a/history'), undefined)
    for (const path of ['/images//a/json', '/images/a//b/json']) assert.equal(pattern.match(path), undefined)
  })

  it('matches a fixed path with no parameters', () => {
    const pattern = new PathPattern('/_ping', { greedy: false })
    assert.deepEqual(pattern.match('/_ping'), {})
    assert.equal(pattern.match('/_ping/'), undefined)
    assert.equal(pattern.match('/xping'), undefined)
  })
})
