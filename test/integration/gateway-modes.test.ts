/** How bridge networks lead out and in: translated, routed, unprotected, isolated; and containers kept apart. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { EngineApi, type Wanted, exec } from '#test/support/engine-api.ts'
import { Wire } from '#test/support/wire.ts'

const MODE4 = 'com.docker.network.bridge.gateway_mode_ipv4'
const MODE6 = 'com.docker.network.bridge.gateway_mode_ipv6'
const TRUSTED = 'com.docker.network.bridge.trusted_host_interfaces'
const ICC = 'com.docker.network.bridge.enable_icc'

const SERVER =
  'mkdir -p /var/www; hostname > /var/www/index.html; httpd -p 81 -h /var/www; exec httpd -f -p 80 -h /var/www'

interface Endpoint {
  readonly IPAddress: string
  readonly GlobalIPv6Address: string
}

interface World {
  readonly api: EngineApi
  network(name: string, options?: Record<string, string>, body?: object): Promise<string>
  /** A server on ports 80, which is published, and 81. */
  server(name: string, more?: Wanted): Promise<string>
  address(id: string, name: string): Promise<Endpoint>
  fetched(id: string, address: string, port?: number): Promise<string>
  onHost(address: string, port?: number): string
}

function worldOf(api: EngineApi): World {
  const fetched = async (id: string, address: string, port: number): Promise<string> => {
    const ask = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 1 ${address} ${port} | tail -n 1`
    return (await exec(api, id, ask)).out.trim()
  }
  return {
    api,
    network: async (Name, Options = {}, body = {}) =>
      (await api.call('POST', '/networks/create', { Name, Options, ...body }, 201)).json<{ Id: string }>().Id,
    server: async (NetworkMode, more = {}) => {
      const PortBindings = { '80/tcp': [{ HostPort: '8100' }] }
      const HostConfig = { NetworkMode, PortBindings, ...(more['HostConfig'] as object) }
      const id = await api.started({ Cmd: SERVER, Hostname: 'server', ...more, HostConfig })
      await api.until('its server', async () => (await fetched(id, '127.0.0.1', 80)) !== '')
      return id
    },
    address: async (id, name) => {
      const { Networks } = (await api.inspect(id)).NetworkSettings as { Networks: Record<string, Endpoint> }
      const found = Networks[name]
      assert.ok(found !== undefined)
      return found
    },
    fetched: (id, address, port = 80) => fetched(id, address, port),
    onHost: (address, port = 80) =>
      api.daemon.inside('curl', '-g', '-s', '-m', '1', `http://${address}:${port}/`).stdout.trim(),
  }
}

/** A machine at 10.90.N.2 that has the host, 10.90.N.1, as its router. */
async function neighbour({ api }: World, n = 0): Promise<Wire> {
  const wire = await Wire.lay(api.daemon, `lan${n}`, `10.90.${n}.2/24`, `fd90:${n}::2/64`)
  for (const address of [`10.90.${n}.1/24`, `fd90:${n}::1/64`]) {
    api.daemon.inside('ip', 'addr', 'add', address, 'dev', `lan${n}`, 'nodad')
  }
  wire.run('ip', 'route', 'add', 'default', 'via', `10.90.${n}.1`)
  wire.run('ip', '-6', 'route', 'add', 'default', 'via', `fd90:${n}::1`)
  return wire
}

