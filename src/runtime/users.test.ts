import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isKind } from '#base/errors.ts'
import { MAX_ACCOUNT_FILE, resolveUser } from './users.ts'

const passwd = `root:x:0:0:root:/root:/bin/sh
# a comment
dev:x:1000:1000:Dev,,,:/home/dev:/bin/sh

nohome:x:1001:1001:::
bad:x::0:/:
`
const group = `root:x:0:root
wheel:x:10:root,dev
dev:x:1000:
audio:x:29:other
broken:x::dev
`
const resolve = (spec: string, groupAdd: readonly string[] = []) => resolveUser(spec, passwd, group, groupAdd)

describe('resolveUser()', () => {
  it('takes root when nothing is said', () => {
    assert.deepEqual(resolve(''), { uid: 0, gid: 0, additionalGids: [0, 10], home: '/root' })
    assert.deepEqual(resolveUser('', '', '', []), { uid: 0, gid: 0, additionalGids: [0], home: '/' })
  })

  it('finds names and numbers, with their groups', () => {
    const dev = { uid: 1000, gid: 1000, additionalGids: [1000, 10], home: '/home/dev' }
    assert.deepEqual(resolve('dev'), dev)
    assert.deepEqual(resolve('1000'), dev)
  })

  it('takes an unknown number as it is, with group 0', () => {
    assert.deepEqual(resolve('4242'), { uid: 4242, gid: 0, additionalGids: [0], home: '/' })
  })

  it('leaves the memberships out when a group is given', () => {
    assert.deepEqual(resolve('dev:audio'), { uid: 1000, gid: 29, additionalGids: [29], home: '/home/dev' })
    assert.deepEqual(resolve('dev:77'), { uid: 1000, gid: 77, additionalGids: [77], home: '/home/dev' })
    assert.deepEqual(resolve(':audio').gid, 29)
    assert.deepEqual(resolve('dev:').gid, 1000)
  })

  it('adds groups by name and number', () => {
    assert.deepEqual(resolve('dev', ['audio', '5', '10']).additionalGids, [1000, 10, 29, 5])
  })

  it('has a home when the entry has none', () => assert.equal(resolve('nohome').home, '/'))

  it('refuses unknown names with the wording that Docker clients know', () => {
    assert.throws(() => resolve('nobody'), {
      message: 'unable to find user nobody: no matching entries in passwd file',
    })
    assert.throws(() => resolve('dev:none'), {
      message: 'unable to find group none: no matching entries in group file',
    })
    assert.throws(
      () => resolve('dev', ['none']),
      (error) => isKind(error, 'invalid_argument'),
    )
  })

  it('passes over broken lines: an empty uid is nobody, not root', () => {
    assert.throws(() => resolve('bad'), /no matching entries/)
    assert.throws(() => resolve('dev:broken'), /no matching entries/)
  })

  it('CVE-2026-46680: a number is never looked up as a name', () => {
    const hostile = '1000:x:0:0::/:\n1001:x:0:0::/:\n'
    assert.deepEqual(resolveUser('1000:1001', hostile, '1001:x:0:\n', []), {
      uid: 1000,
      gid: 1001,
      additionalGids: [1001],
      home: '/',
    })
    fc.assert(
      fc.property(fc.nat(2 ** 31 - 1), (id) => {
        const files = `${id}:x:0:0::/:\n`
        const { uid, gid } = resolveUser(`${id}:${id}`, files, `${id}:x:0:\n`, [])
        assert.deepEqual([uid, gid], [id, id])
      }),
    )
  })

  for (const spec of ['4294967296', '-1', '2147483648', '+0', '1000:-1', '1000:4294967296', 'a:b:c']) {
    it(`CVE-2024-40635: ${spec} is refused`, () => {
      const files = `${spec}:x:0:0::/:\n`
      assert.throws(
        () => resolveUser(spec, files, '', []),
        (error) => isKind(error, 'invalid_argument'),
      )
    })
  }

  it('CVE-2024-40635: an entry whose uid is out of range is nobody', () => {
    assert.throws(() => resolveUser('x', 'x:x:4294967296:0::/:', '', []), /no matching entries/)
  })

  it('CVE-2022-36109: the primary group is always among the supplementary ones', () => {
    fc.assert(
      fc.property(fc.constantFrom('', 'dev', '4242', 'dev:audio', ':77', 'nohome'), (spec) => {
        const user = resolve(spec, ['3'])
        assert.ok(user.additionalGids.includes(user.gid))
      }),
    )
  })

  it('CVE-2026-47262: a giant file is refused before it is read', () => {
    const giant = 'x'.repeat(MAX_ACCOUNT_FILE + 1)
    assert.throws(() => resolveUser('0', giant, '', []), /passwd file is larger/)
    assert.throws(() => resolveUser('0', '', giant, []), /group file is larger/)
  })
})
