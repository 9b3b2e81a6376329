import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isKind } from '#base/errors.ts'
import { globMatcher } from './glob.ts'

describe('globMatcher()', () => {
  const cases: readonly (readonly [pattern: string, text: string, matches: boolean])[] = [
    ['', '', true],
    ['a', 'a', true],
    ['a', 'ab', false],
    ['*', 'abc', true],
    ['*', 'a/b', false],
    ['a*', 'a', true],
    ['a**b', 'axxb', true],
    ['*/b', 'a/b', true],
    ['a?c', 'abc', true],
    ['a?c', 'a/c', false],
    ['[a-c]', 'b', true],
    ['[^a-c]', 'b', false],
    ['[^a-c]', 'd', true],
    ['[\\]]', ']', true],
    ['[a\\-c]', '-', true],
    ['[a\\-c]', 'b', false],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['a.c', 'abc', false],
    ['a+(b|c)$', 'a+(b|c)$', true],
  ]
  for (const [pattern, text, matches] of cases) {
    it(`${JSON.stringify(pattern)} ${matches ? 'takes' : 'refuses'} ${JSON.stringify(text)}`, () => {
      assert.equal(globMatcher(pattern)(text), matches)
    })
  }

  for (const pattern of ['[', '[]', '[a', '[a-]', '[-a]', '[b-a]', 'a\\', '[^]']) {
    it(`does not accept ${JSON.stringify(pattern)}`, () => {
      assert.throws(
        () => globMatcher(pattern),
        (error) => isKind(error, 'invalid_argument'),
      )
    })
  }

  it('takes any text that is quoted with backslashes', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        assert.equal(globMatcher(text.replaceAll(/./gs, '\\$&'))(text), true)
      }),
    )
  })

  it('compiles any pattern or fails with invalid_argument', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab*?[]^-\\/.'.split('')) }), (pattern) => {
        try {
          globMatcher(pattern)('ab/a')
        } catch (error) {
          assert.ok(isKind(error, 'invalid_argument'), String(error))
        }
      }),
    )
  })
})
