/** Requests that are almost right, in Docker's words; and commands that go through although there is nothing for them to do. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { ApiFixture } from '#test/support/api-server.ts'

describe('a request that cannot be served', () => {
  let api: ApiFixture
  beforeEach(async () => {
    api = await ApiFixture.start()
  })
  afterEach(() => api[Symbol.asyncDispose]())

  it('is a page not found, whatever its method and its body', async () => {
    const headers = { 'Content-Type': 'application/json' }
    const wanted = [
      ['POST', '/containers/json', ''],
      ['PUT', '/containers/web', '{'],
      ['DELETE', '/info', ''],
      ['POST', '/nowhere', 'x'],
    ] as const
    for (const [method, path, raw] of wanted) {
      for (const prefix of ['', '/v1.30']) {
        const { status, json } = await api.call(method, `${prefix}${path}`, { raw, headers })
        assert.deepEqual([status, json], [404, { message: 'page not found' }], `${method} ${path}`)
      }
    }
  })

  it('is sent to the path without doubled slashes, as with a name that begins with one', async () => {
    await api.container('web', ['sleep'])
    for (const [path, wanted] of [
      ['/v1.44/containers//web/json?size=1', '/v1.44/containers/web/json?size=1'],
      ['/v1.44//info', '/v1.44/info'],
      ['//host///version', '/host/version'],
    ] as const) {
      const { status, headers, text } = await api.call('GET', path)
      assert.deepEqual([status, headers['location'], text], [301, wanted, ''], path)
    }
  })

  it('is told that a container needs a configuration, in every version', async () => {
    for (const version of ['1.24', '1.43', '1.51', '1.55']) {
      for (const raw of ['{}', 'null']) {
        const headers = { 'Content-Type': 'application/json' }
        const { status, json } = await api.call('POST', `/v${version}/containers/create`, { raw, headers })
        const message = 'config cannot be empty in order to create a container'
        assert.deepEqual([status, json], [400, { message }])
      }
    }
  })

  it('is told of types of disk usage that there are not', async () => {
    const { status, json } = await api.call('GET', '/system/df?type=image&type=nope')
    assert.deepEqual([status, json], [400, { message: 'unknown object type: nope' }])
    assert.equal((await api.call('GET', '/system/df?type=image')).status, 200)
  })

  it('is told of a span of time that ends before it begins', async () => {
    const { status, json } = await api.call('GET', '/events?since=2&until=1')
    const message = '`since` time (2) cannot be after `until` time (1)'
    assert.deepEqual([status, json], [400, { message }])
    assert.equal((await api.call('GET', '/events?since=1&until=1')).status, 200)
  })
})

describe('pruning what there is nothing of', () => {
  it('succeeds, so that docker system prune does', async () => {
    await using api = await ApiFixture.start()
    const networks = await api.call('POST', '/networks/prune?filters={"label":["a"]}')
    assert.deepEqual([networks.status, networks.json], [200, { NetworksDeleted: null }])
    assert.equal((await api.call('POST', '/networks/prune?filters={"nope":["a"]}')).status, 400)
    const builds = await api.call('POST', '/build/prune')
    assert.deepEqual([builds.status, builds.json], [200, { CachesDeleted: null, SpaceReclaimed: 0 }])
  })
})
