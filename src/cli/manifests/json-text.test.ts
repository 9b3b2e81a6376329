import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { compactJson, indentJson } from './json-text.ts'

describe('indentJson() and compactJson()', () => {
  it('lay any document out as an encoder does', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const value: unknown = JSON.parse(text)
        assert.equal(indentJson(JSON.stringify(value), '\t'), JSON.stringify(value, undefined, '\t'))
        assert.equal(compactJson(JSON.stringify(value, undefined, '   ')), JSON.stringify(value))
      }),
    )
  })

  it('change nothing but spacing: neither keys, nor their order, nor how a number or a text is written', () => {
    const text = '{ "b":1.50e1, "2" :null,"1":[ ],"a":{\n},\t"a":"x\\u00e9\\/ {[:,\\"" }\n'
    const compact = '{"b":1.50e1,"2":null,"1":[],"a":{},"a":"x\\u00e9\\/ {[:,\\""}'
    assert.equal(compactJson(text), compact)
    assert.equal(
      indentJson(text, ' '),
      '{\n "b": 1.50e1,\n "2": null,\n "1": [],\n "a": {},\n "a": "x\\u00e9\\/ {[:,\\""\n}',
    )
  })

  it('take texts of many megabytes', () => {
    const long = JSON.stringify(['x'.repeat(8 << 20), '\\"'.repeat(2 << 20)])
    assert.equal(compactJson(indentJson(long, '\t')), long)
  })
})
