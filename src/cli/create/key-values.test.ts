import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { checkEnvironment, environment, keyValues, parseKeyValueFile } from './key-values.ts'

describe('parseKeyValueFile()', () => {
  it('takes lines as they are, without quotes or expansion', () => {
    const text = '\ufeff# comment\nA=1\n\n  B=x y \r\nC="q" # no comment\nHOME\nUNSET\nD=\nE=a=b'
    assert.deepEqual(parseKeyValueFile(text, 'f', { HOME: '/h' }), [
      'A=1',
      'B=x y ',
      'C="q" # no comment',
      'HOME=/h',
      'D=',
      'E=a=b',
    ])
  })

  it('keeps a name without a value in a label file', () => {
    assert.deepEqual(parseKeyValueFile('a=1\nb\n', 'f', undefined), ['a=1', 'b'])
  })

  it('refuses names with spaces, and lines without one', () => {
    assert.throws(() => parseKeyValueFile('ok=1\nA B=1', 'f', {}), /f:2: variable 'A B' contains whitespaces/)
    assert.throws(() => parseKeyValueFile('A =1', 'f', {}), /variable 'A ' contains whitespaces/)
    assert.throws(() => parseKeyValueFile('=x', 'f', {}), /f:1: no variable name on line '=x'/)
  })

  it('gives every variable back', () => {
    const name = fc.stringMatching(/^[A-Z_][A-Z0-9_]*$/)
    const value = fc.string().filter((text) => !/[\r\n]/.test(text))
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value)), (pairs) => {
        const lines = pairs.map(([key, text]) => `${key}=${text}`)
        assert.deepEqual(parseKeyValueFile(lines.join('\n'), 'f', {}), lines)
      }),
    )
  })
})

describe('environment()', () => {
  it('passes variables on, lets the last one win and keeps a name that is not set', () => {
    assert.deepEqual(environment(['A=1', 'HOME', 'NOPE', 'A=2', 'E='], { HOME: '/h' }), [
      'A=2',
      'HOME=/h',
      'NOPE',
      'E=',
    ])
    assert.throws(() => checkEnvironment('=a'), { message: 'invalid environment variable: =a' })
  })
})

describe('keyValues()', () => {
  it('cuts at the first =', () => {
    assert.deepEqual(keyValues(['a=b=c', 'd', 'e=']), { a: 'b=c', d: '', e: '' })
  })
})
