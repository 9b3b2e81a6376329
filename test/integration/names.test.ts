/**
 * The resolver of containers against the real kernel. The file runs itself again inside a fresh network and mount namespace,
 * the "host", whose /etc/resolv.conf is the test's own; containers are further namespaces, each held by one process.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { readFile, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { newId } from '#base/ids.ts'
import type { Resolver } from '#network/names/name-service.ts'
import { namesSuite, resolverOf } from '#network/names/names.suite.ts'
import { decode, encodeAnswer, encodeQuery, reverseName, upstream } from '#test/support/dns.ts'
import { NamesWorld, type TestContainer } from '#test/support/names-world.ts'
import { temporaryDirectory } from '#test/support/native.ts'

const root = process.getuid?.() === 0
const hostConf = process.env['BERTH_TEST_RESOLV_CONF']
if (hostConf === undefined) {
  it('names are answered in namespaces of their own', { skip: !root && 'needs root' }, async () => {
    await using directory = await temporaryDirectory('names-host')
    const conf = join(directory.path, 'resolv.conf')
    await writeFile(conf, '')
    const { NODE_TEST_CONTEXT: _context, ...env } = process.env
    const script = 'ip link set lo up; mount --bind "$BERTH_TEST_RESOLV_CONF" /etc/resolv.conf; exec "$@"'
    const argv = ['--net', '--mount', 'sh', '-c', script, 'sh', process.execPath, '--test-reporter=spec']
    const child = spawn('unshare', [...argv, import.meta.filename], {
      env: { ...env, BERTH_TEST_RESOLV_CONF: conf },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const [code] = (await once(child, 'close')) as [number]
    assert.equal(code, 0, output)
  })
} else {
  namesSuite('NativeNames', () => NamesWorld.open())
  describe('answers', () => answers(hostConf))
  describe('upstreams', () => upstreams(hostConf))
  describe('life', life)
}

async function attached(
  world: NamesWorld,
  resolver: Resolver,
): Promise<{ readonly id: string; readonly container: TestContainer }> {
  const [id, container] = [newId(), await world.container()]
  await world.names.attach(id, { pid: container.pid }, resolver)
  return { id, container }
}

function ip(...argv: readonly string[]): void {
  execFileSync('ip', argv)
}

let wires = 0

/** As `attached`, with a way from the container to the host. */
async function wired(world: NamesWorld, resolver: Resolver): ReturnType<typeof attached> {
  const made = await attached(world, resolver)
  const subnet = `10.200.${wires}`
  const link = `bwire${wires++}`
  ip('link', 'add', link, 'type', 'veth', 'peer', 'name', 'up0', 'netns', String(made.container.pid))
  ip('addr', 'add', `${subnet}.1/24`, 'dev', link)
  ip('link', 'set', link, 'up')
  await made.container.run('ip', 'addr', 'add', `${subnet}.2/24`, 'dev', 'up0')
  await made.container.run('ip', 'link', 'set', 'up0', 'up')
  await made.container.run('ip', 'route', 'add', 'default', 'via', `${subnet}.1`)
  return made
}

