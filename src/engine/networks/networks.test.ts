import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { FakeMachine, TestEngine } from '#test/support/engine.ts'
import type { NetworkCreateBody } from '../services.ts'
import { runOf } from '../containers/state.ts'
import type { UserNetworks } from './networks.ts'

let machine: FakeMachine
let engine: TestEngine
let networks: UserNetworks

beforeEach(async () => {
  machine = new FakeMachine()
  engine = await TestEngine.start(machine)
  networks = engine.userNetworks
})
afterEach(() => machine[Symbol.dispose]())

async function names(filters: Record<string, string[]>): Promise<(string | null | undefined)[]> {
  return (await networks.list(new Map(Object.entries(filters)))).map(({ Name }) => Name)
}

async function make(Name: string, body: NetworkCreateBody = {}): Promise<string> {
  return (await networks.create({ Name, ...body })).Id ?? ''
}

const subnet = (Subnet: string, more: object = {}): NetworkCreateBody => ({
  IPAM: { Config: [{ Subnet, ...more }] },
})

function endpoints(id: string) {
  return runOf(engine.container(id).state)?.endpoints ?? []
}

describe('the predefined networks', () => {
  it('are three, and filters choose among them', async () => {
    assert.deepEqual(await names({}), ['bridge', 'host', 'none'])
    assert.deepEqual(await names({ driver: ['null', 'host'] }), ['host', 'none'])
    assert.deepEqual(await names({ name: ['o'] }), ['host', 'none'])
    assert.deepEqual(await names({ type: ['custom'] }), [])
    assert.deepEqual(await names({ label: ['x'] }), [])
    await assert.rejects(names({ colour: ['red'] }), { message: "invalid filter 'colour'" })
  })

  it('are found by id, name and prefix', async () => {
    for (const ref of ['host', 'b'.repeat(64), 'bbb'])
      assert.equal((await networks.inspect(ref)).Name, 'host')
    await assert.rejects(networks.inspect('nowhere'), { message: 'network nowhere not found' })
    await assert.rejects(networks.inspect(''), { message: 'network  not found' })
  })

  it('show who is on them now', async () => {
    const id = await engine.run({}, 'web')
    await engine.create({}, 'idle')
    const { Containers } = (await networks.inspect('bridge')) as {
      Containers: Record<string, { Name: string; IPv4Address: string }>
    }
    assert.deepEqual(Object.keys(Containers), [id])
    assert.equal(Containers[id]?.Name, 'web')
    assert.match(Containers[id]?.IPv4Address ?? '', /^172\.17\.0\.\d+\/16$/)
  })

  it('stay', async () => {
    await assert.rejects(networks.remove('bridge'), {
      message: 'bridge is a pre-defined network and cannot be removed',
    })
    await assert.rejects(make('host'), {
      message: 'operation is not permitted on predefined host network ',
    })
  })
})

