import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { replacePattern, trimPrefix, trimSuffix } from './pattern.ts'

/** A pattern's regular expression; slow on hostile ones, which is why the real code has none. */
function regexp(pattern: string, lazy: boolean): string {
  const star = lazy ? '[^\\n]*?' : '[^\\n]*'
  return pattern.replaceAll(/[*?.]/g, (c) => (c === '*' ? star : c === '?' ? '[^\\n]' : '\\.'))
}

const pattern = fc
  .array(fc.constantFrom('a', 'b', '.', '*', '?', '\n'), { maxLength: 6 })
  .map((each) => each.join(''))
const value = fc.array(fc.constantFrom('a', 'b', '.', '\n'), { maxLength: 10 }).map((each) => each.join(''))

describe('shell patterns', () => {
  it('trim prefixes as regular expressions do', () => {
    fc.assert(
      fc.property(pattern, value, fc.boolean(), (p, v, greedy) => {
        const expected = v.replace(new RegExp(`^(?:${regexp(p, !greedy)})`), '')
        assert.equal(trimPrefix(p, v, greedy), expected)
      }),
      { numRuns: 3000 },
    )
  })

  it('trim suffixes as prefixes of what is reversed', () => {
    const reverse = (text: string): string => Array.from(text).toReversed().join('')
    fc.assert(
      fc.property(pattern, value, fc.boolean(), (p, v, greedy) => {
        assert.equal(trimSuffix(p, v, greedy), reverse(trimPrefix(reverse(p), reverse(v), greedy)))
      }),
    )
  })

  it('replace as regular expressions do', () => {
    fc.assert(
      fc.property(pattern, value, fc.boolean(), (p, v, all) => {
        const expected = v.replace(new RegExp(regexp(p, false), all ? 'g' : ''), () => '-')
        // Go does not match nothing right behind a match.
        if (all && new RegExp(`^(?:${regexp(p, false)})$`).test('')) return
        assert.equal(replacePattern(p, v, '-', all), expected)
      }),
      { numRuns: 3000 },
    )
  })

  it('take time in proportion to their length, whatever they are', () => {
    const start = performance.now()
    const hostile = '*a'.repeat(100) + 'b'
    assert.equal(trimPrefix(hostile, 'a'.repeat(5000), true), 'a'.repeat(5000))
    assert.equal(replacePattern(hostile, 'a'.repeat(5000), '-', true), 'a'.repeat(5000))
    assert.ok(performance.now() - start < 2000)
    assert.throws(() => trimPrefix('a'.repeat(5000), 'a', false), /longer than 4096/)
  })
})
