/**
 * The default bridge against the real kernel. The file runs itself again inside a fresh network namespace, the
 * "host"; containers and a neighbour on its LAN are further namespaces, each held by one process. All of it is
 * gone when the processes are.
 */
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { newId, shortId } from '#base/ids.ts'
import { silentLogger } from '#base/logger.ts'
import { KernelNetworks } from '#network/kernel-networks.ts'
import type { Endpoint, PortRequest } from '#network/networks.ts'
import { networksSuite } from '#network/networks.suite.ts'
import type { RunResult } from '#os/helper.ts'
import { ask } from './network-peer.ts'

const TABLE = 'berth_test'
const LINK = 'berthtest0'
const PEER = join(import.meta.dirname, 'network-peer.ts')

const root = process.getuid?.() === 0
if (process.env['BERTH_TEST_NETNS'] === undefined) {
  it('the default bridge works in a namespace of its own', { skip: !root && 'needs root' }, async () => {
    const { NODE_TEST_CONTEXT: _context, ...env } = process.env
    const child = spawn(
      'unshare',
      ['--net', process.execPath, '--test-reporter=spec', import.meta.filename],
      {
        env: { ...env, BERTH_TEST_NETNS: '1' },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const [code] = (await once(child, 'close')) as [number]
    assert.equal(code, 0, output)
  })
} else {
  describe('KernelNetworks', suite)
}

async function run(argv: readonly string[], options: { readonly stdin?: string } = {}): Promise<RunResult> {
  const [file = '', ...args] = argv
  const { promise, resolve } = Promise.withResolvers<RunResult>()
  const child = execFile(file, args, { maxBuffer: 64 << 20 }, (error, stdout, stderr) =>
    resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 255, stdout, stderr }),
  )
  if (options.stdin !== undefined) child.stdin?.end(options.stdin)
  return promise
}

async function must(...argv: readonly string[]): Promise<string> {
  const result = await run(argv)
  assert.equal(result.code, 0, `${argv.join(' ')}: ${result.stderr}`)
  return result.stdout
}