describe('networks of one’s own', () => {
  it('are made with a subnet of their own, and removed', async () => {
    const id = await make('app', { Labels: { a: 'b' }, Internal: true })
    await make('other')
    const app = await networks.inspect('app')
    assert.deepEqual(app.IPAM?.Config, [{ Subnet: '172.18.0.0/24', Gateway: '172.18.0.1' }])
    assert.equal(app.Internal, true)
    assert.deepEqual((await networks.inspect('other')).IPAM?.Config?.[0]?.Subnet, '172.18.1.0/24')
    assert.deepEqual(await names({ type: ['custom'], label: ['a=b'] }), ['app'])
    assert.deepEqual(await names({ dangling: ['true'] }), ['app', 'other'])
    assert.ok(engine.networks.made.has(id))
    await networks.remove(id)
    assert.ok(!engine.networks.made.has(id))
    await assert.rejects(networks.inspect('app'), { message: 'network app not found' })
    assert.deepEqual(
      engine.takeEvents().filter((event) => event.startsWith('network')),
      ['network create', 'network create', 'network destroy'],
    )
  })

  it('are refused with the words of Docker', async () => {
    await make('app', subnet('10.1.0.0/24'))
    const refusals: readonly [NetworkCreateBody, RegExp][] = [
      [{ Name: 'app' }, /^Error: network with name app already exists$/],
      [{ Name: '' }, /name is empty/],
      [{ Name: 'x', Driver: 'magic' }, /^Error: plugin "magic" not found$/],
      [{ Name: 'x', Driver: 'host' }, /only one instance of "host" network is allowed/],
      [{ Name: 'x', ...subnet('10.1.0.0/16') }, /Pool overlaps with other one on this address space$/],
      [
        { Name: 'x', ...subnet('10.2.0.5/24') },
        /invalid subnet 10\.2\.0\.5\/24: it should be 10\.2\.0\.0\/24/,
      ],
      [{ Name: 'x', ...subnet('nonsense') }, /invalid subnet nonsense: invalid CIDR block notation/],
      [{ Name: 'x', IPAM: { Config: [{ IPRange: '10.2.0.0/24' }] } }, /invalid subnet : invalid CIDR block/],
      [{ Name: 'x', ...subnet('10.2.0.1/32') }, /no available addresses on this pool/],
      ...['bridge.host_binding_ipv4', 'host_ipv4', 'host_ipv6'].map((option): [NetworkCreateBody, RegExp] => [
        { Name: 'x', Options: { [`com.docker.network.${option}`]: 'nope' } },
        /failed to parse com\.docker\.network\.\S+ value: nope \(nil ip\)/,
      ]),
      [{ Name: 'x', Options: { 'com.docker.network.container_iface_prefix': 'a b' } }, /value: a b /],
      [
        { Name: 'x', ...subnet('10.2.0.0/24', { Gateway: '10.3.0.1' }) },
        /invalid gateway 10\.3\.0\.1: parent subnet 10\.2\.0\.0\/24 doesn't contain this address/,
      ],
      [
        { Name: 'x', ...subnet('10.2.0.0/24', { IPRange: '10.2.0.0/16' }) },
        /CIDR block is bigger than its parent subnet 10\.2\.0\.0\/24/,
      ],
    ]
    for (const [body, message] of refusals) {
      await assert.rejects(networks.create(body), (error: Error) => message.test(`Error: ${error.message}`))
    }
    assert.deepEqual(await names({ type: ['custom'] }), ['app'])
  })

  it('keep their subnets from each other when made at once, 500 of them', async () => {
    await Promise.all(Array.from({ length: 500 }, (_, i) => make(`n${i}`)))
    const all = (await networks.list(new Map())).flatMap(({ IPAM }) => IPAM?.Config ?? [])
    assert.equal(new Set(all.map(({ Subnet }) => Subnet)).size, 501)
  })

  it('are not removed under a running container; prune leaves those alone', async () => {
    await make('app')
    await make('idle')
    const id = await engine.run({ HostConfig: { NetworkMode: 'app' } }, 'web')
    const [endpoint] = endpoints(id)
    await assert.rejects(networks.remove('app'), {
      message: `error while removing network: network app has active endpoints (name:"web" id:"${endpoint?.id.slice(0, 12)}")`,
    })
    assert.deepEqual(await networks.prune(new Map()), { NetworksDeleted: ['idle'] })
    await engine.lifecycle.stop(id)
    await engine.settled()
    await networks.remove('app')
    await assert.rejects(engine.lifecycle.start(id), {
      message: 'failed to set up container networking: network app not found',
    })
  })
})

