import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatReference } from '#oci/reference.ts'
import { pullReference } from './names.ts'

const digest = `sha256:${'0'.repeat(64)}`

describe('pullReference()', () => {
  for (const [from, tag, wanted] of [
    ['alpine', '3.20', 'docker.io/library/alpine:3.20'],
    ['alpine:3.19', '3.20', 'docker.io/library/alpine:3.20'],
    ['alpine:3.19', undefined, 'docker.io/library/alpine:3.19'],
    ['alpine', undefined, 'docker.io/library/alpine'],
    ['alpine:', '', 'docker.io/library/alpine'],
    ['a/b', digest, `docker.io/a/b@${digest}`],
    ['a/b:1', digest, `docker.io/a/b@${digest}`],
    [`a/b:1@${digest}`, undefined, `docker.io/a/b@${digest}`],
    ['host:5000/a', 'x', 'host:5000/a:x'],
  ] as const) {
    it(`${from} with ${tag ?? 'nothing'}`, () =>
      assert.equal(formatReference(pullReference(from, tag)), wanted))
  }

  it('refuses what is no name, tag or digest', () => {
    for (const [from, tag] of [
      ['UPPER', 'x'],
      ['a', '!'],
      ['a', 'sha256:123'],
      ['a', 'md5:00000000000000000000000000000000'],
    ] as const) {
      assert.throws(() => pullReference(from, tag), { kind: 'invalid_argument' }, `${from} ${tag}`)
    }
  })
})
