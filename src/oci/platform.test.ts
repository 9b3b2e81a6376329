import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isKind } from '#base/errors.ts'
import { formatPlatform, parsePlatform, platformDistance, selectPlatform } from './platform.ts'

describe('parsePlatform()', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['linux/amd64', 'linux/amd64'],
    ['linux/x86_64', 'linux/amd64'],
    ['Linux/AMD64', 'linux/amd64'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/arm/6', 'linux/arm/v6'],
    ['linux/armel', 'linux/arm/v6'],
    ['arm64', 'linux/arm64'],
    ['riscv64', 'linux/riscv64'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['windows/amd64', 'windows/amd64'],
  ]
  for (const [text, expected] of cases) {
    it(`reads ${text}`, () => assert.equal(formatPlatform(parsePlatform(text)), expected))
  }

  for (const text of ['', '/', 'linux/', 'a/b/c/d', 'fantasia', 'linux/../x', 'linux/a b']) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => parsePlatform(text),
        (error) => isKind(error, 'invalid_argument'),
      )
    })
  }

  it('says which part is wrong, as containerd does', () => {
    assert.throws(
      () => parsePlatform('/'),
      /"" is an invalid OS component of "\/": OSAndVersion specifier component/,
    )
    assert.throws(
      () => parsePlatform('linux/'),
      /"" is an invalid component of "linux\/": platform specifier/,
    )
  })

  it('takes the processor of the host when only a system is given', () => {
    assert.equal(parsePlatform('windows').architecture, parsePlatform('linux').architecture)
  })

  it('is idempotent on what it accepts', () => {
    const word = fc.constantFrom('linux', 'amd64', 'arm', 'x86_64', 'v8', 'v7', '8', 'aarch64', 'x')
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 3 }), (words) => {
        let parsed
        try {
          parsed = parsePlatform(words.join('/'))
        } catch (error) {
          assert.ok(isKind(error, 'invalid_argument'))
          return
        }
        assert.deepEqual(parsePlatform(formatPlatform(parsed)), parsed)
      }),
    )
  })
})

describe('platformDistance()', () => {
  const distance = (wanted: string, offered: string): number | undefined =>
    platformDistance(parsePlatform(wanted), parsePlatform(offered))

  it('is zero for the same platform, greater for an older one, undefined for another', () => {
    assert.equal(distance('linux/amd64', 'linux/amd64'), 0)
    assert.equal(distance('linux/amd64', 'linux/386'), 1)
    assert.equal(distance('linux/amd64/v3', 'linux/amd64/v2'), 1)
    assert.equal(distance('linux/amd64', 'linux/amd64/v3'), undefined)
    assert.equal(distance('linux/arm64', 'linux/arm/v7'), 2)
    assert.equal(distance('linux/arm/v6', 'linux/arm/v7'), undefined)
    assert.equal(distance('linux/amd64', 'windows/amd64'), undefined)
    assert.equal(distance('linux/s390x', 'linux/s390x'), 0)
  })
})

describe('selectPlatform()', () => {
  const wanted = parsePlatform('linux/amd64')

  it('takes the best entry, whatever the order', () => {
    const entries = ['linux/arm64', 'linux/386', 'linux/amd64'].map((text) => ({
      platform: parsePlatform(text),
    }))
    assert.equal(selectPlatform(entries, wanted), entries[2])
    assert.equal(selectPlatform(entries.toReversed(), wanted), entries[2])
  })

  it('takes a single entry that names no platform', () => {
    const entry = { platform: undefined }
    assert.equal(selectPlatform([entry], wanted), entry)
    assert.equal(selectPlatform([entry, entry], wanted), undefined)
  })

  it('finds nothing among other platforms', () => {
    assert.equal(selectPlatform([{ platform: parsePlatform('linux/s390x') }], wanted), undefined)
  })
})