describe('containers on networks', () => {
  it('are on several, with what they asked for', async () => {
    await make('front', subnet('10.1.0.0/24'))
    await make('back', subnet('10.2.0.0/24'))
    const id = await engine.run(
      {
        HostConfig: { NetworkMode: 'front' },
        NetworkingConfig: {
          EndpointsConfig: {
            back: { IPAMConfig: { IPv4Address: '10.2.0.77' }, MacAddress: '02:00:00:00:00:09' },
            front: { Aliases: ['www'] },
          },
        },
      },
      'web',
    )
    const [front, back] = endpoints(id)
    assert.deepEqual([front?.network, front?.ifname, front?.ipv4], ['front', 'eth0', '10.1.0.2'])
    assert.deepEqual(
      [back?.network, back?.ifname, back?.ipv4, back?.mac],
      ['back', 'eth1', '10.2.0.77', '02:00:00:00:00:09'],
    )
  })

  it('are on those that were named alone, whatever their mode says, under id or name', async () => {
    const app = await make('app', subnet('10.1.0.0/24'))
    await make('back', subnet('10.2.0.0/24'))
    const named = await engine.run({ NetworkingConfig: { EndpointsConfig: { app: {}, back: {} } } })
    assert.deepEqual(
      endpoints(named).map(({ network }) => network),
      ['app', 'back'],
    )
    const IPAMConfig = { IPv4Address: '10.1.0.9' }
    const EndpointsConfig = { app: { IPAMConfig }, [app]: { MacAddress: '02:00:00:00:00:09' } }
    const both = await engine.run({ HostConfig: { NetworkMode: app }, NetworkingConfig: { EndpointsConfig } })
    const [only, ...more] = endpoints(both)
    assert.deepEqual([only?.ipv4, only?.mac, more], ['10.1.0.9', '02:00:00:00:00:09', []])
  })

  it('have no two interfaces of one name', async () => {
    await make('app')
    await make('back')
    const DriverOpts = { 'com.docker.network.endpoint.ifname': 'eth0' }
    const id = await engine.run({ HostConfig: { NetworkMode: 'app' } })
    const taken = 'network back: error renaming interface to "eth0": file exists'
    await assert.rejects(networks.connect('back', { Container: id, EndpointConfig: { DriverOpts } }), {
      message: taken,
    })
    assert.equal(endpoints(id).length, 1)
    const twice = { app: { DriverOpts }, back: { DriverOpts } }
    const other = await engine.create({ NetworkingConfig: { EndpointsConfig: twice } })
    await assert.rejects(engine.lifecycle.start(other), {
      message: `failed to set up container networking: ${taken}`,
    })
  })

  it('have no IPv6 address where they switch IPv6 off', async () => {
    await make('dual', { EnableIPv6: true })
    const Sysctls = { 'net.ipv6.conf.all.disable_ipv6': '1' }
    const id = await engine.run({ HostConfig: { NetworkMode: 'dual', Sysctls } })
    assert.equal(endpoints(id)[0]?.ipv6, undefined)
    assert.notEqual(endpoints(id)[0]?.ipv4, undefined)
  })

  it('are refused addresses that they cannot have', async () => {
    await make('app', subnet('10.1.0.0/24'))
    const at = (IPv4Address: string) => ({
      HostConfig: { NetworkMode: 'app' },
      NetworkingConfig: { EndpointsConfig: { app: { IPAMConfig: { IPv4Address } } } },
    })
    await assert.rejects(engine.create(at('10.9.0.1')), {
      message:
        'invalid config for network app: invalid endpoint settings:\nno configured subnet or ip-range contain the IP address 10.9.0.1',
    })
    await engine.run(at('10.1.0.9'))
    const taken = 'failed to set up container networking: Address already in use'
    const second = await engine.create(at('10.1.0.9'))
    await assert.rejects(engine.lifecycle.start(second), { message: taken })
    const gateway = await engine.create(at('10.1.0.1'))
    await assert.rejects(engine.lifecycle.start(gateway), { message: taken })
    await assert.rejects(engine.create({ HostConfig: { NetworkMode: 'nope' } }), {
      message: 'network nope not found',
    })
  })

  it('do not get the fixed address of one that is stopped', async () => {
    await make('app', subnet('10.1.0.0/29'))
    await engine.create({
      HostConfig: { NetworkMode: 'app' },
      NetworkingConfig: { EndpointsConfig: { app: { IPAMConfig: { IPv4Address: '10.1.0.2' } } } },
    })
    const other = await engine.run({ HostConfig: { NetworkMode: 'app' } })
    assert.equal(endpoints(other)[0]?.ipv4, '10.1.0.3')
  })

  it('join and leave while they run', async () => {
    await make('app', subnet('10.1.0.0/24'))
    const id = await engine.run({}, 'web')
    engine.takeEvents()
    await networks.connect('app', { Container: 'web', EndpointConfig: { GwPriority: 1 } })
    assert.deepEqual(
      endpoints(id).map(({ network, ifname, pending }) => [network, ifname, pending]),
      [
        ['bridge', 'eth0', undefined],
        ['app', 'eth1', undefined],
      ],
    )
    const pid = machine.names.attached.get(id)?.pid ?? 0
    assert.equal(engine.networks.ways.get(pid)?.v4?.network, 'app')
    assert.deepEqual([...engine.networks.plugged], [endpoints(id)[1]?.veth])
    await assert.rejects(networks.connect('app', { Container: 'web' }), {
      message: 'endpoint with name web already exists in network app',
    })
    await networks.disconnect('bridge', { Container: 'web' })
    await networks.disconnect('app', { Container: 'web' })
    assert.deepEqual(endpoints(id), [])
    assert.equal(engine.networks.plugged.size, 0)
    await assert.rejects(networks.disconnect('app', { Container: 'web' }), /is not connected to network app/)
    assert.deepEqual(engine.takeEvents(), ['network connect', 'network disconnect', 'network disconnect'])
    await networks.remove('app')
  })

  it('are on the networks they were connected to while stopped', async () => {
    await make('app', subnet('10.1.0.0/24'))
    const id = await engine.create({}, 'web')
    await networks.connect('app', {
      Container: id,
      EndpointConfig: { IPAMConfig: { IPv4Address: '10.1.0.5' } },
    })
    await networks.disconnect('bridge', { Container: id })
    await engine.lifecycle.start(id)
    assert.deepEqual(
      endpoints(id).map(({ network, ifname, ipv4 }) => [network, ifname, ipv4]),
      [['app', 'eth0', '10.1.0.5']],
    )
  })

  it('do not join beside the stack of the host, of another one, or none', async () => {
    await make('app')
    for (const [NetworkMode, message] of [
      ['host', /container sharing network namespace with another container or host cannot be connected/],
      ['none', /with one of the networks in private \(none\) mode/],
    ] as const) {
      const id = await engine.create({ HostConfig: { NetworkMode } })
      await assert.rejects(networks.connect('app', { Container: id }), message)
    }
    const id = await engine.create({})
    await assert.rejects(networks.connect('host', { Container: id }), /must be created in host network mode/)
    const stack = await engine.create({ HostConfig: { NetworkMode: 'host' } })
    await assert.rejects(
      networks.disconnect('host', { Container: stack }),
      /^EngineError: cannot disconnect container from host network - container was created in host network mode$/,
    )
  })

  it('keep what they have when a connection fails', async () => {
    await make('app')
    const id = await engine.run({}, 'web')
    engine.networks.plug = async () => Promise.reject(new Error('no link'))
    await assert.rejects(networks.connect('app', { Container: id }), /no link/)
    assert.deepEqual(
      endpoints(id).map(({ network }) => network),
      ['bridge'],
    )
    await networks.remove('app')
  })
})

