/** Every operation once over a real socket, each answer judged by Docker's own description of it. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { allRoutes } from '#server/routes/routes.ts'
import { ApiFixture, type Answer, type CallOptions } from '#test/support/api-server.ts'
import { DockerDescription } from '#test/support/docker-description.ts'
import { FakeEngine } from '#test/support/fake-engine.ts'

interface Case extends CallOptions {
  readonly operation: string
  readonly method: string
  /** As described; `{…}` is filled from `at`. */
  readonly path: string
  readonly at?: string
  readonly query?: string
  readonly status: number
}

const refusals = {
  swarm: [503, /swarm/],
  plugins: [404, /plugin "x" not found/],
  'not built yet': [501, /not built yet/],
} as const

const json = { 'Content-Type': 'application/json' }

const cases: readonly Case[] = [
  { operation: 'SystemPingHead', method: 'HEAD', path: '/_ping', status: 200 },
  { operation: 'SystemPing', method: 'GET', path: '/_ping', status: 200 },
  { operation: 'SystemVersion', method: 'GET', path: '/version', status: 200 },
  { operation: 'SystemInfo', method: 'GET', path: '/info', status: 200 },
  { operation: 'SystemDataUsage', method: 'GET', path: '/system/df', status: 200 },
  { operation: 'SystemDataUsage', method: 'GET', path: '/system/df', query: 'verbose=1', status: 200 },
  { operation: 'SystemEvents', method: 'GET', path: '/events', query: 'since=1&until=2', status: 200 },
  { operation: 'Options', method: 'OPTIONS', path: '/containers/json', status: 200 },
  { operation: 'ContainerList', method: 'GET', path: '/containers/json', query: 'all=1', status: 200 },
  {
    operation: 'ContainerCreate',
    method: 'POST',
    path: '/containers/create',
    query: 'name=new',
    body: { Image: 'demo', Cmd: ['true'] },
    status: 201,
  },
  {
    operation: 'ContainerCreate',
    method: 'POST',
    path: '/containers/create',
    body: { Image: 'nowhere' },
    status: 404,
  },
  { operation: 'ContainerInspect', method: 'GET', path: '/containers/{id}/json', at: 'web', status: 200 },
  { operation: 'ContainerInspect', method: 'GET', path: '/containers/{id}/json', at: 'nobody', status: 404 },
  { operation: 'ContainerTop', method: 'GET', path: '/containers/{id}/top', at: 'web', status: 200 },
  { operation: 'ContainerTop', method: 'GET', path: '/containers/{id}/top', at: 'done', status: 409 },
  { operation: 'ContainerChanges', method: 'GET', path: '/containers/{id}/changes', at: 'web', status: 200 },
  {
    operation: 'ContainerUpdate',
    method: 'POST',
    path: '/containers/{id}/update',
    at: 'web',
    body: { Memory: 1 },
    status: 200,
  },
  {
    operation: 'ContainerRename',
    method: 'POST',
    path: '/containers/{id}/rename',
    at: 'done',
    query: 'name=done',
    status: 204,
  },
  { operation: 'ContainerStart', method: 'POST', path: '/containers/{id}/start', at: 'idle', status: 204 },
  { operation: 'ContainerStart', method: 'POST', path: '/containers/{id}/start', at: 'idle', status: 304 },
  {
    operation: 'ContainerStop',
    method: 'POST',
    path: '/containers/{id}/stop',
    at: 'idle',
    query: 't=1',
    status: 204,
  },
  { operation: 'ContainerStop', method: 'POST', path: '/containers/{id}/stop', at: 'idle', status: 304 },
  {
    operation: 'ContainerRestart',
    method: 'POST',
    path: '/containers/{id}/restart',
    at: 'idle',
    status: 204,
  },
  {
    operation: 'ContainerKill',
    method: 'POST',
    path: '/containers/{id}/kill',
    at: 'idle',
    query: 'signal=SIGTERM',
    status: 204,
  },
  { operation: 'ContainerKill', method: 'POST', path: '/containers/{id}/kill', at: 'idle', status: 409 },
  { operation: 'ContainerPause', method: 'POST', path: '/containers/{id}/pause', at: 'web', status: 204 },
  { operation: 'ContainerUnpause', method: 'POST', path: '/containers/{id}/unpause', at: 'web', status: 204 },
  { operation: 'ContainerWait', method: 'POST', path: '/containers/{id}/wait', at: 'done', status: 200 },
  { operation: 'ContainerWait', method: 'POST', path: '/containers/{id}/wait', at: 'nobody', status: 404 },
  {
    operation: 'ContainerLogs',
    method: 'GET',
    path: '/containers/{id}/logs',
    at: 'done',
    query: 'stdout=1',
    status: 200,
  },
  { operation: 'ContainerLogs', method: 'GET', path: '/containers/{id}/logs', at: 'done', status: 400 },
  {
    operation: 'ContainerAttach',
    method: 'POST',
    path: '/containers/{id}/attach',
    at: 'done',
    query: 'logs=1',
    status: 200,
  },
  {
    operation: 'ContainerResize',
    method: 'POST',
    path: '/containers/{id}/resize',
    at: 'web',
    query: 'h=24&w=80',
    status: 200,
  },
  { operation: 'ContainerResize', method: 'POST', path: '/containers/{id}/resize', at: 'web', status: 400 },
  {
    operation: 'ContainerStats',
    method: 'GET',
    path: '/containers/{id}/stats',
    at: 'web',
    query: 'stream=0',
    status: 200,
  },
  { operation: 'ContainerStats', method: 'GET', path: '/containers/{id}/stats', at: 'nobody', status: 404 },
  {
    operation: 'ContainerArchiveInfo',
    method: 'HEAD',
    path: '/containers/{id}/archive',
    at: 'web',
    query: 'path=/etc/hosts',
    status: 200,
  },
  {
    operation: 'ContainerArchive',
    method: 'GET',
    path: '/containers/{id}/archive',
    at: 'web',
    query: 'path=/etc/hosts',
    status: 200,
  },
  {
    operation: 'ContainerArchive',
    method: 'GET',
    path: '/containers/{id}/archive',
    at: 'web',
    query: 'path=/missing',
    status: 404,
  },
  {
    operation: 'PutContainerArchive',
    method: 'PUT',
    path: '/containers/{id}/archive',
    at: 'web',
    query: 'path=/tmp',
    raw: 'tar',
    status: 200,
  },
  { operation: 'ContainerExport', method: 'GET', path: '/containers/{id}/export', at: 'web', status: 200 },
  {
    operation: 'ImageCommit',
    method: 'POST',
    path: '/commit',
    query: 'container=web&repo=saved',
    status: 201,
  },
  {
    operation: 'ContainerExec',
    method: 'POST',
    path: '/containers/{id}/exec',
    at: 'web',
    body: { Cmd: ['true'] },
    status: 201,
  },
  {
    operation: 'ContainerExec',
    method: 'POST',
    path: '/containers/{id}/exec',
    at: 'done',
    body: { Cmd: ['true'] },
    status: 409,
  },
  {
    operation: 'ExecStart',
    method: 'POST',
    path: '/exec/{id}/start',
    at: 'EXEC',
    body: { Detach: true },
    status: 200,
  },
  {
    operation: 'ExecStart',
    method: 'POST',
    path: '/exec/{id}/start',
    at: 'nobody',
    headers: json,
    status: 404,
  },
  {
    operation: 'ExecResize',
    method: 'POST',
    path: '/exec/{id}/resize',
    at: 'EXEC',
    query: 'h=1&w=1',
    status: 200,
  },
  { operation: 'ExecInspect', method: 'GET', path: '/exec/{id}/json', at: 'EXEC', status: 200 },
  { operation: 'ImageList', method: 'GET', path: '/images/json', status: 200 },
  { operation: 'ImageInspect', method: 'GET', path: '/images/{name}/json', at: 'team/demo:1.0', status: 200 },
  { operation: 'ImageInspect', method: 'GET', path: '/images/{name}/json', at: 'nowhere', status: 404 },
  { operation: 'ImageHistory', method: 'GET', path: '/images/{name}/history', at: 'demo', status: 200 },
  {
    operation: 'ImageTag',
    method: 'POST',
    path: '/images/{name}/tag',
    at: 'team/demo:1.0',
    query: 'repo=other&tag=2',
    status: 201,
  },
  { operation: 'ImageDelete', method: 'DELETE', path: '/images/{name}', at: 'team/demo:1.0', status: 200 },
  { operation: 'ImagePrune', method: 'POST', path: '/images/prune', status: 200 },
  {
    operation: 'ImageCreate',
    method: 'POST',
    path: '/images/create',
    query: 'fromSrc=-&repo=imported',
    raw: 'tar',
    status: 200,
  },
  {
    operation: 'ImageCreate',
    method: 'POST',
    path: '/images/create',
    query: 'fromImage=alpine&tag=3',
    status: 404,
  },
  { operation: 'ImageLoad', method: 'POST', path: '/images/load', raw: 'a tar', status: 200 },
  { operation: 'ImageGet', method: 'GET', path: '/images/{name}/get', at: 'demo', status: 200 },
  { operation: 'ImageGetAll', method: 'GET', path: '/images/get', query: 'names=demo', status: 200 },
  { operation: 'NetworkList', method: 'GET', path: '/networks', status: 200 },
  { operation: 'NetworkInspect', method: 'GET', path: '/networks/{id}', at: 'bridge', status: 200 },
  { operation: 'NetworkInspect', method: 'GET', path: '/networks/{id}', at: 'nowhere', status: 404 },
  { operation: 'VolumeList', method: 'GET', path: '/volumes', status: 200 },
  { operation: 'VolumeCreate', method: 'POST', path: '/volumes/create', body: { Name: 'data' }, status: 201 },
  { operation: 'VolumeInspect', method: 'GET', path: '/volumes/{name}', at: 'data', status: 200 },
  { operation: 'VolumeInspect', method: 'GET', path: '/volumes/{name}', at: 'nowhere', status: 404 },
  { operation: 'VolumeDelete', method: 'DELETE', path: '/volumes/{name}', at: 'data', status: 204 },
  { operation: 'VolumePrune', method: 'POST', path: '/volumes/prune', status: 200 },
  { operation: 'NetworkPrune', method: 'POST', path: '/networks/prune', status: 200 },
  { operation: 'BuildPrune', method: 'POST', path: '/build/prune', status: 200 },
  { operation: 'PluginList', method: 'GET', path: '/plugins', status: 200 },
  { operation: 'ContainerPrune', method: 'POST', path: '/containers/prune', status: 200 },
  { operation: 'ContainerDelete', method: 'DELETE', path: '/containers/{id}', at: 'done', status: 204 },
]

