/** Output of real containers on its way to syslog and plugins, and the local copy of it. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { EngineApi } from '#test/support/engine-api.ts'
import { DatagramReceiver, LogPluginServer, StreamReceiver } from '#test/support/log-receiver.ts'

let api: EngineApi
let scratch: string

before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'berth-logs-'))
  api = await EngineApi.start({})
})
after(async () => {
  await api[Symbol.asyncDispose]()
  rmSync(scratch, { recursive: true })
})
afterEach(async () => {
  await api.daemon.removeAll()
  await api.daemon.assertNoLeaks()
})

const logging = (Type: string, Config: Record<string, string>) => ({
  HostConfig: { LogConfig: { Type, Config } },
})
const logs = async (id: string, query = '') =>
  (await api.call('GET', `/containers/${id}/logs?stdout=1&stderr=1${query}`)).bytes.toString('latin1')
const ended = (id: string) => api.call('POST', `/containers/${id}/wait`)

describe('a container that logs to syslog', () => {
  it('has its lines sent, in order, and can be read', async () => {
    await using server = await StreamReceiver.start(join(scratch, 'stream'))
    const to = logging('syslog', {
      'syslog-address': `unix://${join(scratch, 'stream')}`,
      tag: 'x/{{.Name}}',
    })
    const id = await api.started({ ...to, Cmd: 'echo one; echo two >&2' })
    await ended(id)
    const text = await server.until(/two\n/)
    assert.match(text, /^<30>\w{3} [ \d]\d [\d:]{8} x\/\w+\[\d+\]: one\n<27>.* x\/\w+\[\d+\]: two\n$/)
    assert.match(await logs(id), /one\n[^]*two\n/)
  })

  it('has what it wrote while nobody was there sent later, also when it was started with --rm', async () => {
    const path = join(scratch, 'late')
    const to = logging('syslog', { 'syslog-address': `unix://${path}` })
    const id = await api.started({
      ...to,
      Cmd: 'echo early; while [ ! -e /go ]; do sleep 0.05; done; echo late',
    })
    await api.daemon.down('SIGKILL')
    await using server = await StreamReceiver.start(path)
    await api.daemon.up()
    await server.until(/early\n/)
    const gone = api.call('POST', `/containers/${id}/wait?condition=next-exit`)
    const made = await api.call('POST', `/containers/${id}/exec`, { Cmd: ['touch', '/go'] }, 201)
    await api.call('POST', `/exec/${made.json<{ Id: string }>().Id}/start`, { Detach: true })
    await gone
    assert.match(await server.until(/late\n/), /early\n[^]*late\n/)

    const removed = { HostConfig: { ...to.HostConfig, AutoRemove: true } }
    const other = await api.started({ ...removed, Cmd: 'echo last words' })
    await api.call('POST', `/containers/${other}/wait?condition=removed`).catch(() => undefined)
    await server.until(/last words\n/)
  })

  it('is sent datagrams where the socket wants them', async () => {
    const path = join(scratch, 'dgram')
    await using server = await DatagramReceiver.start(path)
    const to = logging('syslog', { 'syslog-address': `unixgram://${path}`, 'syslog-format': 'rfc5424' })
    await ended(await api.started({ ...to, Cmd: 'echo one; echo two' }))
    assert.match(
      await server.until(/two\n/),
      /one\n--\n<30>1 [\d-]+T[\d:]+Z \S+ \w{12} \d+ \w{12} - two\n--\n$/,
    )
  })

  it('is refused when its options cannot be meant', async () => {
    const refused = (Type: string, Config: Record<string, string>) =>
      api.refused(400, 'POST', '/containers/create', {
        ...logging(Type, Config),
        Image: 'busybox',
        Cmd: ['true'],
      })
    assert.match(
      await refused('syslog', { 'syslog-address': 'smtp://x' }),
      /invalid syslog address "smtp:\/\/x"/,
    )
    assert.match(await refused('syslog', { 'syslog-facility': 'x' }), /invalid syslog facility/)
    assert.match(await refused('syslog', { tag: '{{.Nope}}' }), /there is no \{\{\.Nope\}\}/)
    assert.match(
      await refused('nosuch', {}),
      /^error looking up logging plugin nosuch: plugin "nosuch" not found$/,
    )
    assert.match(await refused('json-file', { 'max-sizes': '1' }), /^unknown log opt 'max-sizes'/)
  })
})

describe('a container that logs to a plugin', () => {
  it('has its records on a pipe that the plugin was told of', async () => {
    const name = `berth-test-${randomBytes(4).toString('hex')}`
    await using plugin = await LogPluginServer.start(`/run/docker/plugins/${name}.sock`)
    const to = logging(name, { anything: 'goes', 'cache-disabled': 'true' })
    const id = await api.started({ ...to, Cmd: 'echo to the plugin', Labels: { a: 'b' } })
    const text = await plugin.until(/StopLogging/)
    assert.match(text, /^\[LogDriver\.StartLogging\][^]*stdout[^]*to the plugin\[LogDriver\.StopLogging\]$/)
    const info = plugin.calls[0]?.body['Info'] as Record<string, unknown>
    assert.deepEqual(
      [info['ContainerID'], info['Config'], info['ContainerLabels']],
      [id, to.HostConfig.LogConfig.Config, { a: 'b' }],
    )
    assert.match(
      await api.refused(501, 'GET', `/containers/${id}/logs?stdout=1`),
      /^configured logging driver does not support reading$/,
    )
  })
})

describe('the local copy of a log', () => {
  it('is rotated, packed and read as one', async () => {
    const to = logging('local', { 'max-size': '20k', 'max-file': '3', labels: 'app' })
    const id = await api.started({ ...to, Cmd: 'seq 1 900', Labels: { app: 'shop' } })
    await ended(id)
    const files = readdirSync(join(api.daemon.marks.dataRoot, 'containers', id)).filter((name) =>
      /log/.test(name),
    )
    // The last one may still be at it.
    assert.match(
      files.toSorted().join(' ').replaceAll(id, ''),
      /^-json\.log -json\.log\.1\S*(?: -json\.log\.1\.gz)? -json\.log\.2\.gz$/,
    )
    const text = await logs(id, '&details=1')
    const numbers = [...text.matchAll(/app=shop (\d+)\n/g)].map(([, number]) => Number(number))
    assert.equal(numbers.at(-1), 900)
    assert.deepEqual(
      numbers,
      Array.from(numbers, (_, i) => 900 - numbers.length + 1 + i),
    )
  })
})
