/** User-defined networks on the real kernel: who reaches whom, what joins and leaves, and what a crash leaves behind. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, afterEach, before, describe, it } from 'node:test'
import { EngineApi, type Wanted, exec, history } from '#test/support/engine-api.ts'

let api: EngineApi

before(async () => {
  api = await EngineApi.start()
})
after(() => api[Symbol.asyncDispose]())
afterEach(async () => {
  await api.daemon.removeAll()
  await api.daemon.assertNoLeaks()
})

const SERVER = 'mkdir -p /var/www; hostname > /var/www/index.html; exec httpd -f -p 80 -h /var/www'

interface Endpoint {
  readonly IPAddress: string
  readonly GlobalIPv6Address: string
  readonly Gateway: string
  readonly MacAddress: string
  readonly NetworkID: string
}

async function network(Name: string, body: object = {}): Promise<string> {
  return (await api.call('POST', '/networks/create', { Name, ...body }, 201)).json<{ Id: string }>().Id
}

async function endpoint(id: string, name: string): Promise<Endpoint> {
  const { Networks } = (await api.inspect(id)).NetworkSettings as { Networks: Record<string, Endpoint> }
  const found = Networks[name]
  assert.ok(found !== undefined, `${id} is not on ${name}`)
  return found
}

const on = (NetworkMode: string, more: Wanted = {}): Wanted => ({
  Cmd: SERVER,
  Hostname: 'server',
  ...more,
  HostConfig: { NetworkMode, ...(more['HostConfig'] as object) },
})

/** What `id` gets from there; empty when nobody answers in a second. */
async function fetched(id: string, address: string, port = 80): Promise<string> {
  // The static wget of busybox crashes where it finds no libnss.
  const ask = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 1 ${address} ${port} | tail -n 1`
  return (await exec(api, id, ask)).out.trim()
}

async function reaches(id: string, address: string, port = 80): Promise<void> {
  await api.until(`an answer from ${address}`, async () => (await fetched(id, address, port)) !== '')
}

async function isClosed(id: string, address: string, port = 80): Promise<void> {
  assert.equal(await fetched(id, address, port), '', `${address}:${port} answers`)
}

function onHost(address: string, port = 80): string {
  return api.daemon.inside('curl', '-s', '-m', '1', `http://${address}:${port}/`).stdout.trim()
}