describe('a daemon killed meanwhile', () => {
  it('leaves no network that was only half made or removed', async () => {
    const id = await make('app')
    engine.knownNetworks.changeState(id, 'creating')
    engine = await engine.crash()
    await assert.rejects(engine.userNetworks.inspect('app'), /not found/)
    assert.deepEqual(machine.db.all('SELECT name FROM networks'), [])
  })

  it('takes back a connection that nobody was told about, and finishes one that was to end', async () => {
    await make('app')
    await make('old')
    const id = await engine.run({ HostConfig: { NetworkMode: 'old' } }, 'web')
    const stop = new Promise<never>(() => undefined)
    engine.networks.plug = () => stop
    void networks.connect('app', { Container: id })
    await engine.settled()
    engine.networks.unplug = () => stop
    assert.deepEqual(
      endpoints(id).map(({ pending }) => pending),
      [undefined, 'joining'],
    )
    engine = await engine.crash()
    assert.deepEqual(
      endpoints(id).map(({ network }) => network),
      ['old'],
    )
    assert.deepEqual(
      engine.container(id).attachments.map(({ network }) => network),
      ['old'],
    )

    engine.networks.unplug = () => stop
    void engine.userNetworks.disconnect('old', { Container: id })
    await engine.settled()
    assert.deepEqual(
      endpoints(id).map(({ pending }) => pending),
      ['leaving'],
    )
    engine = await engine.crash()
    assert.deepEqual(endpoints(id), [])
    assert.deepEqual(engine.container(id).attachments, [])
    await engine.userNetworks.remove('old')
  })
})

