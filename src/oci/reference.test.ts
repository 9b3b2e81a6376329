import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isKind, messageOf } from '#base/errors.ts'
import {
  familiarName,
  formatFamiliar,
  formatReference,
  parseAnyReference,
  parseReference,
  repositoryOf,
  withDefaultTag,
  withTag,
} from './reference.ts'

const hex = 'a1'.repeat(32)

describe('parseReference()', () => {
  const cases: readonly (readonly [text: string, full: string, familiar: string])[] = [
    ['alpine', 'docker.io/library/alpine', 'alpine'],
    ['alpine:3.20', 'docker.io/library/alpine:3.20', 'alpine:3.20'],
    ['library/alpine', 'docker.io/library/alpine', 'alpine'],
    ['docker.io/alpine', 'docker.io/library/alpine', 'alpine'],
    ['index.docker.io/alpine', 'docker.io/library/alpine', 'alpine'],
    ['index.docker.io/a/b:1', 'docker.io/a/b:1', 'a/b:1'],
    ['a/b', 'docker.io/a/b', 'a/b'],
    ['library/a/b', 'docker.io/library/a/b', 'library/a/b'],
    ['localhost/a', 'localhost/a', 'localhost/a'],
    ['localhost', 'docker.io/library/localhost', 'localhost'],
    ['127.0.0.1:5000/a/b:x', '127.0.0.1:5000/a/b:x', '127.0.0.1:5000/a/b:x'],
    ['[::1]:5000/a', '[::1]:5000/a', '[::1]:5000/a'],
    ['Host/a', 'Host/a', 'Host/a'],
    ['a__b/c-d.e---f', 'docker.io/a__b/c-d.e---f', 'a__b/c-d.e---f'],
    [`alpine@sha256:${hex}`, `docker.io/library/alpine@sha256:${hex}`, `alpine@sha256:${hex}`],
    [`alpine:3@sha256:${hex}`, `docker.io/library/alpine:3@sha256:${hex}`, `alpine:3@sha256:${hex}`],
    ['sha256:abc', 'docker.io/library/sha256:abc', 'sha256:abc'],
  ]
  for (const [text, full, familiar] of cases) {
    it(`normalises ${text.slice(0, 40)}`, () => {
      assert.equal(formatReference(parseReference(text)), full)
      assert.equal(formatFamiliar(parseReference(text)), familiar)
    })
  }

  const refused: readonly (readonly [text: string, message: string])[] = [
    ['', 'repository name must have at least one component'],
    ['Foo', 'invalid reference format: repository name (library/Foo) must be lowercase'],
    ['a/Foo:1', 'invalid reference format: repository name (a/Foo) must be lowercase'],
    [hex, `invalid repository name (${hex}), cannot specify 64-byte hexadecimal strings`],
    ['a//b', 'invalid reference format'],
    ['a/../b', 'invalid reference format'],
    ['a:', 'invalid reference format'],
    ['a:b:c', 'invalid reference format'],
    ['-a', 'invalid reference format'],
    ['a___b', 'invalid reference format'],
    ['a b', 'invalid reference format'],
    ['a\n', 'invalid reference format'],
    ['a\0', 'invalid reference format'],
    [`a:${'x'.repeat(129)}`, 'invalid reference format'],
    ['a@sha256:abc', 'invalid reference format'],
    [`a@sha256:${'a'.repeat(63)}`, 'invalid checksum digest length'],
    [`a@sha256:${'A'.repeat(64)}`, 'invalid checksum digest format'],
    [`a@sha512:${'a'.repeat(128)}`, 'unsupported digest algorithm'],
    ['a'.repeat(300), 'repository name must not be more than 255 characters'],
    ['a'.repeat(100_000), 'invalid reference format'],
  ]
  for (const [text, message] of refused) {
    it(`refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
      assert.throws(
        () => parseReference(text),
        (error) => isKind(error, 'invalid_argument') && messageOf(error) === message,
      )
    })
  }

  it('refuses or round-trips any text', () => {
    const characters = fc.constantFrom(...'ab1._-/:@ASh[]%\0 \n'.split(''))
    fc.assert(
      fc.property(fc.string({ unit: characters, maxLength: 40 }), (text) => {
        let parsed
        try {
          parsed = parseReference(text)
        } catch (error) {
          assert.ok(isKind(error, 'invalid_argument'), String(error))
          return
        }
        assert.deepEqual(parseReference(formatReference(parsed)), parsed)
        assert.deepEqual(parseReference(formatFamiliar(parsed)), parsed)
        // A tag may have dots side by side; it is never a path.
        assert.equal(repositoryOf(parsed).includes('..'), false)
      }),
      { numRuns: 3000 },
    )
  })

  it('round-trips any valid reference through both forms', () => {
    const word = fc.stringMatching(/^[a-z0-9]{1,8}$/)
    const path = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join('/'))
    const domain = fc.constantFrom('', 'localhost/', 'a.example/', 'a:5000/', '[fe80::1]:80/')
    const suffix = fc.constantFrom('', ':1', ':latest', `@sha256:${hex}`, `:x@sha256:${hex}`)
    fc.assert(
      fc.property(domain, path, suffix, (d, p, s) => {
        const parsed = parseReference(`${d}${p}${s}`)
        assert.deepEqual(parseReference(formatFamiliar(parsed)), parsed)
        assert.equal(formatReference(parsed), `${repositoryOf(parsed)}${s}`)
      }),
    )
  })
})

describe('parseAnyReference()', () => {
  it('takes 64 digits, bare or with the algorithm, as an id', () => {
    for (const text of [hex, `sha256:${hex}`]) {
      assert.deepEqual(parseAnyReference(text), { kind: 'id', id: `sha256:${hex}` })
    }
  })

  it('takes a short id as a name', () => {
    assert.equal(parseAnyReference('abcdef012345').kind, 'name')
  })
})

describe('withDefaultTag()', () => {
  it('adds latest only when there is neither tag nor digest', () => {
    assert.equal(withDefaultTag(parseReference('a')).tag, 'latest')
    assert.equal(withDefaultTag(parseReference('a:1')).tag, '1')
    assert.equal(withDefaultTag(parseReference(`a@sha256:${hex}`)).tag, undefined)
  })
})

describe('withTag()', () => {
  it('replaces the tag and refuses a bad one', () => {
    assert.equal(formatFamiliar(withTag(parseReference('a:1'), '2')), 'a:2')
    assert.throws(() => withTag(parseReference('a'), 'b/c'), /invalid tag format/)
  })
})

describe('familiarName()', () => {
  it('leaves tag and digest out', () => {
    assert.equal(familiarName(parseReference(`docker.io/library/a:1@sha256:${hex}`)), 'a')
  })
})