describe('gateway mode', () => {
  let world: World
  before(async () => {
    world = worldOf(await EngineApi.start())
  })
  after(() => world.api[Symbol.asyncDispose]())
  afterEach(async () => {
    await world.api.daemon.removeAll()
    await world.api.daemon.assertNoLeaks()
  })

  it('nat: the address of a container is closed to neighbours, but published ports to trusted interfaces', async () => {
    await world.network('plain')
    await world.network('trusting', { [TRUSTED]: 'lan0:other' })
    const plain = await world.server('plain')
    const trusting = await world.server('trusting', {
      HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8101' }] } },
    })
    await using trusted = await neighbour(world, 0)
    await using stranger = await neighbour(world, 1)
    const closed = (await world.address(plain, 'plain')).IPAddress
    const open = (await world.address(trusting, 'trusting')).IPAddress
    assert.equal(trusted.get(open), 'server')
    assert.equal(trusted.get(open, 81), '')
    assert.equal(stranger.get(open), '')
    for (const one of [trusted, stranger]) {
      assert.equal(one.get(closed), '')
      assert.equal(one.get(one === trusted ? '10.90.0.1' : '10.90.1.1', 8101), 'server')
    }
    assert.equal(await world.fetched(plain, open), '')
  })

  it('nat-unprotected: neighbours reach every port', async () => {
    await world.network(
      'bare',
      { [MODE4]: 'nat-unprotected', [MODE6]: 'nat-unprotected' },
      { EnableIPv6: true },
    )
    const id = await world.server('bare')
    await using wire = await neighbour(world)
    const { IPAddress, GlobalIPv6Address } = await world.address(id, 'bare')
    for (const address of [IPAddress, GlobalIPv6Address]) {
      assert.equal(wire.get(address), 'server')
      assert.equal(wire.get(address, 81), 'server')
    }
    assert.equal(wire.get('10.90.0.1', 8100), 'server')
    const heard = wire.hears(9100)
    await world.api.until('the machine', async () => {
      const { code } = await exec(world.api, id, 'echo | nc -w 1 10.90.0.2 9100')
      return code === 0
    })
    assert.equal(await heard, '10.90.0.1')
  })

  it('routed: published ports are open at the address of the container, and nothing is translated', async () => {
    await world.network('routed', { [MODE4]: 'routed', [MODE6]: 'routed' }, { EnableIPv6: true })
    await world.network('other')
    const id = await world.server('routed')
    const guest = await world.api.started({ Cmd: SERVER, HostConfig: { NetworkMode: 'other' } })
    await using wire = await neighbour(world)
    const { IPAddress, GlobalIPv6Address } = await world.address(id, 'routed')
    const assertReached = (): void => {
      for (const address of [IPAddress, GlobalIPv6Address]) {
        assert.equal(wire.get(address), 'server', address)
        assert.equal(wire.get(address, 81), '', address)
      }
    }
    const assertOpen = async (): Promise<void> => {
      assertReached()
      assert.equal(await world.fetched(guest, IPAddress), 'server')
      assert.equal(await world.fetched(guest, IPAddress, 81), '')
    }
    await assertOpen()
    assert.equal(wire.get('10.90.0.1', 8100), '')
    assert.equal(world.onHost('127.0.0.1', 8100), '')
    const bindings = [
      { HostIp: '0.0.0.0', HostPort: '' },
      { HostIp: '::', HostPort: '' },
    ]
    assert.deepEqual((await world.api.inspect(id)).NetworkSettings?.Ports, { '80/tcp': bindings })
    const heard = wire.hears(9101)
    await world.api.until('the machine', async () => {
      const { code } = await exec(world.api, id, 'echo | nc -w 1 10.90.0.2 9101')
      return code === 0
    })
    assert.equal(await heard, IPAddress)
    // A port of the host is not taken by it.
    await world.server('other')

    const { daemon } = world.api
    daemon.inside('nft', 'flush', 'ruleset')
    await world.api.until(
      'the rules',
      async () => wire.get(IPAddress, 81) === '' && wire.get(IPAddress) !== '',
    )
    await assertOpen()
    await daemon.down('SIGKILL')
    assertReached()
    await daemon.up()
    await assertOpen()
    await daemon.assertNoLeaks()
    await world.api.call('POST', `/containers/${id}/stop?t=0`, undefined, 204)
  })

  it('may differ between the families', async () => {
    await world.network('half', { [MODE6]: 'routed' }, { EnableIPv6: true })
    const id = await world.server('half')
    await using wire = await neighbour(world)
    const { IPAddress, GlobalIPv6Address } = await world.address(id, 'half')
    assert.equal(wire.get(GlobalIPv6Address), 'server')
    assert.equal(wire.get(GlobalIPv6Address, 81), '')
    assert.equal(wire.get(IPAddress), '')
    assert.equal(wire.get('10.90.0.1', 8100), 'server')
    const { Ports } = (await world.api.inspect(id)).NetworkSettings as { Ports: unknown }
    assert.deepEqual(Ports, {
      '80/tcp': [
        { HostIp: '0.0.0.0', HostPort: '8100' },
        { HostIp: '::', HostPort: '' },
      ],
    })
  })

  it('changes with the network that a container leaves through', async () => {
    await world.network('plain')
    await world.network('routed', { [MODE4]: 'routed' })
    const id = await world.server('plain')
    await using wire = await neighbour(world)
    const join = { Container: id, EndpointConfig: { GwPriority: 1 } }
    assert.equal(wire.get('10.90.0.1', 8100), 'server')
    await world.api.call('POST', '/networks/routed/connect', join, 200)
    const { IPAddress } = await world.address(id, 'routed')
    assert.equal(wire.get(IPAddress), 'server')
    assert.equal(wire.get('10.90.0.1', 8100), '')
    await world.api.call('POST', '/networks/routed/disconnect', join, 200)
    assert.equal(wire.get('10.90.0.1', 8100), 'server')
    assert.equal(wire.get(IPAddress), '')
  })

  it('isolated: the bridge has no address, so not even the host is there', async () => {
    const options = { [MODE4]: 'isolated', [MODE6]: 'isolated' }
    const body = { Internal: true, EnableIPv6: true }
    const id = await world.network('cell', options, body)
    const a = await world.server('cell')
    const b = await world.server('cell')
    const { IPAddress, GlobalIPv6Address } = await world.address(a, 'cell')
    assert.equal(await world.fetched(b, IPAddress), 'server')
    assert.equal(await world.fetched(b, GlobalIPv6Address), 'server')
    assert.equal(world.onHost(IPAddress), '')
    const { daemon } = world.api
    assert.equal(daemon.inside('ip', '-o', 'addr', 'show', 'dev', `br-${id.slice(0, 12)}`).stdout, '')
    const { IPAM } = (await world.api.call('GET', '/networks/cell')).json<{
      IPAM: { Config: Record<string, string>[] }
    }>()
    assert.deepEqual(
      IPAM.Config.map((config) => Object.keys(config)),
      [['Subnet'], ['Subnet']],
    )
    const { api } = world
    for (const [status, words, body] of [
      [
        500,
        /^gateway mode 'isolated' can only be used for an internal network$/,
        { Options: { [MODE4]: 'isolated' } },
      ],
      [
        400,
        /^failed to parse com\.docker\.network\.bridge\.gateway_mode_ipv6 value: open \(unknown gateway mode open\)$/,
        { Options: { [MODE6]: 'open' } },
      ],
    ] as const) {
      assert.match(await api.refused(status, 'POST', '/networks/create', { Name: 'x', ...body }), words)
    }
  })
})

