/** What `config.json` and the environment change about commands. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { ApiFixture } from '#test/support/api-server.ts'
import { runCli, type CliResult } from '#test/support/cli.ts'
import { ScriptedEngine } from '#test/support/scripted-engine.ts'

let directory = ''
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'berth-config-'))))
afterEach(() => rmSync(directory, { recursive: true }))

function configure(config: object): void {
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config))
}

function berth(host: string, args: readonly string[], env: Record<string, string> = {}): Promise<CliResult> {
  return runCli(args, { host, env: { DOCKER_CONFIG: directory, ...env } })
}

describe('config.json', () => {
  it('has the formats of lists, which a flag or -q replaces', async () => {
    await using api = await ApiFixture.start()
    await api.container('web', ['sleep'])
    configure({ psFormat: 'P {{.Names}}', imagesFormat: 'I {{.Tag}}', networksFormat: 'N {{.Name}}' })
    const host = `unix://${api.path}`
    assert.equal((await berth(host, ['ps'])).stdout, 'P web\n')
    assert.equal((await berth(host, ['ps', '--format', '{{.Image}}'])).stdout, 'demo\n')
    assert.match((await berth(host, ['ps', '--format', 'table'])).stdout, /^CONTAINER ID/)
    assert.match((await berth(host, ['ps', '-q'])).stdout, /^[0-9a-f]{12}\n$/)
    assert.match((await berth(host, ['images'])).stdout, /^I latest\n/)
    assert.match((await berth(host, ['network', 'ls'])).stdout, /^N /)
  })

  it('has headers for every request; more come from DOCKER_CUSTOM_HEADERS', async () => {
    await using engine = await ScriptedEngine.start({ '/containers/json': { json: [] } })
    configure({ HttpHeaders: { 'X-One': '1', 'X-Two': '2' } })
    await berth(engine.host, ['ps'], { DOCKER_CUSTOM_HEADERS: 'X-Two=two,"X-Three=a,b"' })
    const headers = engine.requests[0]?.headers ?? {}
    assert.deepEqual([headers['x-one'], headers['x-two'], headers['x-three']], ['1', 'two', 'a,b'])
    const { code, stderr } = await berth(engine.host, ['ps'], { DOCKER_CUSTOM_HEADERS: 'nothing' })
    assert.deepEqual([code, /"nothing" has no value/.test(stderr)], [1, true])
  })

  it('gives proxies to containers, but for those that are given otherwise', async () => {
    await using engine = await ScriptedEngine.start({
      '/containers/create': { status: 201, json: { Id: 'c' } },
    })
    configure({ proxies: { default: { httpProxy: 'http://proxy:1' }, [engine.host]: { noProxy: 'local' } } })
    await berth(engine.host, ['create', '-e', 'no_proxy=mine', 'demo'])
    const sent = JSON.parse(engine.requests[0]?.body ?? '') as { Env: string[] }
    assert.deepEqual(sent.Env, ['no_proxy=mine', 'NO_PROXY=local'])
  })
})

describe('--use-api-socket', () => {
  it("mounts the engine's socket and puts the credentials beside it", async () => {
    const archives: Buffer[] = []
    await using engine = await ScriptedEngine.start({
      '/containers/create': { status: 201, json: { Id: 'c' } },
      'PUT /containers/c/archive': ({ body }) => {
        archives.push(Buffer.from(body))
        return {}
      },
    })
    configure({ auths: { 'registry.example': { auth: Buffer.from('me:secret').toString('base64') } } })
    const { code, stderr } = await berth(engine.host, ['create', '--use-api-socket', 'demo'])
    assert.deepEqual([code, stderr], [0, ''])
    const sent = JSON.parse(engine.requests[0]?.body ?? '') as {
      Env: string[]
      HostConfig: { Binds: string[] }
    }
    const socket = engine.host.slice('unix://'.length)
    assert.deepEqual(sent.HostConfig.Binds, [`${socket}:/var/run/docker.sock`])
    assert.deepEqual(sent.Env, ['DOCKER_CONFIG=/run/secrets/docker'])
    const auth = Buffer.from('me:secret').toString('base64')
    assert.ok(String(archives[0]).includes(`{"auths":{"registry.example":{"auth":"${auth}"}}}`))
  })
})