describe('networks on a link of the host', () => {
  const lan = (more: NetworkCreateBody = {}): NetworkCreateBody => ({ Driver: 'macvlan', ...more })

  it('have the gateway that was named, or none', async () => {
    await make('lan', {
      ...lan({ Options: { parent: 'eth0' } }),
      ...subnet('10.1.0.0/24', { Gateway: '10.1.0.9' }),
    })
    await make('bare', { ...lan({ Options: { parent: 'eth1' } }), ...subnet('10.2.0.0/24') })
    const shown = await networks.inspect('bare')
    assert.deepEqual([shown.Driver, shown.IPAM?.Config], ['macvlan', [{ Subnet: '10.2.0.0/24' }]])
    assert.deepEqual(await names({ driver: ['macvlan'] }), ['lan', 'bare'])
    const a = await engine.run({ HostConfig: { NetworkMode: 'lan' } })
    const b = await engine.run({ HostConfig: { NetworkMode: 'bare' } })
    assert.equal(endpoints(a)[0]?.gateway, '10.1.0.9')
    assert.equal(endpoints(b)[0]?.gateway, undefined)
    assert.equal(endpoints(b)[0]?.ipv4, '10.2.0.1')
  })

  it('lead nowhere without a parent, and publish nothing', async () => {
    await make('alone', lan())
    const PortBindings = { '80/tcp': [{ HostPort: '8080' }] }
    const id = await engine.run({ HostConfig: { NetworkMode: 'alone', PortBindings } })
    assert.equal(endpoints(id)[0]?.gateway, undefined)
    assert.equal(engine.networks.published.has(id), false)
    assert.equal((await networks.inspect('alone')).Internal, false)
    assert.equal(machine.names.attached.get(id)?.resolver.upstream, 'none')
    await make('lan', {
      ...lan({ Options: { parent: 'eth0' } }),
      ...subnet('10.1.0.0/24', { Gateway: '10.1.0.9' }),
    })
    const other = await engine.run({ HostConfig: { NetworkMode: 'lan', PortBindings } })
    assert.equal(engine.networks.published.has(other), false)
    await networks.connect('bridge', { Container: other, EndpointConfig: { GwPriority: 1 } })
    assert.equal(engine.networks.published.get(other)?.length, 2)
    await networks.disconnect('bridge', { Container: other })
    assert.equal(engine.networks.published.has(other), false)
  })

  it('have the address of their parent with ipvlan, which routes for them with l3', async () => {
    const options = { parent: 'eth0', ipvlan_mode: 'l3' }
    await make('lan', { Driver: 'ipvlan', EnableIPv6: true, Options: options })
    const id = await engine.run({ HostConfig: { NetworkMode: 'lan' } })
    const [endpoint] = endpoints(id)
    assert.deepEqual([endpoint?.mac, endpoint?.gateway, endpoint?.gateway6], ['', '0.0.0.0', '::'])
    const settings = { lan: { MacAddress: '02:00:00:00:00:07' } }
    const body = { HostConfig: { NetworkMode: 'lan' }, NetworkingConfig: { EndpointsConfig: settings } }
    await assert.rejects(engine.run(body), {
      message:
        'failed to set up container networking: ipvlan interfaces do not support custom mac address assignment',
    })
  })
})