describe('a user-defined network', () => {
  it('lets its containers reach each other, and nobody else', async () => {
    await network('app')
    await network('other')
    const [a, b] = [await api.started(on('app')), await api.started(on('app'))]
    const [c, d] = [await api.started(on('other')), await api.started(on('bridge'))]
    const web = (await endpoint(a, 'app')).IPAddress
    assert.match(web, /^172\.18\.0\.\d+$/)
    await reaches(b, web)
    for (const id of [c, d]) await isClosed(id, web)
    for (const [id, name] of [
      [c, 'other'],
      [d, 'bridge'],
    ] as const) {
      await isClosed(a, (await endpoint(id, name)).IPAddress)
    }
    assert.equal(onHost(web), 'server')
    const message = await api.refused(403, 'DELETE', '/networks/app')
    assert.match(message, /network app has active endpoints/)
  })

  it('has the addresses that were asked for, of both families', async () => {
    await network('dual', {
      EnableIPv6: true,
      IPAM: {
        Config: [
          {
            Subnet: '10.77.0.0/24',
            IPRange: '10.77.0.128/25',
            Gateway: '10.77.0.254',
            AuxiliaryAddresses: { nas: '10.77.0.129' },
          },
          { Subnet: 'fd77::/64' },
        ],
      },
      Options: { 'com.docker.network.driver.mtu': '1400', 'com.docker.network.bridge.name': 'dual0' },
    })
    const fixed = {
      IPAMConfig: { IPv4Address: '10.77.0.9', IPv6Address: 'fd77::9' },
      MacAddress: '02:00:00:00:77:09',
    }
    const a = await api.started(on('dual', { NetworkingConfig: { EndpointsConfig: { dual: fixed } } }))
    const b = await api.started(on('dual'))
    const [one, two] = [await endpoint(a, 'dual'), await endpoint(b, 'dual')]
    assert.deepEqual(
      [one.IPAddress, one.GlobalIPv6Address, one.MacAddress, one.Gateway],
      ['10.77.0.9', 'fd77::9', '02:00:00:00:77:09', '10.77.0.254'],
    )
    assert.equal(two.IPAddress, '10.77.0.128')
    await reaches(b, '10.77.0.9')
    const seen = await exec(
      api,
      a,
      'cat /sys/class/net/eth0/mtu /sys/class/net/eth0/address; ip -6 addr show dev eth0; ip route',
    )
    assert.match(seen.out, /^1400\n02:00:00:00:77:09\n/)
    assert.match(seen.out, /fd77::9\/64/)
    assert.match(seen.out, /default via 10\.77\.0\.254/)
    assert.equal((await exec(api, b, 'ping -6 -c 1 -W 2 fd77::9')).code, 0)
  })

  it('is reached at the same address at once, by those who knew who had it before', async () => {
    const Config = [{ Subnet: '10.78.0.0/24' }, { Subnet: 'fd78::/64' }]
    await network('fixed', { EnableIPv6: true, IPAM: { Config } })
    const IPAMConfig = { IPv4Address: '10.78.0.9', IPv6Address: 'fd78::9' }
    const wanted = on('fixed', { NetworkingConfig: { EndpointsConfig: { fixed: { IPAMConfig } } } })
    const peer = await api.started(on('fixed'))
    const web = await api.started(wanted)
    const assertReached = async (): Promise<void> => {
      for (const address of ['10.78.0.9', '[fd78::9]'])
        await api.until(`an answer to the host from ${address}`, async () => onHost(address) !== '', 3000)
      for (const address of ['10.78.0.9', 'fd78::9']) {
        const ping = `ping -c 1 -W 1 ${address}`
        await api.until(
          `an answer from ${address}`,
          async () => (await exec(api, peer, ping)).code === 0,
          3000,
        )
      }
    }
    await assertReached()
    await api.call('POST', `/containers/${web}/restart?t=0`, undefined, 204)
    await assertReached()
    await api.call('DELETE', `/containers/${web}?force=1`, undefined, 204)
    const heir = await api.started(wanted)
    await assertReached()
    const late = await api.started(on('bridge'))
    await api.call('DELETE', `/containers/${heir}?force=1`, undefined, 204)
    const body = { Container: late, EndpointConfig: { IPAMConfig } }
    await api.call('POST', '/networks/fixed/connect', body, 200)
    await assertReached()
  })

  it('is left by a container that has ended, also when another has joined its namespace', async () => {
    await network('fixed', { IPAM: { Config: [{ Subnet: '10.78.0.0/24' }] } })
    const IPAMConfig = { IPv4Address: '10.78.0.9' }
    const more = { NetworkingConfig: { EndpointsConfig: { fixed: { IPAMConfig } } } }
    await api.started(on('fixed', more), 'web')
    const joined = await api.started({
      Cmd: 'while :; do sleep 1; done',
      HostConfig: { NetworkMode: 'container:web' },
    })
    await api.until('the server', async () => onHost('10.78.0.9') === 'server')
    await api.call('POST', '/containers/web/kill', undefined, 204)
    await api.call('DELETE', '/containers/web', undefined, 204)
    assert.doesNotMatch((await exec(api, joined, 'ip -o link show up')).out, /eth0/)
    await api.started(on('fixed', { ...more, Hostname: 'heir' }))
    await api.until('the heir', async () => onHost('10.78.0.9') === 'heir')
    await api.call('DELETE', `/containers/${joined}?force=1`, undefined, 204)
    assert.equal(onHost('10.78.0.9'), 'heir')
  })

  it('may have IPv6 alone', async () => {
    await network('six', { EnableIPv4: false, EnableIPv6: true })
    const ports = { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8093' }] } }
    const web = await api.started(on('six', { HostConfig: ports }))
    const peer = await api.started(on('six'))
    const { IPAddress, GlobalIPv6Address } = await endpoint(web, 'six')
    assert.equal(IPAddress, '')
    assert.equal((await exec(api, peer, `ping -6 -c 1 -W 2 ${GlobalIPv6Address}`)).code, 0)
    await api.until('the published port', async () => onHost('127.0.0.1', 8093) === 'server')
  })

  it('publishes to link-local callers, too', async () => {
    await network('dual', { EnableIPv6: true })
    const PortBindings = { '80/tcp': [{ HostPort: '8094' }] }
    await api.started(on('dual', { HostConfig: { PortBindings } }))
    await using neighbour = await Neighbour.start('10.92.0')
    const shown = () =>
      api.daemon.inside('ip', '-6', '-o', 'addr', 'show', 'dev', 'lan0', '-tentative').stdout
    const own = await api.until('the link-local address', async () => /fe80::[0-9a-f:]+/.exec(shown())?.[0])
    await api.until('an answer to the host', async () => onHost(`[${own}%25lan0]`, 8094) === 'server')
    await api.until('one to a neighbour', async () => neighbour.get(`[${own}%25eth0]`, 8094) === 'server')
  })

  it('may have packets too small for IPv6, and containers that have switched it off', async () => {
    await network('small', { Options: { 'com.docker.network.driver.mtu': '1200' } })
    const small = await api.started(on('small'))
    assert.equal((await exec(api, small, 'cat /sys/class/net/eth0/mtu')).out.trim(), '1200')
    await network('dual', { EnableIPv6: true })
    const Sysctls = { 'net.ipv6.conf.all.disable_ipv6': '1' }
    const off = await api.started(on('dual', { HostConfig: { Sysctls } }))
    await api.call('POST', '/networks/small/connect', { Container: off }, 200)
    assert.equal((await endpoint(off, 'dual')).GlobalIPv6Address, '')
    const { out } = await exec(api, off, 'ip -6 addr; grep : /etc/hosts; cat /sys/class/net/eth1/mtu')
    assert.equal(out, '1200\n')
  })

  it('that is internal may have a name server of its own', async () => {
    await network('inside', { Internal: true, IPAM: { Config: [{ Subnet: '10.79.0.0/24' }] } })
    // What comes back is no answer, but it comes from there alone.
    const IPAMConfig = { IPv4Address: '10.79.0.53' }
    const server = on('inside', { NetworkingConfig: { EndpointsConfig: { inside: { IPAMConfig } } } })
    const id = await api.started({ ...server, Cmd: 'nc -l -p 53 > /heard & while :; do sleep 1; done' })
    const asking = await api.started(on('inside', { HostConfig: { Dns: ['10.79.0.53'] } }))
    const query = String.raw`\000\025\000\001\001\000\000\001\000\000\000\000\000\000\003far\000\000\001\000\001`
    await exec(api, asking, `printf '${query}' | nc -w 1 127.0.0.11 53`)
    await api.until('the query', async () => (await exec(api, id, 'grep -c far /heard')).out === '1\n')
  })

  it('keeps its addresses outside when it does not masquerade', async () => {
    await network('plain', { Options: { 'com.docker.network.bridge.enable_ip_masquerade': 'false' } })
    await network('masked')
    await network('sourced', { Options: { 'com.docker.network.host_ipv4': '10.5.5.5' } })
    api.daemon.inside('ip', 'address', 'add', '10.5.5.5/32', 'dev', 'lo')
    const [plain, masked] = [await api.started(on('plain')), await api.started(on('masked'))]
    const sourced = await api.started(on('sourced'))
    await using neighbour = await Neighbour.start('10.89.0')
    neighbour.run('ip', 'route', 'add', 'default', 'via', '10.89.0.1')
    const { IPAddress } = await endpoint(plain, 'plain')
    for (const [id, seen] of [
      [plain, IPAddress],
      [masked, '10.89.0.1'],
      [sourced, '10.5.5.5'],
    ] as const) {
      const heard = neighbour.hears(9000)
      await exec(
        api,
        id,
        'for i in 1 2 3 4 5; do echo hello | nc -w 1 10.89.0.2 9000 && break; sleep 0.2; done',
      )
      assert.match(await heard, new RegExp(`from ${seen.replaceAll('.', '\\.')}`))
    }
    api.daemon.inside('ip', 'address', 'delete', '10.5.5.5/32', 'dev', 'lo')
  })

  it('publishes at the address that it names', async () => {
    await network('near', { Options: { 'com.docker.network.bridge.host_binding_ipv4': '127.0.0.1' } })
    const PortBindings = { '80/tcp': [{ HostPort: '8088' }, { HostIp: '0.0.0.0', HostPort: '8089' }] }
    const web = await api.started(on('near', { HostConfig: { PortBindings } }))
    await using neighbour = await Neighbour.start('10.90.0')
    await api.until('the published port', async () => onHost('127.0.0.1', 8088) === 'server')
    assert.equal(neighbour.get('10.90.0.1', 8089), 'server')
    assert.equal(neighbour.get('10.90.0.1', 8088), '')
    const { Ports } = (await api.inspect(web)).NetworkSettings as { Ports: Record<string, object[]> }
    assert.deepEqual(Ports['80/tcp']?.[0], { HostIp: '127.0.0.1', HostPort: '8088' })
    const change = { Berth: { PublishAdd: { '80/tcp': [{ HostPort: '8090' }] } } }
    await api.call('POST', `/containers/${web}/update`, change, 200)
    assert.equal(onHost('127.0.0.1', 8090), 'server')
    assert.equal(neighbour.get('10.90.0.1', 8090), '')
  })

  it('names interfaces as it is told, and leaves the address of the gateway to somebody else', async () => {
    const bridge = 'com.docker.network.bridge'
    await network('own', {
      IPAM: { Config: [{ Subnet: '10.91.0.0/24' }] },
      Options: {
        'com.docker.network.container_iface_prefix': 'net',
        [`${bridge}.name`]: 'own0',
        [`${bridge}.inhibit_ipv4`]: 'true',
      },
    })
    const id = await api.started(on('own'))
    await api.call('POST', '/networks/bridge/connect', { Container: id }, 200)
    const names = (await exec(api, id, 'ls /sys/class/net')).out
    assert.deepEqual(names.split('\n').filter(Boolean), ['eth0', 'lo', 'net0'])
    assert.equal((await endpoint(id, 'own')).Gateway, '10.91.0.1')
    assert.equal(api.daemon.inside('ip', '-4', '-o', 'address', 'show', 'dev', 'own0').stdout, '')
  })

  it('that is internal is closed both ways, but for the host', async () => {
    await network('inside', { Internal: true })
    await network('app')
    const [a, b] = [await api.started(on('inside')), await api.started(on('inside'))]
    const outside = await api.started(
      on('app', { HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8085' }] } } }),
    )
    const address = (await endpoint(a, 'inside')).IPAddress
    await reaches(b, address)
    await isClosed(outside, address)
    assert.doesNotMatch((await exec(api, a, 'ip route')).out, /default/)
    // Not even with a route.
    const { NetworkID } = await endpoint(a, 'inside')
    const bridge = `br-${NetworkID.slice(0, 12)}`
    const gateway =
      api.daemon.inside('ip', '-o', '-4', 'addr', 'show', 'dev', bridge).stdout.match(/inet ([\d.]+)/)?.[1] ??
      ''
    const { Pid } = (await api.inspect(a)).State
    api.daemon.inside('nsenter', '-t', String(Pid), '-n', 'ip', 'route', 'add', 'default', 'via', gateway)
    await isClosed(a, (await endpoint(outside, 'app')).IPAddress)
  })

  it('publishes ports, and closes those that are not published for neighbours with a route', async () => {
    await network('app')
    const ports = { PortBindings: { '80/tcp': [{ HostPort: '8086' }] } }
    const web = await api.started(on('app', { HostConfig: ports }))
    const client = await api.started(on('app'))
    const stranger = await api.started(on('bridge'))
    const { IPAddress, Gateway } = await endpoint(web, 'app')
    await using neighbour = await Neighbour.start('10.88.0')
    await api.until('the published port', async () => onHost('127.0.0.1', 8086) !== '')
    assert.equal(neighbour.get('10.88.0.1', 8086), 'server')
    neighbour.run('ip', 'route', 'add', IPAddress, 'via', '10.88.0.1')
    assert.equal(neighbour.get(IPAddress, 80), '')
    // Through the host's address: from its own network, and from another one.
    for (const id of [client, web, stranger]) await reaches(id, Gateway, 8086)
    await isClosed(stranger, IPAddress)
  })
})

describe('a container on several networks', () => {
  it('has the settings of an interface that it joins with, and does not join with impossible ones', async () => {
    await network('tuned')
    const id = await api.started(on('bridge'))
    const joining = (sysctls: string) => ({
      Container: id,
      EndpointConfig: { DriverOpts: { 'com.docker.network.endpoint.sysctls': sysctls } },
    })
    const impossible = joining('net.ipv4.conf.IFNAME.nope=1')
    assert.match(
      await api.refused(500, 'POST', '/networks/tuned/connect', impossible),
      /sysctl net\.ipv4\.conf\.eth1\.nope=1: /,
    )
    assert.equal((await exec(api, id, 'ls /sys/class/net')).out, 'eth0\nlo\n')
    await api.call('POST', '/networks/tuned/connect', joining('net.ipv4.conf.IFNAME.forwarding=0'), 200)
    assert.equal((await exec(api, id, 'cat /proc/sys/net/ipv4/conf/eth1/forwarding')).out, '0\n')
  })

  it('joins and leaves while it runs, with its ports', async () => {
    await network('one')
    await network('two')
    const web = await api.started(
      on('one', { HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8087' }] } } }),
      'web',
    )
    const peer = await api.started(on('two'))
    await api.until('the published port', async () => onHost('127.0.0.1', 8087) === 'server')
    await api.call(
      'POST',
      '/networks/two/connect',
      { Container: 'web', EndpointConfig: { GwPriority: 5 } },
      200,
    )
    const { IPAddress, Gateway } = await endpoint(web, 'two')
    await reaches(peer, IPAddress)
    const routed = await exec(api, web, 'ip route; ls /sys/class/net; cat /etc/hosts')
    assert.match(routed.out, new RegExp(`default via ${Gateway} dev eth1`))
    assert.match(routed.out, new RegExp(`${IPAddress}\\tserver`))
    assert.equal(onHost('127.0.0.1', 8087), 'server')

    await api.call('POST', '/networks/one/disconnect', { Container: 'web' }, 200)
    assert.equal(onHost('127.0.0.1', 8087), 'server')
    assert.doesNotMatch((await exec(api, web, 'ls /sys/class/net')).out, /eth0/)
    await api.call('DELETE', '/networks/one', undefined, 204)
    await api.call('POST', '/networks/two/disconnect', { Container: 'web' }, 200)
    await isClosed(peer, IPAddress)
    assert.equal(onHost('127.0.0.1', 8087), '')
    await api.call('POST', '/networks/bridge/connect', { Container: 'web' }, 200)
    await api.until('the published port', async () => onHost('127.0.0.1', 8087) === 'server')

    await api.call('POST', '/containers/web/restart?t=0', undefined, 204)
    await api.until('the published port', async () => onHost('127.0.0.1', 8087) === 'server')
    assert.match((await exec(api, web, 'ls /sys/class/net')).out, /eth0/)
    const events = await history(api, { type: ['network'] })
    const own = events.filter(({ Actor }) => Actor?.Attributes?.['container'] === web)
    assert.deepEqual(
      own.map(({ Action, Actor }) => `${Action} ${Actor?.Attributes?.['name']}`),
      [
        'connect one',
        'connect two',
        'disconnect one',
        'disconnect two',
        'connect bridge',
        'disconnect bridge',
        'connect bridge',
      ],
    )
  })

  it('has its interfaces in the order that was asked for, under names of its choice', async () => {
    for (const name of ['zeta', 'alpha', 'midst']) await network(name)
    const ifname = {
      DriverOpts: {
        'com.docker.network.endpoint.ifname': 'lan0',
        'com.docker.network.endpoint.sysctls': 'net.ipv4.conf.IFNAME.log_martians=1',
      },
    }
    const id = await api.started(
      on('zeta', { NetworkingConfig: { EndpointsConfig: { zeta: {}, midst: ifname, alpha: {} } } }),
    )
    const { out } = await exec(
      api,
      id,
      'ip -o -4 addr; ip route; cat /proc/sys/net/ipv4/conf/lan0/log_martians',
    )
    for (const [name, dev] of [
      ['zeta', 'eth0'],
      ['midst', 'lan0'],
      ['alpha', 'eth1'],
    ] as const) {
      assert.match(
        out,
        new RegExp(`${dev}\\s+inet ${(await endpoint(id, name)).IPAddress.replaceAll('.', '\\.')}/`),
      )
    }
    assert.match(out, new RegExp(`default via ${(await endpoint(id, 'alpha')).Gateway}`))
    assert.match(out, /\n1\n$/)
  })
})

describe('a container whose network is disabled', () => {
  it('has loopback alone, whatever mode it names', async () => {
    for (const NetworkMode of ['bridge', 'host']) {
      const HostConfig = { NetworkMode, PortBindings: { '80/tcp': [{ HostPort: '8087' }] } }
      const id = await api.started({ ...on(NetworkMode), NetworkDisabled: true, HostConfig })
      assert.equal((await exec(api, id, 'ls /sys/class/net')).out, 'lo\n')
      assert.deepEqual((await api.inspect(id)).NetworkSettings?.Networks, {})
      assert.ok(!firewallTable().includes('8087'))
    }
  })
})

function firewallTable(): string {
  return api.daemon.inside('nft', 'list', 'table', 'inet', api.daemon.marks.firewallTable).stdout
}

describe('bad input', () => {
  it('gets the status and words of Docker, and changes nothing', async () => {
    const app = await network('app', { IPAM: { Config: [{ Subnet: '10.66.0.0/24' }] } })
    const id = await api.started(on('app'), 'web')
    const create = (body: object) => ['POST', '/networks/create', body] as const
    const at = (IPv4Address: string) => ({
      Container: 'idle',
      EndpointConfig: { IPAMConfig: { IPv4Address } },
    })
    await api.create(on('none'), 'none')
    await api.create(on('bridge'), 'idle')
    const cases: readonly [number, RegExp, string, string, object?][] = [
      [
        403,
        /Pool overlaps with other one on this address space$/,
        ...create({ Name: 'x', IPAM: { Config: [{ Subnet: '10.66.0.0/16' }] } }),
      ],
      [
        400,
        /it should be 10\.67\.0\.0\/24$/,
        ...create({ Name: 'x', IPAM: { Config: [{ Subnet: '10.67.0.1/24' }] } }),
      ],
      [
        400,
        /invalid auxiliary address router: parent subnet 10\.67\.0\.0\/24 doesn't contain this address$/,
        ...create({
          Name: 'x',
          IPAM: { Config: [{ Subnet: '10.67.0.0/24', AuxiliaryAddresses: { router: '10.1.1.1' } }] },
        }),
      ],
      [
        403,
        /^bridge driver doesn't support multiple subnets$/,
        ...create({ Name: 'x', IPAM: { Config: [{ Subnet: '10.67.0.0/24' }, { Subnet: '10.68.0.0/24' }] } }),
      ],
      [
        403,
        /^cannot create network [0-9a-f]{64} \((br-[0-9a-f]{12})\): conflicts with network [0-9a-f]{64} \(\1\): networks have same bridge name$/,
        ...create({ Name: 'x', Options: { 'com.docker.network.bridge.name': `br-${app.slice(0, 12)}` } }),
      ],
      [
        409,
        /^the host has an interface named lo already$/,
        ...create({ Name: 'x', Options: { 'com.docker.network.bridge.name': 'lo' } }),
      ],
      [409, /^network with name app already exists$/, ...create({ Name: 'app' })],
      [404, /^plugin "vxlan" not found$/, ...create({ Name: 'x', Driver: 'vxlan' })],
      [403, /^operation is not permitted on predefined none network $/, ...create({ Name: 'none' })],
      [403, /^bridge is a pre-defined network and cannot be removed$/, 'DELETE', '/networks/bridge'],
      [403, /has active endpoints \(name:"web" id:"[0-9a-f]{12}"\)$/, 'DELETE', '/networks/app'],
      [404, /^network nope not found$/, 'DELETE', '/networks/nope'],
      [404, /^No such container: nope$/, 'POST', '/networks/app/connect', { Container: 'nope' }],
      [
        403,
        /^endpoint with name web already exists in network app$/,
        'POST',
        '/networks/app/connect',
        { Container: 'web' },
      ],
      [
        400,
        /no configured subnet or ip-range contain the IP address 10\.1\.1\.1$/,
        'POST',
        '/networks/app/connect',
        at('10.1.1.1'),
      ],
      [400, /private \(none\) mode$/, 'POST', '/networks/app/connect', { Container: 'none' }],
      [
        500,
        /is not connected to the network app$/,
        'POST',
        '/networks/app/disconnect',
        { Container: 'idle' },
      ],
    ]
    const before = firewallTable()
    for (const [status, words, method, path, body] of cases) {
      assert.match(await api.refused(status, method, path, body), words)
      assert.equal(firewallTable(), before, `${method} ${path} ${JSON.stringify(body)}`)
    }
    const fixed = { IPAMConfig: { IPv4Address: (await endpoint(id, 'app')).IPAddress } }
    const second = await api.create(on('app', { NetworkingConfig: { EndpointsConfig: { app: fixed } } }))
    assert.equal(
      await api.refused(403, 'POST', `/containers/${second}/start`),
      'failed to set up container networking: Address already in use',
    )
    const names = (await api.call('GET', '/networks?filters={"type":["custom"]}')).json<{ Id: string }[]>()
    assert.deepEqual(
      names.map(({ Id }) => Id),
      [app],
    )
  })
})

describe('what somebody else broke', () => {
  it('is mended in two seconds: rules flushed, bridge deleted', async () => {
    const id = await network('app')
    const web = await api.started(
      on('app', { HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8088' }] } } }),
    )
    const peer = await api.started(on('app'))
    const stranger = await api.started(on('bridge'))
    const { IPAddress } = await endpoint(web, 'app')
    await reaches(peer, IPAddress)
    for (const damage of [
      ['nft', 'flush', 'ruleset'],
      ['ip', 'link', 'delete', `br-${id.slice(0, 12)}`],
    ]) {
      assert.equal(api.daemon.inside(...damage).code, 0)
      const since = Date.now()
      await api.until('the network to be back', async () => (await fetched(peer, IPAddress)) === 'server')
      await api.until('the port to be back', async () => onHost('127.0.0.1', 8088) === 'server')
      const rules = () =>
        api.daemon.inside('nft', 'list', 'table', 'inet', api.daemon.marks.firewallTable).code === 0
      await api.until('the rules to be back', async () => rules())
      assert.ok(Date.now() - since < 4000, `${Date.now() - since} ms`)
      await isClosed(stranger, IPAddress)
    }
  })
})

/** A machine beside the host, on a link of its own. */
class Neighbour implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly #link: string

  private constructor(child: ChildProcess, link: string) {
    this.#process = child
    this.#link = link
  }

  static async start(net: string): Promise<Neighbour> {
    const child = spawn('unshare', ['--net', 'sh', '-c', 'echo; exec sleep 600'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    const neighbour = new Neighbour(child, 'lan0')
    const inside = (...argv: string[]): void =>
      assert.equal(api.daemon.inside(...argv).code, 0, argv.join(' '))
    inside('ip', 'link', 'add', 'lan0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(child.pid))
    inside('ip', 'addr', 'add', `${net}.1/24`, 'dev', 'lan0')
    inside('ip', 'link', 'set', 'lan0', 'up')
    neighbour.run('ip', 'addr', 'add', `${net}.2/24`, 'dev', 'eth0')
    neighbour.run('ip', 'link', 'set', 'eth0', 'up')
    return neighbour
  }

  run(...argv: string[]): string {
    return api.daemon.inside('nsenter', '-t', String(this.#process.pid), '-n', ...argv).stdout
  }

  /** Who connects to that port first. */
  async hears(port: number): Promise<string> {
    const program = `require('node:net').createServer((s) => { console.log('from ' + s.remoteAddress); process.exit() }).listen(${port}, '0.0.0.0')`
    const argv = [`--net=/proc/${this.#process.pid}/ns/net`, process.execPath, '-e', program]
    const child = spawn('nsenter', argv, { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    return line.toString()
  }

  get(address: string, port: number): string {
    return this.run('curl', '-s', '-m', '1', `http://${address}:${port}/`).trim()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    api.daemon.inside('ip', 'link', 'delete', this.#link)
    this.#process.kill('SIGKILL')
    if (this.#process.exitCode === null && this.#process.signalCode === null)
      await once(this.#process, 'exit')
  }
}

describe('names', () => {
  it('are found by name and alias, on one’s own networks alone, while they last', async () => {
    await network('app')
    await network('other')
    const aliases = { EndpointsConfig: { app: { Aliases: ['www'] } } }
    const web = await api.started(on('app', { NetworkingConfig: aliases }), 'web')
    const client = await api.started(on('app'), 'client')
    const stranger = await api.started(on('other'), 'stranger')
    const address = (await endpoint(web, 'app')).IPAddress
    const asked = async (id: string, name: string) => (await exec(api, id, `nslookup ${name} 127.0.0.11`)).out
    for (const name of ['web', 'www', web.slice(0, 12), 'web.app']) {
      assert.match(await asked(client, name), new RegExp(`Address.*${address.replaceAll('.', '\\.')}`), name)
    }
    assert.doesNotMatch(await asked(stranger, 'web'), new RegExp(address.replaceAll('.', '\\.')))
    assert.match((await exec(api, client, 'cat /etc/resolv.conf')).out, /^nameserver 127\.0\.0\.11$/m)

    await api.call(
      'POST',
      '/networks/other/connect',
      { Container: 'web', EndpointConfig: { Aliases: ['guest'] } },
      200,
    )
    const there = (await endpoint(web, 'other')).IPAddress
    assert.match(await asked(stranger, 'guest'), new RegExp(there.replaceAll('.', '\\.')))
    await api.call('POST', '/containers/web/rename?name=shop', undefined, 204)
    assert.match(await asked(stranger, 'shop'), new RegExp(there.replaceAll('.', '\\.')))
    await api.call('POST', '/networks/other/disconnect', { Container: 'shop' }, 200)
    assert.doesNotMatch(await asked(stranger, 'guest'), new RegExp(there.replaceAll('.', '\\.')))
  })
})

describe('many networks', () => {
  it('fit, a hundred of them, and one that overlaps a route of the host is not chosen', async () => {
    const inside = (...argv: string[]): void =>
      assert.equal(api.daemon.inside(...argv).code, 0, argv.join(' '))
    inside('ip', 'link', 'add', 'vpn0', 'type', 'veth', 'peer', 'name', 'vpn1')
    inside('ip', 'link', 'set', 'vpn0', 'up')
    inside('ip', 'route', 'add', '172.18.0.0/23', 'dev', 'vpn0')
    const first = await network('first')
    const { IPAM } = (await api.call('GET', `/networks/${first}`)).json<{
      IPAM: { Config: { Subnet: string }[] }
    }>()
    assert.equal(IPAM.Config[0]?.Subnet, '172.18.2.0/24')
    const hiding = { Name: 'hiding', IPAM: { Config: [{ Subnet: '172.18.1.0/24' }] } }
    const { Warning } = (await api.call('POST', '/networks/create', hiding, 201)).json<{ Warning: string }>()
    assert.match(Warning, /the host has a route to 172\.18\.0\.0\/23/)
    await api.call('DELETE', '/networks/hiding', undefined, 204)
    for (let i = 0; i < 99; i += 20) {
      await Promise.all(Array.from({ length: Math.min(20, 99 - i) }, (_, n) => network(`n${i + n}`)))
    }
    const all = (await api.call('GET', '/networks?filters={"type":["custom"]}')).json<
      { IPAM: { Config: { Subnet: string }[] } }[]
    >()
    assert.equal(new Set(all.map((one) => one.IPAM.Config[0]?.Subnet)).size, 100)
    const a = await api.started(on('n98'))
    const b = await api.started(on('n98'))
    await reaches(b, (await endpoint(a, 'n98')).IPAddress)
    inside('ip', 'link', 'delete', 'vpn0')
  })
})