const description = DockerDescription.load()
const routes = allRoutes(new FakeEngine(), { version: '0', experimental: false })

describe('every operation of the API', () => {
  let api: ApiFixture
  let exec = ''

  before(async () => {
    api = await ApiFixture.start()
    await api.container('web', ['sleep', '100'])
    await api.container('done', ['echo', 'hello'])
    await api.container('idle', ['sleep', '100'], { start: false })
    exec = (await api.engine.execs.create('web', { Cmd: ['true'] })).Id
  })
  after(() => api[Symbol.asyncDispose]())

  for (const wanted of cases) {
    it(`${wanted.operation} answers ${wanted.status} to ${wanted.method} ${wanted.path} ${wanted.query ?? ''}`, async () => {
      const at = wanted.at === 'EXEC' ? exec : (wanted.at ?? '')
      const path = wanted.path.replace(/\{\w+\}/, at)
      const answer = await api.call(wanted.method, `${path}?${wanted.query ?? ''}`, wanted)
      assert.equal(answer.status, wanted.status, answer.text)
      checkHeaders(answer)
      checkBody(wanted, answer)
    })
  }

  for (const { operation, method, path, missing } of routes) {
    if (missing === undefined) continue
    const [status, reason] = refusals[missing]
    it(`${operation} answers ${status} and says why`, async () => {
      const body = method === 'POST' || method === 'PUT' ? { body: {} } : {}
      const answer = await api.call(method, path.replaceAll(/\{\w+\}/g, 'x'), body)
      assert.equal(answer.status, status, answer.text)
      checkHeaders(answer)
      assert.match((answer.json as { message: string }).message, reason)
    })
  }

  it('has a case above unless it is missing', () => {
    const covered = new Set(cases.map(({ operation }) => operation))
    const uncovered = routes.filter((route) => route.missing === undefined && !covered.has(route.operation))
    assert.deepEqual(
      uncovered.map(({ operation }) => operation),
      [],
    )
  })

  it("is in Docker's description under the same name and path", { skip: noDescription() }, () => {
    const ours = new Set(routes.map(({ operation, method, path }) => `${operation} ${method} ${path}`))
    const theirs = (description?.operations() ?? []).map(
      ({ operation, method, path }) => `${operation} ${method} ${path}`,
    )
    assert.deepEqual(
      theirs.filter((operation) => !ours.has(operation)),
      [],
    )
  })
})

function noDescription(): string | false {
  return description === undefined && "Docker's API description is not on this machine"
}

function checkHeaders({ headers }: Answer): void {
  assert.equal(headers['server'], 'Docker/0.1.0 (linux)')
  assert.equal(headers['api-version'], '1.55')
  assert.equal(headers['ostype'], 'linux')
  assert.equal(headers['docker-experimental'], 'false')
}

function checkBody({ method, path, status }: Case, { json: body, headers, text }: Answer): void {
  if (status >= 400 && method !== 'HEAD') {
    assert.equal(headers['content-type'], 'application/json')
    assert.equal(typeof (body as { message: unknown }).message, 'string')
    assert.ok(text.endsWith('}\n'))
  }
  if (body === undefined || description === undefined) return
  assert.equal(description.complaint(method, path, status, body), undefined, text)
}