describe('networks that only hold a configuration', () => {
  it('give it to others, which keep them', async () => {
    const config = { ...subnet('10.1.0.0/24'), Labels: { a: 'b' }, Options: { parent: 'eth0' } }
    await make('config', { ConfigOnly: true, ...config })
    const shown = await networks.inspect('config')
    assert.deepEqual(
      [shown.Driver, shown.ConfigOnly, shown.IPAM?.Config],
      ['null', true, [{ Subnet: '10.1.0.0/24' }]],
    )
    const id = await make('lan', { Driver: 'macvlan', ConfigFrom: { Network: 'config' } })
    const lan = await networks.inspect('lan')
    assert.deepEqual(
      [lan.ConfigFrom, lan.Labels, lan.Options, lan.IPAM?.Config],
      [{ Network: 'config' }, { a: 'b' }, { parent: 'eth0' }, [{ Subnet: '10.1.0.0/24' }]],
    )
    assert.equal(engine.networks.network(id)?.link, 'eth0')
    await assert.rejects(networks.remove('config'), { message: 'configuration network "config" is in use' })
    assert.deepEqual((await networks.prune(new Map())).NetworksDeleted, ['lan'])
    engine = await engine.crash()
    networks = engine.userNetworks
    assert.equal((await networks.inspect('config')).ConfigOnly, true)
    await networks.remove('config')
  })

  it('are refused with the words of Docker where they make no sense', async () => {
    await make('config', { ConfigOnly: true })
    await make('plain')
    const from = { ConfigFrom: { Network: 'config' } }
    const refusals: readonly [NetworkCreateBody, RegExp][] = [
      [{ Name: 'x', ConfigOnly: true, Internal: true }, /can only contain network specific fields/],
      [{ Name: 'x', ConfigOnly: true, ...from }, /cannot depend on another configuration network/],
      [{ Name: 'x', ...from, EnableIPv6: true }, /user specified configurations are not supported/],
      [{ Name: 'x', ConfigFrom: { Network: 'nope' } }, /configuration network "nope" does not exist/],
      [{ Name: 'x', ConfigFrom: { Network: 'plain' } }, /configuration network "plain" does not exist/],
      [{ Name: 'x', Scope: 'swarm' }, /^This node is not a swarm manager/],
      [{ Name: 'x', Driver: 'overlay', Attachable: true }, /^This node is not a swarm manager/],
      [{ Name: 'x', Ingress: true }, /^Ingress network can only be global scope network$/],
    ]
    for (const [body, message] of refusals) await assert.rejects(networks.create(body), { message })
    await make('far', { Scope: 'local', Attachable: true })
    assert.equal((await networks.inspect('far')).Attachable, true)
    const id = await engine.create({ HostConfig: { NetworkMode: 'config' } })
    const words = { message: /cannot create endpoint on configuration-only network/ }
    await assert.rejects(engine.lifecycle.start(id), words)
    const web = await engine.run({}, 'web')
    await assert.rejects(networks.connect('config', { Container: web }), words)
  })
})

describe('gateway modes', () => {
  const mode = (text: string): Record<string, string> => ({
    'com.docker.network.bridge.gateway_mode_ipv4': text,
  })
  const PortBindings = { '80/tcp': [{ HostPort: '8080' }] }

  it('publish at the container or at the host, and change when the way out does', async () => {
    await make('routed', { Options: mode('routed') })
    const id = await engine.run({ HostConfig: { PortBindings } })
    assert.equal(engine.networks.targets.get(id)?.reach4, undefined)
    await networks.connect('routed', { Container: id, EndpointConfig: { GwPriority: 1 } })
    assert.equal(engine.networks.targets.get(id)?.reach4, 'address')
    await networks.disconnect('routed', { Container: id })
    assert.equal(engine.networks.targets.get(id)?.reach4, undefined)
  })

  it('leave an isolated bridge without an address', async () => {
    await make('cell', { Internal: true, Options: mode('isolated'), ...subnet('10.1.0.0/24') })
    assert.deepEqual((await networks.inspect('cell')).IPAM?.Config, [{ Subnet: '10.1.0.0/24' }])
    const id = await engine.run({ HostConfig: { NetworkMode: 'cell' } })
    assert.deepEqual([endpoints(id)[0]?.ipv4, endpoints(id)[0]?.gateway], ['10.1.0.1', undefined])
  })
})

describe('links of the default bridge', () => {
  it('tell those that run of the address that the other one has now', async () => {
    const body = { Hostname: 'www', ExposedPorts: { '80/tcp': {} } }
    const target = await engine.run(body, 'web')
    const client = await engine.run({ HostConfig: { Links: ['web:db', 'web'] } }, 'client')
    const lines = () => (engine.hosts.get(client) ?? []).map(({ address, names }) => `${address} ${names}`)
    const address = endpoints(target)[0]?.ipv4 ?? ''
    assert.deepEqual(lines(), [`${address} db www web`, `${address} web www`])
    await engine.lifecycle.stop(target)
    await engine.settled()
    await engine.run({}, 'thief')
    await engine.lifecycle.start(target)
    const now = endpoints(target)[0]?.ipv4 ?? ''
    assert.notEqual(now, address)
    assert.deepEqual(lines(), [`${now} db www web`, `${now} web www`])
    // Nothing keeps these containers apart.
    assert.equal(engine.networks.linked.size, 0)
  })
})