describe('containers without icc', () => {
  let world: World
  before(async () => {
    world = worldOf(await EngineApi.start({ args: ['--icc=false', '--allow-direct-routing'] }))
  })
  after(() => world.api[Symbol.asyncDispose]())
  afterEach(async () => {
    await world.api.daemon.removeAll()
    await world.api.daemon.assertNoLeaks()
  })

  it('reach each other by published ports alone, whatever their address is', async () => {
    await world.network('apart', { [ICC]: 'false', [MODE6]: 'routed' }, { EnableIPv6: true })
    for (const name of ['apart', 'bridge']) {
      const a = await world.server(name)
      const b = await world.api.started({ Cmd: SERVER, HostConfig: { NetworkMode: name } })
      const { IPAddress, GlobalIPv6Address } = await world.address(a, name)
      assert.equal(await world.fetched(b, IPAddress), '', name)
      assert.equal((await exec(world.api, b, `ping -c 1 -W 1 ${IPAddress}`)).code, 1)
      if (GlobalIPv6Address !== '') assert.equal(await world.fetched(b, GlobalIPv6Address), '')
      const { out } = await exec(world.api, b, "ip route | awk '/default/ { print $3 }'")
      assert.equal(await world.fetched(b, out.trim(), 8100), 'server')
      assert.equal(world.onHost(IPAddress), 'server')
      await world.api.daemon.removeAll()
      if (name === 'apart') assert.equal((await world.api.daemon.call('GET', '/networks/apart')).status, 404)
    }
  })

  it('stay apart when somebody turns the filter of bridges off', async () => {
    await world.network('apart', { [ICC]: 'false' })
    const a = await world.server('apart')
    const b = await world.server('apart', { HostConfig: { PortBindings: {} } })
    const { IPAddress } = await world.address(a, 'apart')
    const filter = '/proc/sys/net/bridge/bridge-nf-call-iptables'
    world.api.daemon.inside('sh', '-c', `echo 0 > ${filter}`)
    await world.api.until(
      'the filter',
      async () => world.api.daemon.inside('cat', filter).stdout.trim() === '1',
    )
    assert.equal(await world.fetched(b, IPAddress), '')
  })

  it('are reached by neighbours at their own addresses where the daemon allows it, at published ports', async () => {
    await world.network('app')
    const id = await world.server('app')
    await using wire = await neighbour(world)
    const { IPAddress } = await world.address(id, 'app')
    assert.equal(wire.get(IPAddress), 'server')
    assert.equal(wire.get(IPAddress, 81), '')
    assert.equal(wire.get('10.90.0.1', 8100), 'server')
  })
})
