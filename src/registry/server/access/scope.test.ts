import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { actionsOf, formatScope, parseScope, parseScopes } from './scope.ts'

describe('parseScope()', () => {
  it('reads type, class, name and actions', () => {
    assert.deepEqual(parseScope('repository:team/app:pull,push,pull'), {
      type: 'repository',
      class: undefined,
      name: 'team/app',
      actions: ['pull', 'push'],
    })
    assert.equal(parseScope('repository(plugin):a:pull')?.class, 'plugin')
    assert.equal(parseScope('repository:localhost:5000/a:pull')?.name, 'localhost:5000/a')
    assert.deepEqual(parseScope('registry:catalog:*')?.actions, ['*'])
  })

  it('refuses what is none', () => {
    const wrong = ['', 'a', 'a:b', 'repository::pull', 'repository:a:', 'repository:a:pull,', 'Repo:a:pull']
    const worse = [
      'repository:a b:pull',
      'repository(x:a:pull',
      'repository:a"b:pull',
      `repository:${'a'.repeat(2000)}:pull`,
    ]
    for (const text of [...wrong, ...worse]) assert.equal(parseScope(text), undefined, text)
  })

  it('formatScope() is its inverse', () => {
    const word = fc.stringMatching(/^[a-z]{1,8}$/)
    const scope = fc.record({
      type: word,
      class: fc.option(word, { nil: undefined }),
      name: fc.stringMatching(/^[a-z0-9]+(?:[:/][a-z0-9]+){0,3}$/),
      actions: fc.uniqueArray(fc.oneof(word, fc.constant('*')), { minLength: 1, maxLength: 3 }),
    })
    fc.assert(fc.property(scope, (value) => assert.deepEqual(parseScope(formatScope(value)), { ...value })))
  })
})

it('parseScopes() takes repeated and space-separated scopes, and skips what it does not understand', () => {
  const texts = ['repository:a:pull  repository:b:push', '', 'nonsense', 'registry:catalog:*']
  assert.deepEqual(
    parseScopes(texts).map(({ name }) => name),
    ['a', 'b', 'catalog'],
  )
})

it('actionsOf() takes * for all and leaves out the unknown', () => {
  assert.deepEqual(actionsOf(['*']), ['pull', 'push', 'delete'])
  assert.deepEqual(actionsOf(['admin', 'push']), ['push'])
})
