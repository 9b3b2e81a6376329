/**
 * What somebody else does to the firewall and to bridges is noticed and put right while there is traffic, and nothing is
 * less isolated meanwhile.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { after, afterEach, before, describe, it } from 'node:test'
import { EngineApi, exec } from '#test/support/engine-api.ts'

let api: EngineApi

before(async () => {
  api = await EngineApi.start()
})
after(() => api[Symbol.asyncDispose]())
afterEach(async () => {
  await api.daemon.removeAll()
  await api.daemon.assertNoLeaks()
})

const PORT = 9000
const FLUSHES = 10
const MENDED = 'somebody has changed the firewall; it is as it was again'
const BRIDGE = 'somebody has removed a bridge or changed it; it is as it was again'

/** Says once per second whose datagrams it has heard. */
const HEAR = `
const heard = new Set()
const socket = require('dgram').createSocket('udp4')
socket.on('message', (text) => heard.add(String(text)))
socket.bind(${PORT}, () => console.log('ready'))
process.stdin.on('data', () => console.log(JSON.stringify([...heard])))`

/** Sends a datagram per millisecond. */
const SEND = `
const [, text, ...targets] = process.argv
const socket = require('dgram').createSocket('udp4')
socket.on('error', () => undefined)
setInterval(() => { for (const to of targets) socket.send(text, ${PORT}, to, () => undefined) }, 1)
console.log('ready')`

/** Says what has come from a published port. */
const READ = `
const lines = []
require('net').connect(8080, '127.0.0.1').setEncoding('utf8').on('data', (text) => lines.push(text.trim()))
  .on('connect', () => console.log('ready'))
process.stdin.on('data', () => console.log(JSON.stringify(lines)))`

