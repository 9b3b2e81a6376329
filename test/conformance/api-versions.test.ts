/**
 * Old clients: Docker's command line in every API version that it can still speak, and raw connections as clients make
 * them that know nothing of the Upgrade header.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { after, afterEach, before, describe, it } from 'node:test'
import { separated } from '#test/support/engine-api.ts'
import { Client } from '#test/support/api-server.ts'
import { type EngineUnderTest, startEngine } from './engine-under-test.ts'

const VERSIONS = ['1.24', '1.30', '1.40', '1.43', '1.44', '1.47', '1.51']
const FOREVER = 'echo out; echo err >&2; trap "exit 0" TERM; while :; do sleep 0.05; done'
const LABEL = 'berth.test=versions'

let engine: EngineUnderTest
let files: string

before(async () => {
  engine = await startEngine()
  files = mkdtempSync(join(tmpdir(), 'berth-versions-'))
})
after(async () => {
  rmSync(files, { recursive: true })
  await engine[Symbol.asyncDispose]()
})
afterEach(async () => {
  const filters = encodeURIComponent(JSON.stringify({ label: { [LABEL]: true } }))
  const all = await call('GET', `/containers/json?all=1&filters=${filters}`)
  const ids = (JSON.parse(all.text) as { Id: string }[]).map(({ Id }) => Id)
  await Promise.all(ids.map((id) => call('DELETE', `/containers/${id}?force=1&v=1`)))
})

interface Answer {
  readonly status: number
  readonly bytes: Buffer
  readonly text: string
}

async function call(method: string, path: string, body?: unknown): Promise<Answer> {
  const headers = body === undefined ? {} : { 'Content-Type': 'application/json' }
  const outgoing = request({ socketPath: engine.socket, method, path, headers, agent: false })
  outgoing.end(body === undefined ? undefined : JSON.stringify(body))
  const [response] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage]
  const bytes = await buffer(response)
  return { status: response.statusCode ?? 0, bytes, text: bytes.toString() }
}

/** A container; started unless told otherwise. */
async function container(wanted: object, { start = true } = {}): Promise<string> {
  const created = await call('POST', '/containers/create', {
    Image: 'busybox',
    Labels: { 'berth.test': 'versions' },
    ...wanted,
  })
  assert.equal(created.status, 201, created.text)
  const { Id } = JSON.parse(created.text) as { Id: string }
  if (start) assert.equal((await call('POST', `/containers/${Id}/start`)).status, 204)
  return Id
}

async function exec(id: string, wanted: object): Promise<string> {
  const created = await call('POST', `/containers/${id}/exec`, {
    AttachStdout: true,
    AttachStderr: true,
    ...wanted,
  })
  assert.equal(created.status, 201, created.text)
  return (JSON.parse(created.text) as { Id: string }).Id
}

const noCli =
  spawnSync('docker', ['--version']).status !== 0 && "Docker's command line is not on this machine"

