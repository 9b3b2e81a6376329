import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { empty } from './reply.ts'
import { type Method, route } from './route.ts'
import { Router } from './router.ts'

const routes = (
  [
    ['GET', '/v2/{name}/tags/list'],
    ['GET', '/v2/{name}/manifests/{reference}'],
    ['PUT', '/v2/{name}/manifests/{reference}'],
  ] as const
).map(([method, path]: readonly [Method, string]) =>
  route({ operation: `${method} ${path}`, method, path, resource: 'open', handle: () => empty(200) }),
)
const router = new Router(routes)

describe('Router', () => {
  it('lets names hold slashes, and even the words of the API', () => {
    const { params } = router.match('GET', '/v2/a/manifests/tags/list/manifests/v1')
    assert.deepEqual(params, { name: 'a/manifests/tags/list', reference: 'v1' })
  })

  it('decodes parameters, and checks names before anybody sees them', () => {
    assert.equal(router.match('GET', '/v2/a/manifests/sha256%3Aab').params['reference'], 'sha256:ab')
    for (const name of [
      '..',
      'a/../b',
      'a//b',
      'A',
      'a%2F..',
      '%2e%2e',
      'a%00',
      '-a',
      'a_',
      'x'.repeat(256),
    ]) {
      assert.throws(
        () => router.match('GET', `/v2/${name}/tags/list`),
        (error) => isKind(error, 'invalid_argument'),
        name,
      )
    }
  })

  it('tells a wrong method from a wrong path, and answers HEAD by GET', () => {
    assert.equal(router.match('HEAD', '/v2/a/tags/list').route.method, 'GET')
    assert.throws(() => router.match('DELETE', '/v2/a/manifests/x'), {
      kind: 'not_implemented',
      details: { headers: { Allow: 'GET, PUT' } },
    })
    assert.throws(
      () => router.match('GET', '/v3'),
      (error) => isKind(error, 'not_found'),
    )
  })

  it('does not take long for hostile paths', () => {
    const started = performance.now()
    for (const path of [`/v2/${'a/'.repeat(8000)}`, `/v2/${'a-'.repeat(8000)}/tags/list`]) {
      assert.throws(() => router.match('GET', path))
    }
    assert.ok(performance.now() - started < 500)
  })
})
