/** `firewall=respect` and `publish-default`: who gets to a published port, and who does not. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, afterEach, before, describe, it } from 'node:test'
import { randomBytes } from 'node:crypto'
import { EngineApi } from '#test/support/engine-api.ts'

const SERVER = 'mkdir -p /www; echo served > /www/index.html; exec httpd -f -p 80 -h /www'

/** Another machine on a network with the daemon's host: a namespace with a link to it. */
class Neighbour implements Disposable {
  readonly #name = `berth-t-${randomBytes(4).toString('hex')}`

  constructor(api: EngineApi) {
    spawnSync('ip', ['netns', 'add', this.#name])
    const host = api.daemon.marks.netns
    for (const command of [
      ['-n', host, 'link', 'add', 'lan0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.#name],
      ['-n', host, 'addr', 'add', '10.91.0.1/24', 'dev', 'lan0'],
      ['-n', host, 'link', 'set', 'lan0', 'up'],
      ['-n', this.#name, 'addr', 'add', '10.91.0.2/24', 'dev', 'eth0'],
      ['-n', this.#name, 'link', 'set', 'eth0', 'up'],
    ]) {
      assert.equal(spawnSync('ip', command).status, 0, command.join(' '))
    }
  }

  get(port: number, address = '10.91.0.1'): string {
    return this.#run('curl', '-s', '-m', '1', `http://${address}:${port}/`)
  }

  #run(...argv: readonly string[]): string {
    return spawnSync('ip', ['netns', 'exec', this.#name, ...argv], { encoding: 'utf8' }).stdout.trim()
  }

  [Symbol.dispose](): void {
    spawnSync('ip', ['netns', 'delete', this.#name])
  }
}

function suite(args: readonly string[]): {
  readonly api: () => EngineApi
  readonly neighbour: () => Neighbour
} {
  let api: EngineApi
  let neighbour: Neighbour
  before(async () => {
    api = await EngineApi.start({ args })
    neighbour = new Neighbour(api)
  })
  after(async () => {
    neighbour[Symbol.dispose]()
    await api[Symbol.asyncDispose]()
  })
  afterEach(async () => {
    await api.daemon.removeAll()
    await api.daemon.assertNoLeaks()
  })
  return { api: () => api, neighbour: () => neighbour }
}

function inside(api: EngineApi, ...argv: string[]): string {
  const { code, stdout, stderr } = api.daemon.inside(...argv)
  assert.equal(code, 0, stderr)
  return stdout
}

const fromHost = (api: EngineApi, port: number, address = '127.0.0.1'): string =>
  api.daemon.inside('curl', '-s', '-m', '1', `http://${address}:${port}/`).stdout.trim()

const ports = (HostPort: number, HostIp = '') => ({
  PortBindings: { '80/tcp': [{ HostIp, HostPort: String(HostPort) }] },
})

describe('firewall=respect', () => {
  const { api, neighbour } = suite(['--firewall', 'respect'])

  it('lets published ports pass the host rules for input, which win', async () => {
    await api().started({ Cmd: SERVER, HostConfig: ports(8080) })
    await api().until('the server', async () => neighbour().get(8080) === 'served')
    const foreign = `
      add table ip theirs
      add chain ip theirs input { type filter hook input priority 0; policy accept; }
      add rule ip theirs input tcp dport 8080 iifname "lan0" drop`
    inside(api(), 'nft', foreign)
    assert.equal(neighbour().get(8080), '')
    assert.equal(fromHost(api(), 8080), 'served', 'what the host rules allow is as it was')
    const before = inside(api(), 'nft', 'list', 'table', 'ip', 'theirs')
    // Neither a restart of the daemon nor a new container opens what is closed, or touches the table.
    await api().daemon.down('SIGKILL')
    await api().daemon.up()
    await api().started({ Cmd: SERVER, HostConfig: ports(8081) })
    await api().until('the server', async () => neighbour().get(8081) === 'served')
    assert.equal(neighbour().get(8080), '')
    assert.equal(inside(api(), 'nft', 'list', 'table', 'ip', 'theirs'), before)
    inside(api(), 'nft', 'delete', 'table', 'ip', 'theirs')
    assert.equal(neighbour().get(8080), 'served')
  })

  it('closes everything with a policy that drops, but for the host itself', async () => {
    await api().started({ Cmd: SERVER, HostConfig: ports(8080) })
    await api().until('the server', async () => neighbour().get(8080) === 'served')
    const foreign = `
      add table inet theirs
      add chain inet theirs input { type filter hook input priority 0; policy drop; }
      add rule inet theirs input ct state established,related accept
      add rule inet theirs input iifname "lo" accept`
    inside(api(), 'nft', foreign)
    assert.equal(neighbour().get(8080), '')
    assert.equal(fromHost(api(), 8080), 'served')
    inside(api(), 'nft', 'delete', 'table', 'inet', 'theirs')
  })
})

describe('without it', () => {
  const { api, neighbour } = suite([])

  it('a published port is open whatever the host says about input', async () => {
    await api().started({ Cmd: SERVER, HostConfig: ports(8080) })
    await api().until('the server', async () => neighbour().get(8080) === 'served')
    const foreign = `
      add table inet theirs
      add chain inet theirs input { type filter hook input priority 0; policy drop; }`
    inside(api(), 'nft', foreign)
    assert.equal(neighbour().get(8080), 'served')
    inside(api(), 'nft', 'delete', 'table', 'inet', 'theirs')
  })
})

describe('publish-default', () => {
  const { api, neighbour } = suite(['--publish-default', '127.0.0.1'])

  it('is where ports without an address are published, and nowhere else', async () => {
    const id = await api().started({ Cmd: SERVER, HostConfig: ports(8080) }, 'web')
    await api().until('the server', async () => fromHost(api(), 8080) === 'served')
    assert.equal(neighbour().get(8080), '')
    assert.equal(fromHost(api(), 8080, '10.91.0.1'), '')
    const { Ports } = (await api().inspect(id)).NetworkSettings as { Ports: unknown }
    assert.deepEqual(Ports, { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }] })
    // Whoever names an address gets it.
    await api().started({ Cmd: SERVER, HostConfig: ports(8081, '0.0.0.0') })
    await api().until('the server', async () => neighbour().get(8081) === 'served')
    const { stdout } = api().daemon.berth('update', '--publish-add', '8082:80', 'web')
    assert.equal(stdout.trim(), 'web')
    assert.deepEqual([fromHost(api(), 8082), neighbour().get(8082)], ['served', ''])
    await api().daemon.down('SIGKILL')
    await api().daemon.up()
    assert.deepEqual([fromHost(api(), 8082), neighbour().get(8082)], ['served', ''])
  })
})