describe('names', () => {
  const seenBy = (id: string) => Object.fromEntries(machine.names.attached.get(id)?.resolver.names ?? [])

  it('are those of the containers on the same networks, with aliases and short ids', async () => {
    await make('app', subnet('10.1.0.0/24'))
    await make('db', { ...subnet('10.2.0.0/24'), Internal: true })
    const web = await engine.run(
      {
        HostConfig: { NetworkMode: 'app' },
        NetworkingConfig: { EndpointsConfig: { app: { Aliases: ['www', 'svc'] } } },
      },
      'web',
    )
    const twin = await engine.run(
      {
        HostConfig: { NetworkMode: 'app' },
        NetworkingConfig: { EndpointsConfig: { app: { Aliases: ['svc'] } } },
      },
      'twin',
    )
    const store = await engine.run({ HostConfig: { NetworkMode: 'db' } }, 'store')
    assert.deepEqual(seenBy(twin)['web'], ['10.1.0.2'])
    assert.deepEqual(seenBy(twin)['www'], ['10.1.0.2'])
    assert.deepEqual(seenBy(web)['svc'], ['10.1.0.2', '10.1.0.3'])
    assert.deepEqual(seenBy(web)[twin.slice(0, 12)], ['10.1.0.3'])
    assert.deepEqual(seenBy(web)['twin.app'], ['10.1.0.3'])
    assert.equal(seenBy(web)['store'], undefined)
    assert.equal(machine.names.attached.get(web)?.resolver.pointers.get('10.1.0.3'), 'twin.app')
    assert.equal(machine.names.attached.get(web)?.resolver.upstream, 'host')
    assert.equal(machine.names.attached.get(store)?.resolver.upstream, 'none')

    await networks.connect('db', { Container: 'web', EndpointConfig: { Aliases: ['front'] } })
    assert.deepEqual(seenBy(store)['front'], ['10.2.0.3'])
    assert.deepEqual(seenBy(web)['store'], ['10.2.0.2'])
    await engine.lifecycle.rename('twin', 'brother')
    assert.deepEqual(seenBy(web)['brother'], ['10.1.0.3'])
    assert.equal(seenBy(web)['twin'], undefined)
    await engine.lifecycle.stop(twin)
    await engine.settled()
    assert.equal(seenBy(web)['brother'], undefined)
    assert.equal(machine.names.attached.has(twin), false)
  })

  it('are one table for all that see the same', async () => {
    await make('app')
    await make('other')
    const on = async (NetworkMode: string) => engine.run({ HostConfig: { NetworkMode } })
    const [a, b, c] = [await on('app'), await on('app'), await on('other')]
    await on('app')
    const tableOf = (id: string) => machine.names.attached.get(id)?.resolver
    assert.ok(tableOf(a) !== undefined && tableOf(a) === tableOf(b))
    assert.notEqual(tableOf(a), tableOf(c))
  })

  it('CVE-2024-29018: nobody outside is asked by a container on internal networks alone', async () => {
    await make('inside', { Internal: true })
    await make('app')
    const id = await engine.run({ HostConfig: { NetworkMode: 'inside' } }, 'web')
    const upstream = (of = id) => machine.names.attached.get(of)?.resolver.upstream
    assert.equal(upstream(), 'none')
    await networks.connect('app', { Container: id })
    assert.equal(upstream(), 'host')
    await networks.disconnect('app', { Container: id })
    assert.equal(upstream(), 'none')
    // One of its own is asked from its namespace, unless it needs an interface of the host.
    const Dns = ['10.1.0.53', 'fe80::1%eth0']
    const own = await engine.run({ HostConfig: { NetworkMode: 'inside', Dns } })
    assert.deepEqual(upstream(own), ['10.1.0.53'])
    engine = await engine.crash()
    assert.equal(upstream(), 'none')
  })

  it('of links are known to one container alone, and outlive the daemon', async () => {
    await make('app', subnet('10.1.0.0/24'))
    const db = await engine.run({ HostConfig: { NetworkMode: 'app' } }, 'db')
    const web = await engine.run({ HostConfig: { NetworkMode: 'app', Links: ['db:store'] } }, 'web')
    assert.deepEqual(seenBy(web)['store'], ['10.1.0.2'])
    assert.equal(seenBy(db)['store'], undefined)
    const before = [seenBy(web), seenBy(db)]
    engine = await engine.crash()
    assert.deepEqual([seenBy(web), seenBy(db)], before)
  })

  it('are none of the default bridge', async () => {
    const id = await engine.run({}, 'web')
    assert.equal(machine.names.attached.has(id), false)
  })
})
