/** Every operation once over a real socket, each answer judged by Docker's own description of it. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { silentLogger } from '#base/logger.ts'
import type { Route } from '#server/route.ts'
import { allRoutes } from '#server/routes/routes.ts'
import { ApiFixture, type Answer, type CallOptions } from '#test/support/api-server.ts'
import { DockerDescription } from '#test/support/docker-description.ts'
import { FakeEngine } from '#test/support/fake-engine.ts'

interface Case extends CallOptions {
  readonly operation: string
  /** What `{…}` in the path is. */
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

/** Method and path are those of the operation's route. */
const cases: readonly Case[] = [
  { operation: 'SystemPingHead', status: 200 },
  { operation: 'SystemPing', status: 200 },
  { operation: 'SystemVersion', status: 200 },
  { operation: 'SystemInfo', status: 200 },
  { operation: 'SystemDataUsage', status: 200 },
  { operation: 'SystemDataUsage', query: 'verbose=1', status: 200 },
  { operation: 'BerthExecKill', at: 'nobody', status: 404 },
  { operation: 'BerthExposure', status: 200 },
  { operation: 'BerthPrunePlan', query: 'volumes={}&cache={}&all=1', status: 200 },
  { operation: 'BerthPrunePlan', query: 'volumes={"colour":["blue"]}', status: 400 },
  { operation: 'BerthImageRemovalPlan', query: 'ref=demo', status: 200 },
  { operation: 'BerthImageRemovalPlan', query: 'ref=nowhere', status: 404 },
  { operation: 'BerthUnreachable', at: 'web', query: 'port=80/tcp&from=db', status: 200 },
  { operation: 'BerthUnreachable', at: 'web', status: 400 },
  { operation: 'BerthWhy', at: 'web', status: 200 },
  { operation: 'BerthWhy', at: 'nobody', status: 404 },
  { operation: 'BerthFsck', query: 'repair=1', status: 200 },
  { operation: 'SystemEvents', query: 'since=1&until=2', status: 200 },
  { operation: 'Options', at: 'containers/json', status: 200 },
  { operation: 'ContainerList', query: 'all=1', status: 200 },
  { operation: 'ContainerCreate', query: 'name=new', body: { Image: 'demo', Cmd: ['true'] }, status: 201 },
  { operation: 'ContainerCreate', body: { Image: 'nowhere' }, status: 404 },
  { operation: 'ContainerInspect', at: 'web', status: 200 },
  { operation: 'ContainerInspect', at: 'nobody', status: 404 },
  { operation: 'ContainerTop', at: 'web', status: 200 },
  { operation: 'ContainerTop', at: 'done', status: 409 },
  { operation: 'ContainerAttachWebsocket', at: 'web', query: 'stream=1', status: 400 },
  { operation: 'ContainerAttachWebsocket', at: 'nobody', query: 'stream=1', status: 404 },
  { operation: 'ContainerChanges', at: 'web', status: 200 },
  { operation: 'ContainerUpdate', at: 'web', body: { Memory: 1 }, status: 200 },
  { operation: 'ContainerRename', at: 'done', query: 'name=done', status: 204 },
  { operation: 'ContainerStart', at: 'idle', status: 204 },
  { operation: 'ContainerStart', at: 'idle', status: 304 },
  { operation: 'ContainerStop', at: 'idle', query: 't=1', status: 204 },
  { operation: 'ContainerStop', at: 'idle', status: 304 },
  { operation: 'ContainerRestart', at: 'idle', status: 204 },
  { operation: 'ContainerKill', at: 'idle', query: 'signal=SIGTERM', status: 204 },
  { operation: 'ContainerKill', at: 'idle', status: 409 },
  { operation: 'ContainerPause', at: 'web', status: 204 },
  { operation: 'ContainerUnpause', at: 'web', status: 204 },
  { operation: 'ContainerWait', at: 'done', status: 200 },
  { operation: 'ContainerWait', at: 'nobody', status: 404 },
  { operation: 'ContainerLogs', at: 'done', query: 'stdout=1', status: 200 },
  { operation: 'ContainerLogs', at: 'done', status: 400 },
  { operation: 'ContainerAttach', at: 'done', query: 'logs=1', status: 200 },
  { operation: 'ContainerResize', at: 'web', query: 'h=24&w=80', status: 200 },
  { operation: 'ContainerResize', at: 'web', status: 400 },
  { operation: 'ContainerStats', at: 'web', query: 'stream=0', status: 200 },
  { operation: 'ContainerStats', at: 'nobody', status: 404 },
  { operation: 'ContainerArchiveInfo', at: 'web', query: 'path=/etc/hosts', status: 200 },
  { operation: 'ContainerArchive', at: 'web', query: 'path=/etc/hosts', status: 200 },
  { operation: 'ContainerArchive', at: 'web', query: 'path=/missing', status: 404 },
  { operation: 'PutContainerArchive', at: 'web', query: 'path=/tmp', raw: 'tar', status: 200 },
  { operation: 'ContainerExport', at: 'web', status: 200 },
  { operation: 'ImageCommit', query: 'container=web&repo=saved', status: 201 },
  { operation: 'ContainerExec', at: 'web', body: { Cmd: ['true'] }, status: 201 },
  { operation: 'ContainerExec', at: 'done', body: { Cmd: ['true'] }, status: 409 },
  { operation: 'ExecStart', at: 'EXEC', body: { Detach: true }, status: 200 },
  { operation: 'ExecStart', at: 'nobody', headers: json, status: 404 },
  { operation: 'ExecResize', at: 'EXEC', query: 'h=1&w=1', status: 200 },
  { operation: 'ExecInspect', at: 'EXEC', status: 200 },
  { operation: 'ImageList', status: 200 },
  { operation: 'ImageInspect', at: 'team/demo:1.0', status: 200 },
  { operation: 'ImageInspect', at: 'nowhere', status: 404 },
  { operation: 'ImageHistory', at: 'demo', status: 200 },
  { operation: 'ImageTag', at: 'team/demo:1.0', query: 'repo=other&tag=2', status: 201 },
  { operation: 'ImageDelete', at: 'team/demo:1.0', status: 200 },
  { operation: 'ImagePrune', status: 200 },
  { operation: 'ImageCreate', query: 'fromSrc=-&repo=imported', raw: 'tar', status: 200 },
  { operation: 'ImageCreate', query: 'fromImage=alpine&tag=3', status: 404 },
  // Not 401: Docker's client would ask for a password then, and wait for ever where nobody types.
  { operation: 'ImageCreate', query: 'fromImage=private&tag=1', status: 500 },
  { operation: 'ImageLoad', raw: 'a tar', status: 200 },
  { operation: 'ImageGet', at: 'demo', status: 200 },
  { operation: 'ImageGetAll', query: 'names=demo', status: 200 },
  { operation: 'ImagePush', at: 'demo', query: 'tag=1', status: 200 },
  { operation: 'ImagePush', at: 'nowhere', query: 'tag=1', status: 404 },
  { operation: 'ImageSearch', query: 'term=demo&limit=5', status: 200 },
  { operation: 'ImageSearch', status: 400 },
  { operation: 'ImageAttestations', at: 'team/demo:1.0', query: 'statement=1&type=a&type=b', status: 200 },
  { operation: 'ImageAttestations', at: 'nowhere', status: 404 },
  { operation: 'DistributionInspect', at: 'team/demo:1.0', status: 200 },
  { operation: 'DistributionInspect', at: 'nowhere', status: 404 },
  {
    operation: 'SystemAuth',
    body: { username: 'a', password: 'b', serveraddress: 'r.example' },
    status: 200,
  },
  { operation: 'SystemAuth', body: { username: 'a', password: 'wrong' }, status: 401 },
  { operation: 'NetworkList', status: 200 },
  { operation: 'NetworkInspect', at: 'bridge', status: 200 },
  { operation: 'NetworkInspect', at: 'nowhere', status: 404 },
  { operation: 'VolumeList', status: 200 },
  { operation: 'VolumeCreate', body: { Name: 'data' }, status: 201 },
  { operation: 'VolumeInspect', at: 'data', status: 200 },
  { operation: 'VolumeInspect', at: 'nowhere', status: 404 },
  { operation: 'VolumeDelete', at: 'data', status: 204 },
  { operation: 'VolumePrune', status: 200 },
  { operation: 'BerthVolumeRename', at: 'data', query: 'name=other', status: 204 },
  { operation: 'BerthVolumeRename', at: 'data', status: 400 },
  { operation: 'BerthVolumeClone', at: 'data', query: 'name=other', status: 201 },
  { operation: 'BerthVolumeClone', at: 'nowhere', query: 'name=other', status: 404 },
  { operation: 'BerthVolumeExport', at: 'data', status: 200 },
  { operation: 'BerthVolumeImport', at: 'other', query: 'labels={"a":"b"}', raw: 'tar', status: 201 },
  { operation: 'NetworkPrune', status: 200 },
  { operation: 'NetworkCreate', body: { Name: 'app' }, status: 201 },
  { operation: 'NetworkConnect', at: 'bridge', body: { Container: 'web' }, status: 200 },
  { operation: 'NetworkDisconnect', at: 'bridge', body: { Container: 'web' }, status: 200 },
  { operation: 'NetworkDelete', at: 'bridge', status: 204 },
  { operation: 'NetworkDelete', at: 'nowhere', status: 404 },
  { operation: 'ImageBuild', query: 't=demo', raw: 'tar', status: 200 },
  { operation: 'ImageBuild', query: 'target=missing', raw: 'tar', status: 400 },
  { operation: 'ImageBuild', query: 'buildargs=nonsense', raw: 'tar', status: 400 },
  { operation: 'ImageBuild', query: 'remote=client-session&session=x&version=2', status: 501 },
  { operation: 'BuildPrune', query: 'all=1&reserved-space=5', status: 200 },
  { operation: 'BuildCancel', query: 'id=running', status: 204 },
  { operation: 'BuildCancel', query: 'id=nobody', status: 404 },
  { operation: 'Grpc', status: 400 },
  { operation: 'Session', status: 400 },
  { operation: 'BerthBuildSession', status: 201 },
  { operation: 'BerthBuildSecret', at: 'session-1', raw: 'secret', status: 204 },
  { operation: 'BerthBuildSecret', at: 'nobody', raw: 'secret', status: 404 },
  { operation: 'BerthBuildAgent', at: 'session-1', query: 'path=/run/agent', status: 204 },
  { operation: 'BerthBuildContext', at: 'session-1', raw: '{}', status: 200 },
  { operation: 'BerthBuildContextFiles', at: 'session-1', raw: 'tar', status: 204 },
  { operation: 'BerthBuildSessionDelete', at: 'session-1', status: 204 },
  { operation: 'BerthBuildArtifact', at: 'build-1', status: 400 },
  { operation: 'BerthBuildWhy', query: 'id=build-1', status: 200 },
  { operation: 'BerthBuildSees', query: 'path=/nowhere&identity=1:2', status: 200 },
  { operation: 'BerthBuildSees', query: 'path=/', status: 400 },
  { operation: 'BerthBuildWhy', query: 'id=nobody', status: 404 },
  { operation: 'PluginList', status: 200 },
  { operation: 'ContainerPrune', status: 200 },
  { operation: 'ContainerDelete', at: 'done', status: 204 },
]