function answers(conf: string): void {
  let world: NamesWorld
  before(async () => (world = await NamesWorld.open()))
  after(async () => {
    const messages = await world.messages()
    await world[Symbol.asyncDispose]()
    assert.equal(messages, '')
  })

  it('are one address of each name first, then another', async () => {
    const all = ['10.1.0.2', '10.1.0.3', '10.1.0.4']
    const { container } = await attached(world, resolverOf({ web: all }))
    const first = new Set<string>()
    for (let i = 0; i < 6; i++) {
      const given = await container.addresses('web')
      assert.deepEqual(given.toSorted(), all)
      first.add(given[0] ?? '')
    }
    assert.deepEqual(first, new Set(all))
  })

  it('keep the case of the question, tell no lies about other types, and may be kept for seconds', async () => {
    const { container } = await attached(
      world,
      resolverOf({ web: ['10.1.0.2'] }, { pointers: { '10.1.0.2': 'web.net' } }),
    )
    const a = await container.ask('wEb')
    assert.deepEqual([a?.name, a?.rcode, a?.answers[0]?.name, a?.answers[0]?.ttl], ['wEb', 0, 'wEb', 10])
    for (const type of ['AAAA', 'MX', 'TXT', 'SOA', 'ANY'] as const) {
      const other = await container.ask('web', { type })
      assert.deepEqual([other?.rcode, other?.answers], [0, []], type)
    }
    const reverse = await container.ask(reverseName('10.1.0.2'), { type: 'A' })
    assert.deepEqual([reverse?.rcode, reverse?.answers], [0, []])
    assert.equal((await container.ask('example.org'))?.rcode, 3)
  })

  it('leave port 53 to containers that serve DNS themselves', async () => {
    const { container } = await attached(world, resolverOf({ web: ['10.1.0.2'] }))
    const server = `const s = require('dgram').createSocket('udp4'); s.bind(53, '0.0.0.0', () => { console.log('udp');
      require('net').createServer().listen(53, '0.0.0.0', () => { console.log('tcp'); process.exit() }) })`
    assert.equal(await container.run(process.execPath, '-e', server), 'udp\ntcp\n')
  })

  it('are what libc and busybox ask for', async () => {
    const pointers = { '10.1.0.2': 'web.front' }
    const { container } = await attached(world, resolverOf({ web: ['10.1.0.2', 'fd00::2'] }, { pointers }))
    await writeFile(conf, 'nameserver 127.0.0.11\noptions ndots:0\n')
    const both = await container.run('getent', 'ahosts', 'WEB')
    assert.match(both, /^10\.1\.0\.2 +STREAM/m)
    assert.match(both, /^fd00::2 +STREAM/m)
    assert.match(await container.run('getent', 'hosts', '10.1.0.2'), /^10\.1\.0\.2 +web\.front/)
    assert.equal(await container.run('getent', 'ahosts', 'nobody'), '')
    assert.match(
      await container.run('busybox', 'nslookup', 'web'),
      /Address: 10\.1\.0\.2\n[^]*Address: fd00::2/,
    )
    await writeFile(conf, '')
  })

  it('fit into what the asker takes, and are whole by TCP', async () => {
    const many = Array.from({ length: 200 }, (_, i) => `10.1.1.${i}`)
    const { container } = await attached(world, resolverOf({ many }))
    const [small] = await container.exchange('udp', [encodeQuery('many')])
    assert.ok(small !== undefined && small.length <= 512 && decode(small).truncated)
    const [large] = await container.exchange('udp', [encodeQuery('many', { edns: 4096 })])
    assert.ok(large !== undefined && large.length > 512 && large.length <= 1232)
    assert.deepEqual([decode(large).truncated, decode(large).edns], [true, 1232])
    const whole = await container.ask('many', { tcp: true })
    assert.deepEqual([whole?.truncated, whole?.answers.length], [false, 200])
    assert.equal((await container.ask('many', { edns: 512, ednsVersion: 1 }))?.rcode, 16)
  })

  it('come to several queries on one connection', async () => {
    const { container } = await attached(world, resolverOf({ a: ['10.1.0.2'], b: ['10.1.0.3'] }))
    const queries = ['a', 'b', 'c', 'a'].map((name, id) => encodeQuery(name, { id }))
    const messages = (await container.exchange('tcp', queries)).map((answer) => decode(answer))
    assert.deepEqual(
      messages.map(({ id, rcode }) => [id, rcode]),
      [
        [0, 0],
        [1, 0],
        [2, 3],
        [3, 0],
      ],
    )
  })

  it('never come to what is no query, and the next query is answered all the same', async () => {
    const { container } = await attached(world, resolverOf({ web: ['10.1.0.2'] }))
    const query = encodeQuery('web')
    const loop = Buffer.concat([query.subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])])
    const long = Buffer.concat([query.subarray(0, 12), Buffer.alloc(300, 1), Buffer.from([0, 0, 1, 0, 1])])
    const reply = Buffer.from(query)
    reply.writeUInt8(0x81, 2)
    const broken = [
      Buffer.alloc(0),
      query.subarray(0, 11),
      query.subarray(0, 15),
      loop,
      long,
      reply,
      Buffer.alloc(1500),
    ]
    const [only, ...more] = await container.exchange('udp', [...broken, query], { wait: 1 })
    assert.ok(only !== undefined && more.length === 0)
    assert.deepEqual(
      decode(only).answers.map(({ data }) => data),
      ['10.1.0.2'],
    )
    const notify = Buffer.from(query)
    notify.writeUInt8(0x21, 2)
    assert.equal((await container.exchange('udp', [notify]))[0]?.readUInt8(3), 0x84)
    const two = Buffer.from(query)
    two.writeUInt16BE(2, 4)
    assert.equal((await container.exchange('udp', [two]))[0]?.readUInt8(3), 0x81)
  })

  it('refuses the host’s own namespace, and processes that are gone', async () => {
    const resolver = resolverOf({})
    await assert.rejects(world.names.attach(newId(), { pid: process.pid }, resolver), /namespace of the host/)
    await assert.rejects(world.names.attach(newId(), { pid: 2 ** 22 + 1 }, resolver), /process 4194305/)
  })
}