for (const version of VERSIONS) {
  describe(`docker with DOCKER_API_VERSION=${version}`, { skip: noCli }, () => {
    /** Its standard output; anything on standard error but `warned` is a failure. */
    function docker(args: readonly string[], { input = '', code = 0, warned = '' } = {}): string {
      const env = { PATH: process.env['PATH'], HOME: files, DOCKER_API_VERSION: version }
      const ran = spawnSync('docker', ['-H', `unix://${engine.socket}`, ...args], {
        env,
        input,
        encoding: 'utf8',
        timeout: 20_000,
      })
      // In 1.24 it races with itself, and says so, with Docker's own daemon too.
      const said = ran.stderr.replace(/^time=.* level=error msg=.*context canceled"\n/gm, '')
      assert.deepEqual([ran.status, said], [code, warned], args.join(' '))
      return ran.stdout
    }
    const run = ['run', '--label', LABEL]

    it('runs in the foreground and removes', () => {
      // A client before 1.25 removes the container itself, and one before 1.30 watches the events to learn its end.
      assert.equal(docker([...run, '--rm', 'busybox', 'echo', 'hello']), 'hello\n')
      assert.equal(docker([...run, '--rm', '-i', 'busybox', 'cat'], { input: 'typed\n' }), 'typed\n')
      docker([...run, '--rm', 'busybox', 'sh', '-c', 'exit 7'], { code: 7 })
      assert.equal(docker(['ps', '-aq', '--filter', `label=${LABEL}`]), '')
    })

    it('starts, lists, inspects, enters, copies, watches, stops and removes', () => {
      const name = `versions-${version}`
      const id = docker([...run, '-d', '--name', name, '-p', '8000', 'busybox', 'sh', '-c', FOREVER]).trim()
      assert.match(id, /^[0-9a-f]{64}$/)
      const listed = docker([
        'ps',
        '--no-trunc',
        '--filter',
        `name=${name}`,
        '--format',
        '{{.ID}} {{.State}} {{.Image}} {{.Ports}} {{.Networks}}',
      ])
      assert.match(listed, new RegExp(`^${id} running busybox 0.0.0.0:\\d+->8000/tcp.* bridge\n$`))
      const format = '{{.Id}} {{.State.Status}} {{len .NetworkSettings.Ports}} {{.HostConfig.NetworkMode}}'
      assert.match(docker(['inspect', '-f', format, name]), new RegExp(`^${id} running 1 \\w+\n$`))

      assert.equal(docker(['exec', name, 'echo', 'inside']), 'inside\n')
      assert.equal(docker(['exec', '-i', name, 'cat'], { input: 'typed\n' }), 'typed\n')
      docker(['exec', name, 'sh', '-c', 'exit 3'], { code: 3 })
      assert.equal(docker(['logs', name], { warned: 'err\n' }), 'out\n')
      const tail = ['logs', '--tail', '1', '-t', name]
      const ran = spawnSync('docker', ['-H', `unix://${engine.socket}`, ...tail], { encoding: 'utf8' })
      assert.match(ran.stdout + ran.stderr, /^\d{4}-\d\d-\d\dT[0-9:.]+Z (?:out|err)\n$/)

      writeFileSync(join(files, 'in'), 'copied')
      docker(['cp', '-q', join(files, 'in'), `${name}:/tmp/there`])
      docker(['cp', '-q', `${name}:/tmp/there`, join(files, 'back')])
      assert.equal(readFileSync(join(files, 'back'), 'utf8'), 'copied')
      assert.match(
        docker(['stats', '--no-stream', '--format', '{{.Name}} {{.PIDs}}', name]),
        new RegExp(`^${name} \\d+\n$`),
      )
      assert.match(docker(['top', name]), /trap/)
      docker(['stop', '-t', '5', name])
      assert.equal(docker(['wait', name]), '0\n')
      docker(['rm', name])
    })

    it('lists images and replays events', async () => {
      assert.match(
        docker(['images', '--format', '{{.Repository}}:{{.Tag}}', 'busybox']),
        /^busybox:latest\n$/,
      )
      assert.match(docker(['history', '-q', 'busybox']), /./)
      const since = Date.now() / 1000 - 0.001
      const id = await container({ Cmd: ['sh', '-c', 'exit 2'] })
      assert.equal(docker(['wait', id]), '2\n')
      const span = ['--since', since.toFixed(3), '--until', (Date.now() / 1000 + 0.2).toFixed(3)]
      const filter = ['--filter', `container=${id}`, '--filter', 'type=container']
      const actions = docker(['events', ...span, ...filter, '--format', '{{.Action}}'])
      assert.equal(actions, 'create\nstart\ndie\n')
      // Without a format old clients print from the members that were there before Action was.
      assert.match(docker(['events', ...span, ...filter]), new RegExp(`container die ${id} \\(`))
    })
  })
}

describe('docker run --mac-address', { skip: noCli }, () => {
  it('gives the container that address, and nobody else a fixed one', async () => {
    const address = '02:00:00:00:be:01'
    const args = ['-H', `unix://${engine.socket}`, 'run', '-d', '--label', LABEL, '--mac-address', address]
    const { stdout } = spawnSync('docker', [...args, 'busybox', 'sleep', '1000'], { encoding: 'utf8' })
    const inspected = (id: string): Promise<Answer> => call('GET', `/v1.51/containers/${id}/json`)
    const { NetworkSettings } = JSON.parse((await inspected(stdout.trim())).text) as {
      NetworkSettings: { MacAddress: string }
    }
    assert.equal(NetworkSettings.MacAddress, address)
    const other = await container({ Cmd: ['sleep', '1000'] })
    assert.equal(
      'MacAddress' in (JSON.parse((await inspected(other)).text) as { Config: object }).Config,
      false,
    )
  })
})

describe('a client without an Upgrade header', () => {
  const ALL = 'stream=1&stdin=1&stdout=1&stderr=1'

  async function dial(sent: string): Promise<Client> {
    const socket = connect({ path: engine.socket, allowHalfOpen: true })
    await once(socket, 'connect')
    socket.write(sent)
    return new Client(socket)
  }

  function post(path: string, body?: string, headers = ''): string {
    const entity =
      body === undefined
        ? 'Content-Length: 0\r\n'
        : `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`
    return `POST ${path} HTTP/1.1\r\nHost: docker\r\n${headers}${entity}\r\n${body ?? ''}`
  }

  function bodyOf({ text, bytes }: Client): Buffer {
    return bytes.subarray(text.indexOf('\r\n\r\n') + 4)
  }

  it('attaches, sends stdin and ends it', async () => {
    const id = await container(
      { Cmd: ['sh', '-c', 'cat; echo done >&2'], OpenStdin: true, StdinOnce: true },
      { start: false },
    )
    using client = await dial(post(`/v1.24/containers/${id}/attach?${ALL}`))
    await client.until('\r\n\r\n')
    await call('POST', `/containers/${id}/start`)
    client.socket.end('typed\n')
    await client.ended()
    assert.match(client.text, /^HTTP\/1.1 200 OK\r\n/)
    assert.match(client.text, /\r\nContent-Type: application\/vnd.docker.raw-stream\r\n/i)
    assert.deepEqual(await separated(bodyOf(client)), { out: 'typed\n', err: 'done\n' })
  })

  it('starts an exec whose body comes with the head, after it, and in pieces', async () => {
    const id = await container({ Cmd: ['sleep', '1000'] })
    for (const pieces of [3, 2, 1]) {
      const execId = await exec(id, { Cmd: ['cat'], AttachStdin: true })
      const sent = post(`/v1.24/exec/${execId}/start`, '{"Detach":false,"Tty":false}')
      const head = sent.indexOf('\r\n\r\n') + 4
      const cuts = [head, head + 5, sent.length].slice(3 - pieces)
      using client = await dial(sent.slice(0, cuts[0]))
      for (const [i, cut] of cuts.entries()) {
        // An answer to another request is proof that the server has read what was sent before.
        await call('GET', '/_ping')
        client.socket.write(sent.slice(cut, cuts[i + 1] ?? cut))
      }
      client.socket.end('typed\n')
      await client.ended()
      assert.deepEqual(await separated(bodyOf(client)), { out: 'typed\n', err: '' }, `${pieces} pieces`)
    }
  })

  it('reads output on a connection that was used before', async () => {
    const id = await container({ Cmd: ['sh', '-c', FOREVER] })
    using client = await dial('GET /v1.24/_ping HTTP/1.1\r\nHost: docker\r\n\r\n')
    await client.until('OK')
    const execId = await exec(id, { Cmd: ['echo', 'output'] })
    client.socket.write(post(`/v1.24/exec/${execId}/start`, '{}'))
    const answer = await client.ended()
    assert.match(answer, /^HTTP[^]*OKHTTP\/1.1 200 OK\r\n/)
    assert.ok(answer.endsWith('\r\n\r\n\u0001\0\0\0\0\0\0\u0007output\n'), JSON.stringify(answer))
  })

  it('is told errors as a response and not as a stream', async () => {
    using missing = await dial(post('/v1.24/exec/nope/start', '{}'))
    assert.match(await missing.until('}'), /^HTTP\/1.1 404 [^]*No such exec instance: nope/)
    const id = await container({ Cmd: ['true'] }, { start: false })
    const refused = await call('POST', `/v1.24/containers/${id}/exec`, { Cmd: ['true'] })
    assert.equal(refused.status, 409)
    assert.match(refused.text, /is not running/)
  })

  it('may close while a container writes', async () => {
    const id = await container({ Cmd: ['sh', '-c', 'while :; do echo y; done'] })
    using client = await dial(post(`/v1.24/containers/${id}/attach?stream=1&stdout=1`))
    await client.until('y')
    client.socket.destroy()
    assert.equal((await call('POST', `/containers/${id}/stop?t=1`)).status, 204)
  })
})

describe('exec start with an Upgrade header', () => {
  it('sends its head before the process writes: some clients read one with a buffer and drop the rest', async () => {
    const id = await container({ Cmd: ['sleep', '1000'] })
    for (let i = 0; i < 20; i++) {
      const execId = await exec(id, { Cmd: ['echo', 'output'] })
      const socket = connect(engine.socket)
      socket.write(
        `POST /exec/${execId}/start HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
      )
      const [first] = (await once(socket, 'data')) as [Buffer]
      assert.match(first.toString('latin1'), /^HTTP\/1.1 101 UPGRADED\r\n[^]*\r\n\r\n$/)
      socket.destroy()
    }
  })
})
