import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { goQuote, goQuoteList, goQuoteNumber } from './go-text.ts'

describe('Go text', () => {
  it('quotes as %q', () => {
    const cases: readonly (readonly [string, string])[] = [
      ['a "b" \\', String.raw`"a \"b\" \\"`],
      ['\u0007\b\f\n\r\t\v', String.raw`"\a\b\f\n\r\t\v"`],
      ['\0\u001b\u007f', String.raw`"\x00\x1b\x7f"`],
      ['é 漢 😀', '"é 漢 😀"'],
      ['\u00a0\u200b\u{e0001}', String.raw`"\u00a0\u200b\U000e0001"`],
    ]
    for (const [text, quoted] of cases) assert.equal(goQuote(text), quoted)
    assert.equal(goQuoteList(['a', 'b c']), '["a" "b c"]')
    assert.equal(goQuoteList([]), '[]')
  })

  it('takes numbers for characters, as %q does', () => {
    assert.deepEqual([0, 3, 39, 65, 92].map(goQuoteNumber), ["'\\x00'", "'\\x03'", "'\\''", "'A'", "'\\\\'"])
  })
})