function upstreams(conf: string): void {
  let world: NamesWorld
  const servers = (...addresses: readonly string[]): Promise<void> =>
    writeFile(
      conf,
      `# ${randomInt(2 ** 40)}\n${addresses.map((address) => `nameserver ${address}\n`).join('')}`,
    )
  before(async () => {
    world = await NamesWorld.open()
    for (const n of [51, 52, 53, 54]) ip('addr', 'add', `198.51.100.${n}/32`, 'dev', 'lo')
  })
  after(() => world[Symbol.asyncDispose]())

  it('are the host’s as they are now', async () => {
    await using _first = await upstream('127.0.0.53', ({ query }) => [encodeAnswer(query, ['192.0.2.1'])])
    await using _second = await upstream('127.0.0.54', ({ query }) => [encodeAnswer(query, ['192.0.2.2'])])
    const { container } = await attached(world, resolverOf({ web: ['10.1.0.2'] }, { upstream: 'host' }))
    await servers('127.0.0.53')
    assert.deepEqual(await container.addresses('example.org'), ['192.0.2.1'])
    await servers('127.0.0.54')
    assert.deepEqual(await container.addresses('example.org'), ['192.0.2.2'])
    assert.deepEqual(await container.addresses('example.org', { tcp: true }), ['192.0.2.2'])
    assert.deepEqual(await container.addresses('web'), ['10.1.0.2'])
  })

  it('see another id and port with each query, and what the asker takes', async () => {
    await using server = await upstream('198.51.100.53', ({ query }) => [encodeAnswer(query, ['192.0.2.1'])])
    const { container } = await wired(world, resolverOf({}, { upstream: ['198.51.100.53'] }))
    for (let i = 0; i < 8; i++) {
      const message = await container.ask('example.org', { id: 7, edns: 1400 })
      assert.deepEqual([message?.id, message?.rcode], [7, 0])
    }
    assert.ok(new Set(server.asked.map(({ message }) => message.id)).size > 6)
    assert.ok(new Set(server.asked.map(({ port }) => port)).size > 6)
    assert.equal(server.asked[0]?.message.edns, 1400)
  })

  it('are believed only when id and question are right', async () => {
    await using _server = await upstream('198.51.100.53', ({ query }) => {
      const forged = encodeAnswer(query, ['203.0.113.66'])
      forged.writeUInt16BE((query.readUInt16BE(0) + 1) & 0xffff, 0)
      const other = encodeAnswer(encodeQuery('other.org', { id: query.readUInt16BE(0) }), ['203.0.113.67'])
      return [forged, other, Buffer.from('x'), encodeAnswer(query, ['192.0.2.1'])]
    })
    const { container } = await wired(world, resolverOf({}, { upstream: ['198.51.100.53'] }))
    assert.deepEqual(await container.addresses('example.org'), ['192.0.2.1'])
  })

  it('are tried in turn: closed, refusing, silent; SERVFAIL when none is left', async () => {
    await using _refusing = await upstream('198.51.100.52', ({ query }) => [encodeAnswer(query, [], 5)])
    await using silent = await upstream('198.51.100.53', () => [])
    await using _good = await upstream('198.51.100.54', ({ query }) => [encodeAnswer(query, ['192.0.2.1'])])
    const list = ['198.51.100.51', '198.51.100.52', '198.51.100.53', '198.51.100.54']
    const { container } = await wired(world, resolverOf({}, { upstream: list }))
    assert.deepEqual(await container.addresses('example.org'), ['192.0.2.1'])
    assert.equal(silent.asked.length, 1)
    const closed = await wired(world, resolverOf({}, { upstream: ['198.51.100.51'] }))
    for (const tcp of [false, true])
      assert.equal((await closed.container.ask('example.org', { tcp }))?.rcode, 2)
  })

  it('pass truncation on, and their answers are cut for those who take less', async () => {
    const many = Array.from({ length: 60 }, (_, i) => `192.0.2.${i}`)
    await using _server = await upstream('198.51.100.53', ({ query, tcp }) => {
      const answer = encodeAnswer(query, tcp || decode(query).name === 'large.org' ? many : [])
      if (!tcp && decode(query).name === 'truncated.org') answer.writeUInt8(0x83, 2)
      return [answer]
    })
    const { container } = await wired(world, resolverOf({}, { upstream: ['198.51.100.53'] }))
    for (const name of ['truncated.org', 'large.org']) {
      const message = await container.ask(name)
      assert.deepEqual([message?.truncated, message?.answers], [true, []], name)
      assert.equal((await container.addresses(name, { tcp: true })).length, 60)
    }
  })

  it('of a container’s own are asked from where it is, and never itself', async () => {
    await using outside = await upstream('127.0.0.53', ({ query }) => [encodeAnswer(query, ['192.0.2.1'])])
    const { container } = await attached(world, resolverOf({}, { upstream: ['127.0.0.11', '127.0.0.53'] }))
    const script = `const s = require('dgram').createSocket('udp4')
      s.on('message', (query, { port, address }) => {
        const answer = Buffer.concat([query, Buffer.from([192, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 9])])
        answer.writeUInt16BE(0x8180, 2)
        answer.writeUInt16BE(1, 6)
        s.send(answer, port, address)
      })
      s.bind(53, '127.0.0.53', () => console.log('ready'))`
    const enter = ['-t', String(container.pid), '-n', process.execPath, '-e', script]
    const server = spawn('nsenter', enter, { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(server.stdout, 'data')
    assert.deepEqual(await container.addresses('example.org'), ['192.0.2.9'])
    server.kill()
    assert.equal((await container.ask('example.org', { tcp: true }))?.rcode, 2)
    assert.equal(outside.asked.length, 0)
    const itself = await attached(world, resolverOf({}, { upstream: ['127.0.0.11'] }))
    assert.equal((await itself.container.ask('example.org'))?.rcode, 2)
  })

  it('hear nothing from containers of internal networks only', async () => {
    await using server = await upstream('127.0.0.53', ({ query }) => [encodeAnswer(query, ['192.0.2.1'])])
    await servers('127.0.0.53')
    const { container } = await attached(world, resolverOf({ web: ['10.1.0.2'] }))
    for (const name of ['example.org', reverseName('192.0.2.1')]) {
      assert.equal((await container.ask(name))?.rcode, 3)
      assert.equal((await container.ask(name, { tcp: true }))?.rcode, 3)
    }
    assert.equal(server.asked.length, 0)
  })

  it('and containers may send garbage: nobody else notices', async () => {
    const garbled = (message: Buffer): Buffer => {
      const copy = Buffer.from(message)
      for (let i = randomInt(4); i > 0; i--) copy.writeUInt8(randomInt(256), randomInt(copy.length))
      return copy.subarray(0, randomInt(5) === 0 ? randomInt(copy.length) : copy.length)
    }
    await using _bad = await upstream('198.51.100.53', () =>
      Array.from({ length: randomInt(4) }, () =>
        randomInt(2) === 0
          ? randomBytes(randomInt(600))
          : garbled(encodeAnswer(encodeQuery('example.org'), ['192.0.2.66'])),
      ),
    )
    await using _good = await upstream('198.51.100.54', ({ query }) => [encodeAnswer(query, ['192.0.2.1'])])
    const bad = await wired(world, resolverOf({ web: ['10.1.0.2'] }, { upstream: ['198.51.100.53'] }))
    const good = await wired(world, resolverOf({ web: ['10.1.0.2'] }, { upstream: ['198.51.100.54'] }))
    const before = await world.processes()
    for (let i = 0; i < 60; i++) {
      const queries = Array.from({ length: 30 }, (_, id) =>
        garbled(encodeQuery(id % 2 === 0 ? 'web' : 'example.org', { id, edns: 1232 })),
      )
      await bad.container.exchange(i % 2 === 0 ? 'udp' : 'tcp', queries, { patience: 20 })
      if (i % 10 !== 0) continue
      assert.deepEqual(await good.container.addresses('web'), ['10.1.0.2'])
      assert.deepEqual(await good.container.addresses('example.org'), ['192.0.2.1'])
    }
    assert.deepEqual(await world.processes(), before)
  })

  it('are not flooded by one container, nor kept from the others', async () => {
    await using silent = await upstream('198.51.100.53', () => [])
    await using _good = await upstream('198.51.100.54', ({ query }) => [encodeAnswer(query, ['192.0.2.1'])])
    const flooding = await wired(world, resolverOf({}, { upstream: ['198.51.100.53'] }))
    const other = await wired(world, resolverOf({ web: ['10.1.0.2'] }, { upstream: ['198.51.100.54'] }))
    const flood = Array.from({ length: 400 }, (_, id) => encodeQuery(`n${id}.org`, { id }))
    const refused = await flooding.container.exchange('udp', flood, { wait: 144, patience: 1500 })
    assert.ok(refused.length > 0 && refused.every((answer) => decode(answer).rcode === 5))
    assert.ok(silent.asked.length <= 256)
    assert.deepEqual(await other.container.addresses('example.org'), ['192.0.2.1'])
    assert.deepEqual(await other.container.addresses('web'), ['10.1.0.2'])
  })
}

function life(): void {
  it('begins with the first container, outlasts the daemon, and ends after the last container', async () => {
    await using world = await NamesWorld.open()
    assert.equal((await world.names.adopt(new Set())).size, 0)
    await world.names.detach(newId())
    assert.deepEqual(await world.processes(), [])
    const { id, container } = await attached(world, resolverOf({ web: ['10.1.0.2'] }))
    const [process] = await world.processes()
    await world.nextDaemon(async () => assert.deepEqual(await container.addresses('web'), ['10.1.0.2']))
    assert.deepEqual([...(await world.names.adopt(new Set([id])))], [id])
    assert.deepEqual(await world.processes(), [process])
    await world.nextDaemon(async () => {
      await container.end(id).catch(() => undefined)
      while ((await world.processes()).length > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    })
    assert.equal((await world.names.adopt(new Set([id]))).size, 0)
  })

  it('fails no look-up while daemons are killed and come again', async () => {
    await using world = await NamesWorld.open()
    const { id, container } = await attached(world, resolverOf({ web: ['10.1.0.2'] }))
    let [asked, stop] = [0, false]
    const loop = async (): Promise<void> => {
      for (; !stop; asked++) assert.deepEqual(await container.addresses('web'), ['10.1.0.2'])
    }
    const asking = loop()
    for (let i = 0; i < 5; i++) {
      await world.crash()
      assert.deepEqual([...(await world.names.adopt(new Set([id])))], [id])
    }
    stop = true
    await asking
    assert.ok(asked > 10, `${asked}`)
  })

  it('keeps none of the helper’s mounts', async () => {
    await using world = await NamesWorld.open()
    await attached(world, resolverOf({}))
    const [pid] = await world.processes()
    const of = (process: number | string): Promise<string> => readlink(`/proc/${process}/ns/mnt`)
    assert.equal(await of(pid ?? 0), await of('self'))
    assert.notEqual(await of(world.helperPid), await of('self'))
  })

  it('goes on after a crash with what it knew, within a fraction of a second', async (t) => {
    await using world = await NamesWorld.open()
    const resolver = resolverOf(
      { web: ['10.1.0.2', 'fd00::2'] },
      { pointers: { '10.1.0.2': 'web.net' }, upstream: ['192.0.2.53', '2001:db8::53'] },
    )
    const [a, b] = [await attached(world, resolver), await attached(world, resolver)]
    const before = await world.state()
    assert.equal(before.match(/^table$/gm)?.length, 1)
    const [victim] = await world.processes()
    assert.ok(victim !== undefined)
    const killed = performance.now()
    process.kill(victim, 'SIGKILL')
    while ((await a.container.ask('web', { patience: 20 })) === undefined);
    const gap = performance.now() - killed
    t.diagnostic(`gap of ${gap.toFixed(0)} ms`)
    assert.ok(gap < 1000)
    assert.deepEqual(await b.container.lookup(b.id, 'web'), ['10.1.0.2', 'fd00::2'])
    assert.equal(
      (await world.state()).split('\n').toSorted().join('\n'),
      before.split('\n').toSorted().join('\n'),
    )
    assert.equal((await world.processes()).length, 1)
  })

  it('is set up again by the next daemon when both had died', async () => {
    await using world = await NamesWorld.open()
    const [kept, ended] = [
      await attached(world, resolverOf({ web: ['10.1.0.2'] })),
      await attached(world, resolverOf({ web: ['10.1.0.2'] })),
    ]
    await world.nextDaemon(async () => {
      for (const pid of await world.processes()) process.kill(pid, 'SIGKILL')
      while ((await world.processes()).length > 0) await new Promise((resolve) => setTimeout(resolve, 5))
      await ended.container.stop()
    })
    assert.deepEqual([...(await world.names.adopt(new Set([kept.id, ended.id])))], [kept.id])
    assert.deepEqual(await kept.container.addresses('web'), ['10.1.0.2'])
  })

  it('lets go of namespaces, and takes its rules out of those that stay', async () => {
    await using world = await NamesWorld.open()
    const { id, container } = await attached(world, resolverOf({ web: ['10.1.0.2'] }))
    assert.match(await container.run('nft', 'list', 'ruleset'), /table ip berth-dns/)
    await world.names.detach(id)
    assert.equal(await container.run('nft', 'list', 'ruleset'), '')
    // A veth's end outside goes when the namespace does: sockets of ours would keep both.
    const other = await attached(world, resolverOf({}))
    const make = [
      'link',
      'add',
      'bnames0',
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      String(other.container.pid),
    ]
    await once(spawn('ip', make), 'exit')
    assert.match(await readFile('/proc/net/dev', 'utf8'), /bnames0/)
    await other.container.end(other.id)
    while ((await readFile('/proc/net/dev', 'utf8')).includes('bnames0'));
  })

  it('is small with hundreds of names and containers', async (t) => {
    await using world = await NamesWorld.open()
    const names = Object.fromEntries(
      Array.from({ length: 600 }, (_, i) => [`container-${i}.network`, [`10.1.${i >> 8}.${i & 255}`]]),
    )
    const resolver = resolverOf(names)
    const container = await world.container()
    await world.names.attach(newId(), { pid: container.pid }, resolver)
    for (let i = 0; i < 100; i++) await world.names.attach(newId(), { pid: container.pid }, resolverOf(names))
    const [pid] = await world.processes()
    const kilobytes = Number(/^Pss:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1])
    t.diagnostic(`${kilobytes} kB`)
    if (process.env['BERTH_NATIVE_BUILD'] === undefined) assert.ok(kilobytes < 1024, `${kilobytes} kB`)
  })
}
