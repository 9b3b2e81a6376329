/** Health checks that need no program of the image, and what happens to the unhealthy, with real containers. */
import assert from 'node:assert/strict'
import { createInterface } from 'node:readline'
import { after, afterEach, before, describe, it } from 'node:test'
import { EngineApi } from '#test/support/engine-api.ts'

let api: EngineApi

before(async () => {
  api = await EngineApi.start()
})
after(() => api[Symbol.asyncDispose]())
afterEach(async () => {
  await api.daemon.removeAll()
  await api.daemon.assertNoLeaks()
})

const SECOND = 1e9
const checked = (...Test: string[]) => ({
  Healthcheck: { Test, Interval: SECOND / 5, Timeout: 2 * SECOND, Retries: 2 },
})
interface Seen {
  readonly State: {
    readonly Status: string
    readonly Health: {
      readonly Status: string
      readonly Log: readonly { readonly ExitCode: number; readonly Output: string }[]
    }
  }
}
const state = async (id: string) => (await api.call('GET', `/containers/${id}/json`)).json<Seen>().State

/** The status that a container comes to; events since the beginning of the test count. */
async function becomes(id: string, action: string, since: number): Promise<void> {
  const filters = JSON.stringify({ container: [id], event: [action.split(':')[0]] })
  const stream = await api.daemon.open('GET', `/events?since=${since}&filters=${encodeURIComponent(filters)}`)
  for await (const line of createInterface({ input: stream })) {
    if ((JSON.parse(line) as { Action: string }).Action === action) break
  }
  stream.destroy()
}

const SERVER =
  'mkdir /w; echo ok > /w/ready; httpd -h /w -p 127.0.0.1:8080; trap "exit 0" TERM; while :; do sleep 0.05; done'

describe('a health check by the engine itself', () => {
  it('reaches a server that listens on loopback alone, and runs nothing in the container', async () => {
    const since = Math.floor(Date.now() / 1000)
    const http = await api.started({ ...checked('HTTP', '8080/ready'), Cmd: SERVER })
    await becomes(http, 'health_status: healthy', since)
    assert.deepEqual((await state(http)).Health.Log.at(-1)?.Output, 'HTTP/1.1 200 OK')
    const tcp = await api.started({ ...checked('TCP', '8080'), Cmd: SERVER, NetworkDisabled: true })
    await becomes(tcp, 'health_status: healthy', since)
    const filters = encodeURIComponent(JSON.stringify({ event: ['exec_start'] }))
    const execs = await api.call(
      'GET',
      `/events?since=${since}&until=${Date.now() / 1000}&filters=${filters}`,
    )
    assert.equal(execs.text, '')
  })

  it('says what was wrong', async () => {
    const since = Math.floor(Date.now() / 1000)
    const missing = await api.started({ ...checked('HTTP', '8080/nothing'), Cmd: SERVER })
    await becomes(missing, 'health_status: unhealthy', since)
    const [seen] = (await state(missing)).Health.Log.slice(-1)
    assert.deepEqual([seen?.ExitCode, seen?.Output], [1, 'HTTP/1.1 404 Not Found'])
    const closed = await api.started({ ...checked('TCP', '9'), Cmd: SERVER })
    await becomes(closed, 'health_status: unhealthy', since)
    assert.match((await state(closed)).Health.Log.at(-1)?.Output ?? '', /port 9: connect: Connection refused/)
    const wrong = { Image: 'busybox', Cmd: ['true'], Healthcheck: { Test: ['TCP', 'http'] } }
    assert.match(await api.refused(400, 'POST', '/containers/create', wrong), /want \["TCP", "PORT"\]/)
  })
})

describe('a probe that takes too long', () => {
  it('is killed, and what it had written is told', async () => {
    const since = Math.floor(Date.now() / 1000)
    const check = checked('CMD-SHELL', 'echo half; sleep 60')
    const Healthcheck = { ...check.Healthcheck, Timeout: SECOND / 20, Retries: 1 }
    const id = await api.started({ Cmd: SERVER, Healthcheck })
    await becomes(id, 'health_status: unhealthy', since)
    const [seen] = (await state(id)).Health.Log.slice(-1)
    assert.deepEqual([seen?.ExitCode, seen?.Output], [-1, 'Health check exceeded timeout (50ms): half\n'])
  })
})

describe('a container that turns unhealthy', () => {
  it('is stopped where that was asked for, and berth why says so', async () => {
    const since = Math.floor(Date.now() / 1000)
    const args = ['--health-tcp', '9', '--health-interval', '200ms', '--health-retries', '1']
    const run = api.daemon.berth(
      'run',
      '-d',
      ...args,
      '--health-on-failure',
      'kill',
      'busybox',
      'sleep',
      '100',
    )
    assert.equal(run.code, 0, run.stderr)
    const id = run.stdout.trim()
    await becomes(id, 'die', since)
    assert.match(api.daemon.berth('why', id).stdout, /The engine ended it since its health check failed/)
  })
})
