import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isKind } from '#base/errors.ts'
import { parseTarget } from './target.ts'

describe('parseTarget()', () => {
  it('separates version, path and query', () => {
    assert.deepEqual(parseTarget('/v1.42/containers/json?all=1'), {
      version: '1.42',
      path: '/containers/json',
      query: 'all=1',
      authority: undefined,
    })
    assert.equal(parseTarget('/volumes/v1.42').version, undefined)
    assert.equal(parseTarget('/v1.42').path, '/')
    assert.equal(parseTarget('/v1.42x/info').version, undefined)
  })

  it('reads the absolute form as the same path, and its authority in place of Host', () => {
    const target = parseTarget('http://evil.example:80/v1.42/info?x')
    assert.deepEqual(target, { version: '1.42', path: '/info', query: 'x', authority: 'evil.example:80' })
  })

  it('leaves escapes for after the routing', () => {
    assert.equal(parseTarget('/images/team%2Fdemo/json').path, '/images/team%2Fdemo/json')
  })

  it('refuses dot segments, control characters and broken escapes', () => {
    const refused = [
      '/v1.99/../info',
      '/containers/./json',
      '/containers/%2e%2e/json',
      '/containers/.%2E/json',
      '/images/a%2f..%2fb/json',
      '/containers/a%00b/json',
      '/containers/%0d%0aX/json',
      '/containers/%zz',
      '/containers/%ff',
      '/a\u00e9',
      'info',
      '/info#part',
      '//host/..',
    ]
    for (const url of refused) {
      assert.throws(
        () => parseTarget(url),
        (error) => isKind(error, 'invalid_argument'),
        url,
      )
    }
  })

  it('never leaves a dot segment in a path, whatever comes', () => {
    const parts = fc.array(
      fc.constantFrom('..', '.', '/', '%2f', '%2e', '%2E', 'v1.40', 'a', '%00', '?', '%'),
    )
    fc.assert(
      fc.property(parts, (tokens) => {
        let path: string
        try {
          path = parseTarget(`/${tokens.join('')}`).path
        } catch (error) {
          assert.ok(isKind(error, 'invalid_argument'))
          return
        }
        assert.ok(!/(^|\/)\.\.?(\/|$)/.test(decodeURIComponent(path)), path)
      }),
    )
  })
})