/** A Node program in the network namespace of a process, or of the daemon. */
class Program implements Disposable {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  static async start(pid: number | 'host', script: string, ...args: readonly string[]): Promise<Program> {
    const where = pid === 'host' ? [`--net=/run/netns/${api.daemon.marks.netns}`] : ['-t', String(pid), '-n']
    const child = spawn('nsenter', [...where, process.execPath, '-e', script, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    return new Program(child)
  }

  async ask(): Promise<string[]> {
    this.#child.stdin?.write('?\n')
    const [line] = (await once(this.#child.stdout ?? child(), 'data')) as [Buffer]
    return JSON.parse(line.toString()) as string[]
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL')
  }
}

/** The default route of the daemon's host, which answers at every address. */
class Router implements Disposable {
  readonly #name = `berth-t-${randomBytes(4).toString('hex')}`
  readonly #server: ChildProcess

  constructor() {
    const [host, router] = [
      ['-n', api.daemon.marks.netns],
      ['-n', this.#name],
    ]
    for (const command of [
      ['netns', 'add', this.#name],
      [...host, 'link', 'add', 'wan0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.#name],
      [...host, 'addr', 'add', '10.92.0.1/24', 'dev', 'wan0'],
      [...host, 'link', 'set', 'wan0', 'up'],
      [...router, 'addr', 'add', '10.92.0.2/24', 'dev', 'eth0'],
      [...router, 'link', 'set', 'eth0', 'up'],
      [...router, 'link', 'set', 'lo', 'up'],
      [...router, 'route', 'add', 'local', '172.16.0.0/12', 'dev', 'lo'],
      [...router, 'route', 'add', 'local', '10.128.0.0/9', 'dev', 'lo'],
      [...router, 'route', 'add', 'local', '192.168.0.0/16', 'dev', 'lo'],
      [...host, 'route', 'replace', 'default', 'via', '10.92.0.2'],
    ]) {
      const { status, stderr } = spawnSync('ip', command, { encoding: 'utf8' })
      assert.equal(status, 0, `${command.join(' ')}: ${stderr}`)
    }
    const script = `require('http').createServer((_, answer) => answer.end('stranger')).listen(80)`
    const argv = ['netns', 'exec', this.#name, process.execPath, '-e', script]
    this.#server = spawn('ip', argv, { stdio: 'inherit' })
  }

  [Symbol.dispose](): void {
    this.#server.kill('SIGKILL')
    spawnSync('ip', ['netns', 'delete', this.#name])
  }
}

function child(): never {
  throw new Error('the program has no output')
}

function said(text: string): number {
  return api.daemon.log.split(text).length - 1
}

/** Does something, and returns when the daemon says that it has put it right. */
async function mended(words: string, harm: readonly string[]): Promise<number> {
  const before = said(words)
  const since = performance.now()
  assert.equal(api.daemon.inside(...harm).code, 0)
  await api.until(`${words} after ${harm.join(' ')}`, async () => said(words) > before)
  return performance.now() - since
}

async function on(network: string, more: object = {}): Promise<{ id: string; pid: number; address: string }> {
  const HostConfig = { NetworkMode: network, ...more }
  const id = await api.started({ Cmd: 'trap "exit 0" TERM; while :; do sleep 0.05; done', HostConfig })
  const { State, NetworkSettings } = await api.inspect(id)
  const { Networks } = NetworkSettings as { Networks: Record<string, { IPAddress: string }> }
  return { id, pid: State.Pid, address: Networks[network]?.IPAddress ?? '' }
}

async function network(Name: string, body: object = {}): Promise<string> {
  const { Id } = (await api.call('POST', '/networks/create', { Name, ...body }, 201)).json<{ Id: string }>()
  return `br-${Id.slice(0, 12)}`
}

function table(): string {
  return api.daemon.inside('nft', 'list', 'table', 'inet', api.daemon.marks.firewallTable).stdout
}

describe('a firewall that somebody changes', () => {
  it('is put back, and never isolates less, however often it is flushed under traffic', async (test) => {
    await network('app')
    await network('other')
    await network('inside', { Internal: true })
    const [a, friend, stranger, inner] = [
      await on('app'),
      await on('app'),
      await on('other'),
      await on('inside'),
    ]
    using hears = await Program.start(a.pid, HEAR)
    using hearsInside = await Program.start(inner.pid, HEAR)
    using _friend = await Program.start(friend.pid, SEND, 'friend', a.address)
    using _stranger = await Program.start(stranger.pid, SEND, 'stranger', a.address, inner.address)
    const before = table()
    const times: number[] = []
    for (let i = 0; i < FLUSHES; i++) times.push(await mended(MENDED, ['nft', 'flush', 'ruleset']))
    test.diagnostic(`mended after ${times.map((time) => time.toFixed(0)).join(', ')} ms`)
    assert.equal(table(), before)
    assert.deepEqual(await hears.ask(), ['friend'])
    assert.deepEqual(await hearsInside.ask(), [])
  })

  it('gets back what was taken out, and loses what was put in', async () => {
    const ports = { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } }
    await network('app')
    await on('app', ports)
    const before = table()
    const name = api.daemon.marks.firewallTable
    for (const harm of [
      `delete element inet ${name} dnat4any { tcp . 8080 }`,
      `add element inet ${name} bridges { "eth0" }`,
      `flush chain inet ${name} forward`,
      `insert rule inet ${name} forward accept`,
      `delete table inet ${name}`,
    ]) {
      await mended(MENDED, ['nft', harm])
      assert.equal(table(), before, harm)
    }
  })

  it('is left alone by changes of others, and by our own', async () => {
    const before = said(MENDED)
    api.daemon.inside('nft', 'add table inet theirs; add chain inet theirs c; delete table inet theirs')
    const bodies = Array.from({ length: 5 }, (_, i) => ({
      PortBindings: { '80/tcp': [{ HostPort: `808${i}` }] },
    }))
    await Promise.all(bodies.map((body) => on('bridge', body)))
    await network('app')
    await api.daemon.removeAll()
    assert.equal(said(MENDED), before)
  })

  it('has a second table that nobody else can remove, and that goes with the daemon', async () => {
    const guard = `${api.daemon.marks.firewallTable}_guard`
    assert.match(api.daemon.inside('nft', 'delete', 'table', 'inet', guard).stderr, /not permitted/)
    await api.daemon.down('SIGKILL')
    await api.until(
      'the end of the guard',
      async () => api.daemon.inside('nft', 'list', 'table', 'inet', guard).code !== 0,
    )
    await api.daemon.up()
    await api.until(
      'the guard',
      async () => api.daemon.inside('nft', 'list', 'table', 'inet', guard).code === 0,
    )
  })
})

describe('a bridge that somebody removes', () => {
  it('is there again, with the containers in it, and the default one as well', async (test) => {
    const link = await network('app')
    for (const [name, bridge] of [
      ['app', link],
      ['bridge', 'berth0'],
    ] as const) {
      const [a, b] = [await on(name), await on(name)]
      const times = [await mended(BRIDGE, ['ip', 'link', 'delete', bridge])]
      times.push(await mended(BRIDGE, ['ip', 'link', 'set', bridge, 'down']))
      test.diagnostic(`mended after ${times.map((time) => time.toFixed(0)).join(', ')} ms`)
      using hears = await Program.start(a.pid, HEAR)
      using _sends = await Program.start(b.pid, SEND, 'friend', a.address)
      await api.until('a datagram', async () => (await hears.ask()).includes('friend'))
    }
  })

  it('leaves connections from the host as they are, also when the container speaks first', async () => {
    const link = await network('app')
    const { id } = await on('app', { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } })
    await exec(api, id, 'mkfifo /say; (exec 3<>/say; exec nc -l -p 80 <&3) >/dev/null 2>&1 &')
    await api.until('the server', async () => (await exec(api, id, 'netstat -tln')).out.includes(':80 '))
    using reads = await Program.start('host', READ)
    await mended(BRIDGE, ['ip', 'link', 'delete', link])
    await exec(api, id, 'echo later >/say')
    await api.until('the line', async () => (await reads.ask()).includes('later'))
  })

  it('leaves nobody on the way out to answer for its containers while it is gone', async () => {
    const link = await network('app')
    const { id } = await on('app', { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } })
    await exec(api, id, 'mkdir /www; echo served > /www/index.html; httpd -p 80 -h /www')
    using _router = new Router()
    const asked = (): string =>
      api.daemon.inside('curl', '-s', '-m', '2', 'http://10.92.0.1:8080/').stdout.trim()
    await api.until('the server', async () => asked() === 'served')
    await api.daemon.down('SIGKILL')
    api.daemon.inside('ip', 'link', 'delete', link)
    assert.equal(asked(), '')
    await api.daemon.up()
    assert.equal(asked(), 'served')
  })

  it('is heard of by a watcher that is started again when it was killed', async () => {
    const link = await network('app')
    const watchers = api.daemon.inside('pgrep', '-x', '-P', String(api.daemon.pid), 'berth-watch').stdout
    assert.match(watchers, /^\d+\n$/)
    process.kill(Number(watchers), 'SIGKILL')
    const again = 'the watcher of the kernel has ended and is started again'
    await api.until('the watcher', async () => {
      const { stdout } = api.daemon.inside('pgrep', '-x', '-P', String(api.daemon.pid), 'berth-watch')
      return said(again) > 0 && stdout !== watchers && stdout !== ''
    })
    await mended(BRIDGE, ['ip', 'link', 'delete', link])
  })
})