/** A process that holds a new network namespace. */
async function namespace(): Promise<ChildProcess & { readonly pid: number }> {
  const child = spawn('unshare', ['--net', 'sh', '-c', 'echo; exec sleep 600'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  assert.ok(child.pid !== undefined)
  await must('nsenter', '-t', String(child.pid), '-n', 'ip', 'link', 'set', 'lo', 'up')
  return child as ChildProcess & { readonly pid: number }
}

interface Host {
  readonly pid: number
  readonly process: ChildProcess
  run(...argv: readonly string[]): Promise<string>
  ask(protocol: 'tcp' | 'udp', address: string, port: number): Promise<string>
}

async function host(): Promise<Host> {
  const child = await namespace()
  const enter = ['nsenter', '-t', String(child.pid), '-n']
  return {
    pid: child.pid,
    process: child,
    run: (...argv) => must(...enter, ...argv),
    ask: (protocol, address, port) =>
      must(...enter, process.execPath, PEER, 'ask', protocol, address, String(port)),
  }
}

type Container = Host & { readonly id: string; readonly endpoint: Endpoint }

const processes: ChildProcess[] = []

/** What the shim does with a lease, and a server in it. */
async function container(networks: KernelNetworks, ...ports: readonly number[]): Promise<Container> {
  const id = newId()
  const endpoint = networks.lease({ containerId: id })
  const ns = await host()
  processes.push(ns.process)
  const { veth, mac, ipv4, ipv4Prefix, gateway } = endpoint
  await must(
    ...`ip link add ${veth} master ${LINK} type veth peer name eth0 address ${mac} netns ${ns.pid}`.split(
      ' ',
    ),
  )
  await must('ip', 'link', 'set', veth, 'up')
  await ns.run('ip', 'addr', 'add', `${ipv4}/${ipv4Prefix}`, 'dev', 'eth0')
  await ns.run('ip', 'link', 'set', 'eth0', 'up')
  await ns.run('ip', 'route', 'add', 'default', 'via', gateway ?? '')

  const server = spawn(
    'nsenter',
    ['-t', String(ns.pid), '-n', process.execPath, PEER, 'serve', ...ports.map(String)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  processes.push(server)
  await once(server.stdout, 'data')
  return { ...ns, id, endpoint }
}

const tcp = (containerPort: number, hostPort?: PortRequest['hostPort'], hostIp = ''): PortRequest => ({
  containerPort,
  protocol: 'tcp',
  hostIp,
  hostPort,
})

function suite(): void {
  const networks = new KernelNetworks({
    helper: { run },
    logger: silentLogger,
    networkId: newId(),
    link: LINK,
    table: TABLE,
    pools: [
      { base: '10.200.0.0/24', size: 24 },
      { base: '10.201.0.0/24', size: 24 },
      { base: '10.202.0.0/16', size: 24 },
    ],
  })
  let web: Container
  let other: Container
  let neighbour: Host

  before(async () => {
    await must('ip', 'link', 'set', 'lo', 'up')
    // A new namespace inherits the setting of the machine.
    await must('sysctl', '-qw', 'net.ipv4.ip_forward=0')
    neighbour = await host()
    processes.push(neighbour.process)
    // Link-local addresses are there at once.
    const noDad = ['sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0']
    await Promise.all([must(...noDad), neighbour.run(...noDad)])
    await must(...`ip link add lan0 type veth peer name eth0 netns ${neighbour.pid}`.split(' '))
    // The first pool collides with the LAN.
    await must('ip', 'addr', 'add', '10.200.0.1/25', 'dev', 'lan0')
    await must('ip', 'link', 'set', 'lan0', 'up')
    await neighbour.run('ip', 'addr', 'add', '10.200.0.2/25', 'dev', 'eth0')
    await neighbour.run('ip', 'link', 'set', 'eth0', 'up')
    await neighbour.run('ip', 'route', 'add', 'default', 'via', '10.200.0.1')
    // Two IPv6 addresses, so that answers can come from the wrong one.
    for (const address of ['fd77::1/64', 'fd78::1/64'])
      await must('ip', 'addr', 'add', address, 'dev', 'lan0', 'nodad')
    await neighbour.run('ip', 'addr', 'add', 'fd77::2/64', 'dev', 'eth0', 'nodad')
    await neighbour.run('ip', 'route', 'add', 'default', 'via', 'fd77::1')
    // The neighbour sends even what no decent host would.
    await neighbour.run('sysctl', '-qw', 'net.ipv4.conf.all.route_localnet=1')
    await neighbour.run('ip', 'route', 'add', '127.9.0.0/16', 'via', '10.200.0.1', 'dev', 'eth0')

    await networks.ensure()
    ;[web, other] = await Promise.all([container(networks, 80, 81, 82), container(networks, 80)])
    await networks.publish(web.id, web.endpoint, [
      tcp(80, 8080),
      { ...tcp(80, 8080), protocol: 'udp' },
      tcp(81, 8081, '127.0.0.1'),
      tcp(82, 8082, '10.200.0.1'),
      tcp(81, 8083, '127.9.0.1'),
    ])
  })

  after(async () => {
    await networks.destroy()
    for (const child of processes) child.kill('SIGKILL')
    assert.equal(await must('nft', 'list', 'tables'), '')
    assert.equal((await run(['ip', 'link', 'show', LINK])).code, 1)
  })

  networksSuite('KernelNetworks', () => networks)

  it('chooses a pool beside the routes of the host', () => {
    assert.deepEqual(networks.bridge.subnets, [{ subnet: '10.201.0.0/24', gateway: '10.201.0.1' }])
    assert.equal(web.endpoint.ipv4, '10.201.0.2')
  })

  it('reaches a published port from the host itself', async () => {
    const gateway = networks.bridge.subnets[0]?.gateway
    assert.equal(await ask('tcp', '127.0.0.1', 8080), `80 ${gateway}`)
    assert.equal(await ask('udp', '127.0.0.1', 8080), `80 ${gateway}`)
    assert.equal(await ask('tcp', '10.200.0.1', 8080), '80 10.200.0.1')
    assert.equal(await ask('udp', '10.200.0.1', 8080), '80 10.200.0.1')
    assert.equal(await ask('tcp', '127.0.0.1', 8081), `81 ${gateway}`)
    assert.equal(await ask('tcp', '::1', 8080), `80 ${gateway}`)
    assert.equal(await ask('udp', '::1', 8080), `80 ${gateway}`)
    assert.equal(await ask('tcp', '127.0.0.1', 8082), 'ECONNREFUSED')
  })

  it('reaches a published port from a neighbour and keeps its address', async () => {
    assert.equal(await neighbour.ask('tcp', '10.200.0.1', 8080), '80 10.200.0.2')
    assert.equal(await neighbour.ask('udp', '10.200.0.1', 8080), '80 10.200.0.2')
    assert.equal(await neighbour.ask('tcp', '10.200.0.1', 8082), '82 10.200.0.2')
    // Through a socket: the container has no IPv6.
    const own = /fe80::[^/]+/.exec(await must('ip', 'addr', 'show', 'dev', 'lan0'))?.[0]
    for (const address of ['fd77::1', 'fd78::1', `${own}%eth0`]) {
      assert.equal(await neighbour.ask('tcp', address, 8080), `80 ${networks.bridge.subnets[0]?.gateway}`)
      assert.equal(await neighbour.ask('udp', address, 8080), `80 ${networks.bridge.subnets[0]?.gateway}`)
    }
  })

  it('keeps ports published on a loopback address from the neighbour', async () => {
    assert.equal(await neighbour.ask('tcp', '10.200.0.1', 8081), 'ECONNREFUSED')
    assert.equal(await ask('tcp', '127.9.0.1', 8083), `81 ${networks.bridge.subnets[0]?.gateway}`)
    assert.equal(await neighbour.ask('tcp', '127.9.0.1', 8083), 'silence')
    assert.equal(await neighbour.ask('tcp', '127.9.0.1', 8080), 'silence')
  })

  it('keeps unpublished ports and container addresses from a neighbour with a route', async () => {
    assert.equal(await neighbour.ask('tcp', web.endpoint.ipv4 ?? '', 81), 'silence')
    assert.equal(await neighbour.ask('tcp', web.endpoint.ipv4 ?? '', 80), 'silence')
    assert.equal(await neighbour.ask('udp', web.endpoint.ipv4 ?? '', 80), 'silence')
  })

  it('reaches a published port from containers, also the publishing one itself', async () => {
    assert.equal(await other.ask('tcp', '10.200.0.1', 8080), `80 ${networks.bridge.subnets[0]?.gateway}`)
    assert.equal(await web.ask('tcp', '10.200.0.1', 8080), `80 ${networks.bridge.subnets[0]?.gateway}`)
    assert.equal(await web.ask('udp', '10.200.0.1', 8080), `80 ${networks.bridge.subnets[0]?.gateway}`)
    assert.equal(await web.ask('udp', '10.201.0.1', 8080), `80 ${networks.bridge.subnets[0]?.gateway}`)
  })

  it('lets containers reach each other and the outside', async () => {
    assert.equal(await web.ask('tcp', other.endpoint.ipv4 ?? '', 80), `80 ${web.endpoint.ipv4}`)
    const server = spawn(
      'nsenter',
      ['-t', String(neighbour.pid), '-n', process.execPath, PEER, 'serve', '90'],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    processes.push(server)
    await once(server.stdout, 'data')
    assert.equal(await web.ask('tcp', '10.200.0.2', 90), '90 10.200.0.1')
  })

  it("refuses ports that are taken, in Docker's words", async () => {
    const { id, endpoint } = other
    await assert.rejects(networks.publish(id, endpoint, [tcp(80, 9000), tcp(80, 8080)], { name: 'other' }), {
      message: `driver failed programming external connectivity on endpoint other (${endpoint.id}): Bind for 0.0.0.0:8080 failed: port is already allocated`,
    })
    const foreign = createServer().listen(9001, '0.0.0.0')
    await once(foreign, 'listening')
    await assert.rejects(networks.publish(id, endpoint, [tcp(80, 9000), tcp(80, 9001)]), {
      message: `failed to bind host port for 0.0.0.0:9001:${endpoint.ipv4}:80/tcp: address already in use`,
    })
    await assert.rejects(
      networks.publish(id, endpoint, [tcp(80, 9000, '192.0.2.77')]),
      /192\.0\.2\.77:9000:.*cannot assign requested address/,
    )
    // With a choice it takes the next one, and nothing of the failed attempts is left.
    assert.deepEqual(
      await networks.publish(id, endpoint, [
        tcp(80, { first: 9000, last: 9002 }),
        tcp(80, { first: 9001, last: 9002 }),
      ]),
      [
        { containerPort: 80, protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 9000 },
        { containerPort: 80, protocol: 'tcp', hostIp: '::', hostPort: 9000 },
        { containerPort: 80, protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 9002 },
        { containerPort: 80, protocol: 'tcp', hostIp: '::', hostPort: 9002 },
      ],
    )
    foreign.close()
    await networks.unpublish(id)
    assert.equal(await ask('tcp', '127.0.0.1', 9002), 'ECONNREFUSED')
    assert.equal(await networks.reconcile(), false)
  })

  it('publishes 1,000 ports in one transaction', async () => {
    const { id, endpoint } = other
    const requests = Array.from({ length: 1000 }, (_, i) => tcp(20_000 + i, 20_000 + i))
    const published = await networks.publish(id, endpoint, requests)
    assert.equal(published.length, 2000)
    const listing = await must('nft', 'list', 'map', 'inet', TABLE, 'dnat4any')
    assert.equal(listing.split(shortId(id)).length - 1, 1000)
    await networks.unpublish(id)
    assert.equal((await must('nft', 'list', 'map', 'inet', TABLE, 'dnat4any')).includes(shortId(id)), false)
    assert.equal(await networks.reconcile(), false)
  })

  it('notices a foreign flush, and mends it in one step', async () => {
    for (const damage of [
      'flush ruleset',
      `delete element inet ${TABLE} dnat4any { tcp . 8080 }`,
      `flush chain inet ${TABLE} inward`,
      `add rule inet ${TABLE} forward drop`,
    ]) {
      await must('nft', ...damage.split(' '))
      // Ports stay reachable through the sockets that hold them.
      if (damage === 'flush ruleset') assert.match(await neighbour.ask('tcp', '10.200.0.1', 8080), /^80 /)
      assert.equal(await networks.reconcile(), true, damage)
      assert.equal(await networks.reconcile(), false, damage)
      assert.equal(await neighbour.ask('tcp', '10.200.0.1', 8080), '80 10.200.0.2', damage)
    }
    await must('ip', 'addr', 'flush', 'dev', LINK)
    assert.equal(await networks.reconcile(), true)
    assert.equal(await neighbour.ask('tcp', '10.200.0.1', 8080), '80 10.200.0.2')

    // A publication meets the flush before the check does.
    await must('nft', 'flush', 'ruleset')
    await networks.publish(other.id, other.endpoint, [tcp(80, 9100)])
    assert.equal(await neighbour.ask('tcp', '10.200.0.1', 8080), '80 10.200.0.2')
    assert.equal(await neighbour.ask('tcp', '10.200.0.1', 9100), '80 10.200.0.2')
    await networks.unpublish(other.id)
  })

  it('forwards nothing between interfaces of the host that did not forward before', async () => {
    assert.equal((await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8')).trim(), '1')
    assert.match(await must('nft', 'list', 'chain', 'inet', TABLE, 'forward'), /oifkind/)
  })

  it('keeps ports open while another daemon takes over', async () => {
    const next = new KernelNetworks({
      helper: { run },
      logger: silentLogger,
      networkId: networks.bridge.id,
      link: LINK,
      table: TABLE,
    })
    await next.ensure()
    assert.deepEqual(next.bridge.subnets, networks.bridge.subnets)
    assert.equal(await neighbour.ask('tcp', '10.200.0.1', 8080), '80 10.200.0.2')

    next.adopt(web.id, web.endpoint)
    next.adoptPublished(web.id, web.endpoint, [
      { containerPort: 80, protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 8080 },
    ])
    assert.equal(await next.reconcile(), true)
    assert.equal(await neighbour.ask('tcp', '10.200.0.1', 8080), '80 10.200.0.2')
    assert.equal((await must('nft', 'list', 'table', 'inet', TABLE)).includes('8082'), false)
    assert.notEqual(next.lease({ containerId: newId() }).ipv4, web.endpoint.ipv4)
    await next.destroy()
  })
}
