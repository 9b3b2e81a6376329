/** Every JSON document that a real daemon answers with, judged by Docker's own description of its API. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { DockerDescription } from '#test/support/docker-description.ts'
import { EngineApi, exec, history } from '#test/support/engine-api.ts'

const docker = DockerDescription.load()
const absent = docker === undefined && "Docker's API description is not on this machine"
const FOREVER = 'trap "exit 0" TERM; while :; do sleep 0.05; done'

describe('answers of a real daemon', { skip: absent }, () => {
  let api: EngineApi
  before(async () => {
    api = await EngineApi.start()
  })
  after(() => api[Symbol.asyncDispose]())

  /** Asks, and fails when the answer is none that the description knows. `path` names its template in braces. */
  async function judged<T = Record<string, unknown>>(
    method: string,
    template: string,
    values: Readonly<Record<string, string>> = {},
    { query = '', body }: { readonly query?: string; readonly body?: unknown } = {},
  ): Promise<T> {
    const path = template.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '')
    const answer = await api.daemon.call(method, `${path}${query}`, body)
    const document = answer.text === '' ? undefined : answer.json<T>()
    const complaint = docker?.complaint(method, template, answer.status, document)
    assert.equal(complaint, undefined, `${method} ${path} ${answer.status}: ${complaint}\n${answer.text}`)
    return document as T
  }

  it('about the system', async () => {
    for (const path of ['/version', '/info', '/system/df']) await judged('GET', path)
    for (const type of ['container', 'image', 'volume', 'build-cache']) {
      await judged('GET', '/system/df', {}, { query: `?type=${type}&verbose=1` })
    }
    await judged('GET', '/plugins')
  })

  it('about a container in every state', async () => {
    const body = {
      Image: 'busybox',
      Cmd: ['sh', '-c', FOREVER],
      Labels: { a: 'b' },
      ExposedPorts: { '80/tcp': {}, '81/udp': {} },
      Volumes: { '/anonymous': {} },
      Healthcheck: { Test: ['CMD', 'true'], Interval: 1e9 },
      HostConfig: {
        PortBindings: { '80/tcp': [{ HostPort: '' }] },
        Binds: ['described:/data:ro'],
        Mounts: [{ Type: 'tmpfs', Target: '/t' }],
        Memory: 64 << 20,
      },
    }
    const { Id: id } = await judged<{ Id: string }>('POST', '/containers/create', {}, { body })
    const look = async (): Promise<void> => {
      await judged('GET', '/containers/{id}/json', { id }, { query: '?size=1' })
      await judged('GET', '/containers/json', {}, { query: '?all=1&size=1' })
      await judged('GET', '/containers/{id}/stats', { id }, { query: '?stream=0&one-shot=1' })
      await judged('GET', '/system/df')
    }
    await look()
    await judged('POST', '/containers/{id}/start', { id })
    await api.until('a healthy container', async () => {
      const { State } = await api.inspect(id)
      return (State['Health'] as { Status: string }).Status === 'healthy'
    })
    await look()
    await judged('GET', '/containers/{id}/top', { id })
    await judged('GET', '/containers/{id}/changes', { id })
    await judged('GET', '/containers/{id}/stats', { id }, { query: '?stream=0' })
    await judged('POST', '/containers/{id}/update', { id }, { body: { CpuShares: 512 } })
    await judged('POST', '/containers/{id}/pause', { id })
    await look()
    await judged('POST', '/containers/{id}/unpause', { id })
    await judged('POST', '/containers/{id}/stop', { id })
    await judged('POST', '/containers/{id}/wait', { id })
    await look()
    await judged('DELETE', '/containers/{id}', { id }, { query: '?v=1' })
    await judged('DELETE', '/volumes/{name}', { name: 'described' })

    const { Id: broken } = await judged<{ Id: string }>(
      'POST',
      '/containers/create',
      {},
      { body: { Image: 'busybox', Cmd: ['/no/such'] } },
    )
    await judged('POST', '/containers/{id}/start', { id: broken })
    await judged('GET', '/containers/{id}/json', { id: broken })
    await judged('POST', '/containers/prune')
  })

  it('about an exec before, while and after it runs', async () => {
    const id = await api.started({ Cmd: FOREVER })
    const body = { Cmd: ['sh', '-c', 'read x'], AttachStdin: true, AttachStdout: true, User: 'nobody' }
    const { Id } = await judged<{ Id: string }>('POST', '/containers/{id}/exec', { id }, { body })
    await judged('GET', '/exec/{id}/json', { id: Id })
    await api.call('POST', `/exec/${Id}/start`, { Detach: true })
    await judged('GET', '/exec/{id}/json', { id: Id })
    await judged('GET', '/containers/{id}/json', { id })
    await api.until('the end of the exec', async () => {
      const { Running } = await judged<{ Running: boolean }>('GET', '/exec/{id}/json', { id: Id })
      return !Running
    })
    await exec(api, id, 'true')
    await api.remove(id)
  })

  it('about images', async () => {
    await judged('GET', '/images/json', {}, { query: '?all=1&shared-size=1&digests=1&manifests=1' })
    await judged('GET', '/images/{name}/json', { name: 'busybox' }, { query: '?manifests=1' })
    await judged('GET', '/images/{name}/json', { name: 'busybox' })
    await judged('GET', '/images/{name}/history', { name: 'busybox' })
    const { id } = await api.run({ Cmd: 'echo x > /x' })
    const committed = { Cmd: ['cat', '/x'], Labels: { a: 'b' }, ExposedPorts: { '80/tcp': {} } }
    await judged('POST', '/commit', {}, { query: `?container=${id}&repo=described&tag=v1`, body: committed })
    await judged('GET', '/images/{name}/json', { name: 'described:v1' })
    await judged('GET', '/images/{name}/history', { name: 'described:v1' })
    await judged('POST', '/images/{name}/tag', { name: 'described:v1' }, { query: '?repo=other/name&tag=v2' })
    await judged('GET', '/images/json', {}, { query: '?filters={"reference":["other/*"]}' })
    await judged('DELETE', '/images/{name}', { name: 'described:v1' })
    await judged('DELETE', '/images/{name}', { name: 'other/name:v2' })
    await judged('POST', '/images/prune')
    await api.remove(id)
  })

  it('about volumes and networks', async () => {
    await judged('POST', '/volumes/create', {}, { body: { Name: 'described', Labels: { a: 'b' } } })
    await judged('POST', '/volumes/create', {}, { body: {} })
    await judged('GET', '/volumes')
    await judged('GET', '/volumes/{name}', { name: 'described' })
    await judged('DELETE', '/volumes/{name}', { name: 'described' })
    await judged('POST', '/volumes/prune')
    const id = await api.started({ Cmd: FOREVER })
    await judged('GET', '/networks')
    for (const name of ['bridge', 'host', 'none']) await judged('GET', '/networks/{id}', { id: name })
    await api.remove(id)
  })

  it('about events', async () => {
    const events = await history(api)
    assert.ok(events.length > 10)
    for (const event of events) {
      const complaint = docker?.complaint('GET', '/events', 200, event)
      assert.equal(complaint, undefined, `${complaint}\n${JSON.stringify(event)}`)
    }
  })

  it('about mistakes', async () => {
    const id = await api.create({ Cmd: 'true' }, 'described')
    const mistakes: readonly (readonly [string, string, Record<string, string>, number, object?])[] = [
      ['GET', '/containers/{id}/json', { id: 'nope' }, 404],
      ['POST', '/containers/create', {}, 404, { body: { Image: 'nope', Cmd: ['true'] } }],
      ['POST', '/containers/create', {}, 400, { body: { Image: 1 } }],
      [
        'POST',
        '/containers/create',
        {},
        409,
        { query: '?name=described', body: { Image: 'busybox', Cmd: ['a'] } },
      ],
      ['POST', '/containers/{id}/kill', { id }, 409],
      ['POST', '/containers/{id}/pause', { id }, 409],
      ['POST', '/containers/{id}/exec', { id }, 409, { body: { Cmd: ['true'] } }],
      ['GET', '/containers/{id}/archive', { id }, 404, { query: '?path=/absent' }],
      ['GET', '/containers/json', {}, 400, { query: '?filters=nonsense' }],
      ['GET', '/images/{name}/json', { name: 'nope' }, 404],
      ['DELETE', '/images/{name}', { name: 'nope' }, 404],
      ['GET', '/volumes/{name}', { name: 'nope' }, 404],
      ['GET', '/networks/{id}', { id: 'nope' }, 404],
      ['GET', '/exec/{id}/json', { id: 'nope' }, 404],
      ['GET', '/swarm', {}, 503],
    ]
    for (const [method, template, values, status, more] of mistakes) {
      const path = template.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '')
      const { query = '', body } = (more ?? {}) as { query?: string; body?: unknown }
      const message = await api.refused(status, method, `${path}${query}`, body)
      assert.equal(docker?.complaint(method, template, status, { message }), undefined)
      assert.notEqual(message, '')
    }
    await api.remove(id)
  })
})
