import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { escapeJson, goJson } from './go-json.ts'

describe('goJson()', () => {
  it("escapes as Go's encoder does", () => {
    assert.equal(escapeJson('"<a>&\u2028\u2029é"'), '"\\u003ca\\u003e\\u0026\\u2028\\u2029é"')
    assert.equal(goJson({ a: '<' }), '{"a":"\\u003c"}')
  })
})