const description = DockerDescription.load()
const routes = allRoutes(new FakeEngine(), { version: '0', experimental: false }, silentLogger)

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
    const { method, path } = routeOf(wanted.operation)
    it(`${wanted.operation} answers ${wanted.status} to ${method} ${path} ${wanted.query ?? ''}`, async () => {
      const at = wanted.at === 'EXEC' ? exec : (wanted.at ?? '')
      const answer = await api.call(method, `${path.replace(/\{\w+\}/, at)}?${wanted.query ?? ''}`, wanted)
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

  it('answers OPTIONS at the root as well', async () => {
    assert.equal((await api.call('OPTIONS', '/')).status, 200)
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

function routeOf(operation: string): Route {
  const found = routes.find((route) => route.operation === operation)
  assert.ok(found, `${operation} has a route`)
  return found
}

function noDescription(): string | false {
  return description === undefined && "Docker's API description is not on this machine"
}

function checkHeaders({ headers }: Answer): void {
  assert.equal(headers['server'], 'Docker/0.1.0 (linux)')
  assert.equal(headers['api-version'], '1.55')
  assert.equal(headers['ostype'], 'linux')
  assert.equal(headers['docker-experimental'], 'false')
}

function checkBody({ operation, status }: Case, { json: body, headers, text }: Answer): void {
  const { method, path } = routeOf(operation)
  if (status >= 400 && method !== 'HEAD') {
    assert.equal(headers['content-type'], 'application/json')
    assert.equal(typeof (body as { message: unknown }).message, 'string')
    assert.ok(text.endsWith('}\n'))
  }
  if (body === undefined || description === undefined) return
  assert.equal(description.complaint(method, path, status, body), undefined, text)
}
