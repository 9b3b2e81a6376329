import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseChallenges } from './challenge.ts'

describe('parseChallenges()', () => {
  it('reads what registries send', () => {
    assert.deepEqual(
      parseChallenges(
        'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
      ),
      [
        {
          scheme: 'bearer',
          parameters: {
            realm: 'https://auth.docker.io/token',
            service: 'registry.docker.io',
            scope: 'repository:a/b:pull,push',
          },
        },
      ],
    )
  })

  it('keeps several apart, with quotes, spaces and unquoted values', () => {
    assert.deepEqual(parseChallenges('Basic realm="a \\"b\\", c" , Negotiate abc==, BEARER Realm=x ; y'), [
      { scheme: 'basic', parameters: { realm: 'a "b", c' } },
      { scheme: 'negotiate', parameters: {} },
      { scheme: 'bearer', parameters: { realm: 'x' } },
    ])
    assert.deepEqual(parseChallenges('Basic'), [{ scheme: 'basic', parameters: {} }])
    assert.deepEqual(parseChallenges(undefined), [])
  })

  it('takes the first of two values, and no prototype', () => {
    const [challenge] = parseChallenges('Bearer realm="a",realm="b",__proto__="c"')
    assert.equal(challenge?.parameters['realm'], 'a')
    assert.equal(Object.getPrototypeOf(challenge.parameters), Object.prototype)
  })

  it('ends, whatever comes', () => {
    const pieces = fc.array(fc.constantFrom('Bearer', 'realm', '=', '"', '\\', ',', ' ', 'x', '\u0000'))
    fc.assert(fc.property(pieces, (parts) => Array.isArray(parseChallenges(parts.join('')))))
    assert.deepEqual(parseChallenges(`Bearer ${'a="'.repeat(100_000)}`), [])
  })
})
