import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jsonFault } from './json-syntax.ts'

describe('jsonFault()', () => {
  for (const [text, fault] of [
    ['{invalid json', "invalid JSON: invalid character 'i' looking for beginning of object key string"],
    ['{} trailing content', 'unexpected content after JSON'],
    ['{"a":1}}', 'unexpected content after JSON'],
    ['x', "invalid JSON: invalid character 'x' looking for beginning of value"],
    ['[1,]', "invalid JSON: invalid character ']' looking for beginning of value"],
    ['{"a":1,}', "invalid JSON: invalid character '}' looking for beginning of object key string"],
    ['{"a" 1}', "invalid JSON: invalid character '1' after object key"],
    ['{"a":1 "b":2}', `invalid JSON: invalid character '"' after object key:value pair`],
    ['[1 2]', "invalid JSON: invalid character '2' after array element"],
    ['{"a":tru}', "invalid JSON: invalid character '}' in literal true (expecting 'e')"],
    ['{"a":"\n"}', String.raw`invalid JSON: invalid character '\n' in string literal`],
    [String.raw`{"a":"\x"}`, "invalid JSON: invalid character 'x' in string escape code"],
    [
      String.raw`{"a":"\u12G4"}`,
      String.raw`invalid JSON: invalid character 'G' in \u hexadecimal character escape`,
    ],
    ['[-]', "invalid JSON: invalid character ']' in numeric literal"],
    ['[1.]', "invalid JSON: invalid character ']' after decimal point in numeric literal"],
    ['[1e+]', "invalid JSON: invalid character ']' in exponent of numeric literal"],
    ['[01]', "invalid JSON: invalid character '1' after array element"],
    ["{'a':1}", String.raw`invalid JSON: invalid character '\'' looking for beginning of object key string`],
    ['{"Tty":', 'invalid JSON: unexpected EOF'],
    ['{"a":{"b":[', 'invalid JSON: unexpected EOF'],
    ['{"a":"b', 'invalid JSON: unexpected EOF'],
    ['', 'invalid JSON: unexpected EOF'],
    ['['.repeat(10_001), 'invalid JSON: exceeded max depth'],
  ] as const) {
    it(`of ${JSON.stringify(text.slice(0, 30))}`, () => {
      assert.throws(() => JSON.parse(text))
      assert.equal(jsonFault(text), fault)
    })
  }

  it('finds none where there is none', () => {
    const document = {
      a: [1, -2.5, 1e30, true, false, null, '\u2028"\\/\n'],
      b: { c: {}, d: [] },
      '': [[[]], {}],
    }
    for (const text of [
      JSON.stringify(document),
      JSON.stringify(document, undefined, '\t'),
      ' 0 ',
      '-0.1E-7',
      '""',
    ])
      assert.equal(jsonFault(text), undefined, text)
  })

  it('agrees with the parser about every text that is nearly a document', () => {
    const text = '{"a":[1,-2.5e3,true,null,{"b":"\\u00e9\\n"}],"c":{}}'
    for (let at = 0; at < text.length; at++) {
      for (const other of ['', '"', '}', ']', ',', ':', '0', 'x', '\\', ' ']) {
        const changed = text.slice(0, at) + other + text.slice(at + 1)
        assert.equal(jsonFault(changed) === undefined, parses(changed), changed)
      }
    }
  })
})

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
