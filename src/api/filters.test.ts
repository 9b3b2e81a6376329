import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isKind } from '#base/errors.ts'
import { encodeFilters, parseFilters } from './filters.ts'

describe('parseFilters()', () => {
  it('reads lists and maps alike, whatever a value is mapped to', () => {
    const want = new Map([['label', ['a=b', 'c']]])
    assert.deepEqual(parseFilters('{"label":["a=b","c"]}'), want)
    assert.deepEqual(parseFilters('{"label":{"a=b":true,"c":false}}'), want)
  })

  it('reads nothing from nothing', () => {
    assert.equal(parseFilters(undefined).size, 0)
    assert.equal(parseFilters('').size, 0)
    assert.equal(parseFilters('null').size, 0)
  })

  it('refuses what is no filter', () => {
    for (const text of ['{', '[]', '1', '{"a":1}', '{"a":[1]}', '{"a":{"b":"yes"}}', 'true']) {
      assert.throws(
        () => parseFilters(text),
        (error) => isKind(error, 'invalid_argument'),
        text,
      )
    }
  })

  it('refuses a key that is not known', () => {
    assert.throws(() => parseFilters('{"colour":["red"]}', ['label']), { message: "invalid filter 'colour'" })
  })

  it('reads what encodeFilters() wrote, whatever the keys', () => {
    const filters = fc.array(fc.tuple(fc.string(), fc.uniqueArray(fc.string())), { maxLength: 5 })
    fc.assert(
      fc.property(filters, (entries) => {
        const want = new Map(entries)
        const got = parseFilters(encodeFilters(want))
        assert.deepEqual(sorted(got), sorted(want))
      }),
    )
  })
})

function sorted(filters: ReadonlyMap<string, readonly string[]>): unknown {
  return new Map([...filters].map(([key, values]) => [key, values.toSorted()]))
}
