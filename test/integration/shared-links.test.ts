/** macvlan and ipvlan networks: containers with interfaces of their own on a link of the host. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, afterEach, before, describe, it } from 'node:test'
import { EngineApi, type Wanted, exec } from '#test/support/engine-api.ts'
import { run } from '#test/support/daemon.ts'
import { Wire } from '#test/support/wire.ts'

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
  readonly Gateway: string
  readonly MacAddress: string
}

const inside = (...argv: string[]): string => {
  const { code, stdout, stderr } = api.daemon.inside(...argv)
  assert.equal(code, 0, `${argv.join(' ')}: ${stderr}`)
  return stdout
}

async function network(Name: string, Driver: string, body: object = {}): Promise<string> {
  return (await api.call('POST', '/networks/create', { Name, Driver, ...body }, 201)).json<{ Id: string }>()
    .Id
}

const on = (NetworkMode: string, more: Wanted = {}): Wanted => ({
  Cmd: SERVER,
  Hostname: 'server',
  ...more,
  HostConfig: { NetworkMode, ...(more['HostConfig'] as object) },
})

async function endpoint(id: string, name: string): Promise<Endpoint> {
  const { Networks } = (await api.inspect(id)).NetworkSettings as { Networks: Record<string, Endpoint> }
  const found = Networks[name]
  assert.ok(found !== undefined, `${id} is not on ${name}`)
  return found
}

async function fetched(id: string, address: string): Promise<string> {
  const ask = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 1 ${address} 80 | tail -n 1`
  return (await exec(api, id, ask)).out.trim()
}

async function reaches(id: string, address: string): Promise<void> {
  await api.until(`an answer from ${address}`, async () => (await fetched(id, address)) !== '')
}

const HOST = '10.71.0.1'
const ROUTER = '10.71.0.254'
const LAN = {
  IPAM: { Config: [{ Subnet: '10.71.0.0/24', Gateway: ROUTER, AuxiliaryAddresses: { host: HOST } }] },
}

describe('a macvlan network', () => {
  it('puts containers beside their parent: on its wire, by their own addresses, apart from the host', async () => {
    await using wire = await Wire.lay(api.daemon, 'lan0', `${ROUTER}/24`)
    inside('ip', 'addr', 'add', `${HOST}/24`, 'dev', 'lan0')
    await network('lan', 'macvlan', { ...LAN, Options: { parent: 'lan0' } })
    const fixed = { EndpointsConfig: { lan: { IPAMConfig: { IPv4Address: '10.71.0.9' } } } }
    const ports = { PortBindings: { '80/tcp': [{ HostPort: '8095' }] } }
    const a = await api.started(on('lan', { NetworkingConfig: fixed, HostConfig: ports }))
    const b = await api.started(on('lan'))
    const { IPAddress, Gateway, MacAddress } = await endpoint(a, 'lan')
    assert.deepEqual([IPAddress, Gateway], ['10.71.0.9', ROUTER])
    await reaches(b, IPAddress)
    await reaches(a, (await endpoint(b, 'lan')).IPAddress)
    assert.equal(wire.run('curl', '-s', '-m', '2', `http://${IPAddress}/`).trim(), 'server')
    const { out } = await exec(api, a, 'cat /sys/class/net/eth0/address; ip route')
    assert.ok(out.startsWith(MacAddress), out)
    assert.match(out, /default via 10\.71\.0\.254 dev eth0/)
    // The kernel lets nobody talk to the link that carries them.
    assert.notEqual(api.daemon.inside('curl', '-s', '-m', '1', `http://${IPAddress}/`).code, 0)
    assert.equal((await exec(api, a, `ping -c 1 -W 1 ${HOST}`)).code, 1)
    assert.equal((await exec(api, a, `ping -c 1 -W 2 ${ROUTER}`)).code, 0)
    // Nothing of the host leads there.
    assert.deepEqual((await api.inspect(a)).NetworkSettings?.Ports, { '80/tcp': null })
    assert.notEqual(api.daemon.inside('curl', '-s', '-m', '1', 'http://127.0.0.1:8095/').code, 0)
  })

  it('has no gateway unless one was named, and answers names', async () => {
    await using _wire = await Wire.lay(api.daemon, 'lan0', `${ROUTER}/24`)
    const id = await network('lan', 'macvlan', {
      IPAM: { Config: [{ Subnet: '10.72.0.0/24' }] },
      Options: { parent: 'lan0' },
    })
    const shown = (await api.call('GET', `/networks/${id}`)).json<Record<string, unknown>>()
    assert.deepEqual(
      [shown['Driver'], shown['Scope'], shown['Options'], shown['IPAM']],
      [
        'macvlan',
        'local',
        { parent: 'lan0' },
        { Driver: 'default', Options: null, Config: [{ Subnet: '10.72.0.0/24' }] },
      ],
    )
    const a = await api.started(on('lan'), 'web')
    const b = await api.started(on('lan'))
    assert.deepEqual(await endpoint(a, 'lan').then(({ Gateway }) => Gateway), '')
    assert.doesNotMatch((await exec(api, a, 'ip route')).out, /default/)
    await reaches(b, 'web')
  })

  it('keeps its containers apart in mode private, and takes both families', async () => {
    await using wire = await Wire.lay(api.daemon, 'lan0', `${ROUTER}/24`)
    await network('lan', 'macvlan', {
      EnableIPv6: true,
      IPAM: { Config: [...LAN.IPAM.Config, { Subnet: 'fd71::/64', Gateway: 'fd71::254' }] },
      Options: { parent: 'lan0', macvlan_mode: 'private' },
    })
    const a = await api.started(on('lan'))
    const b = await api.started(on('lan'))
    const { IPAddress } = await endpoint(a, 'lan')
    assert.equal(wire.run('curl', '-s', '-m', '2', `http://${IPAddress}/`).trim(), 'server')
    assert.equal(await fetched(b, IPAddress), '')
    assert.match((await exec(api, a, 'ip -6 route')).out, /default via fd71::254 dev eth0/)
  })

  it('gives its parent to one container in mode passthru', async () => {
    await using wire = await Wire.lay(api.daemon, 'lan0', `${ROUTER}/24`)
    const macOf = () =>
      (JSON.parse(inside('ip', '-j', 'link', 'show', 'lan0')) as { address: string }[])[0]?.address
    const mac = macOf()
    await network('lan', 'macvlan', { ...LAN, Options: { parent: 'lan0', macvlan_mode: 'passthru' } })
    const a = await api.started(on('lan'))
    const { IPAddress } = await endpoint(a, 'lan')
    await api.until('its server', async () => wire.get(IPAddress) === 'server')
    assert.equal((await exec(api, a, 'cat /sys/class/net/eth0/address')).out.trim(), mac)
    const b = await api.create(on('lan'))
    const words = await api.refused(409, 'POST', `/containers/${b}/start`)
    assert.match(words, /network lan has mode passthru: one container has lan0 to itself/)
    await api.call('DELETE', `/containers/${a}?force=1`, undefined, 204)
    // The kernel takes the former interface away in its own time.
    const started = async () => (await api.daemon.call('POST', `/containers/${b}/start`)).status === 204
    await api.until('the parent', started)
    assert.equal(macOf(), mac)
  })

  it('may have IPv6 alone', async () => {
    await using wire = await Wire.lay(api.daemon, 'lan0', 'fd71::254/64')
    await network('lan', 'macvlan', {
      EnableIPv4: false,
      EnableIPv6: true,
      IPAM: { Config: [{ Subnet: 'fd71::/64' }] },
      Options: { parent: 'lan0' },
    })
    const a = await api.started(on('lan'))
    const b = await api.started(on('lan'))
    assert.equal((await endpoint(a, 'lan')).IPAddress, '')
    assert.doesNotMatch((await exec(api, a, 'ip -4 addr show dev eth0')).out, /inet /)
    assert.equal((await exec(api, b, 'ping -6 -c 1 -W 2 fd71::1')).code, 0)
    await api.until('its server', async () => wire.get('fd71::1') === 'server')
  })

  it('without a parent leads nowhere but to its own containers', async () => {
    const id = await network('alone', 'macvlan')
    const parent = `dm-${id.slice(0, 12)}`
    assert.match(inside('ip', 'link', 'show', parent), /UP/)
    const more = ['more', 'and', 'still', 'others']
    for (const name of more) await network(name, 'macvlan')
    // With no container running the engine leaves nothing; what it needs it makes again.
    await api.daemon.down()
    assert.notEqual(api.daemon.inside('ip', 'link', 'show', parent).code, 0)
    await api.daemon.up()
    await api.daemon.assertNoLeaks()
    for (const name of more) {
      const once = await api.once({ Cmd: 'true', HostConfig: { NetworkMode: name } })
      assert.equal(once.code, 0, name)
    }
    const a = await api.started(on('alone'))
    const b = await api.started(on('alone'))
    await reaches(b, (await endpoint(a, 'alone')).IPAddress)
    assert.doesNotMatch((await exec(api, a, 'ip route')).out, /default/)
    assert.match(await api.refused(403, 'DELETE', '/networks/alone'), /has active endpoints/)
    await api.daemon.removeAll()
    assert.notEqual(api.daemon.inside('ip', 'link', 'show', parent).code, 0)
  })

  it('without a parent does not reach the host either, whatever a container may send', async (t) => {
    const id = await network('alone', 'macvlan', { EnableIPv6: true })
    const a = await api.started(on('alone'))
    const end = `dn-${id.slice(0, 12)}`
    if (api.daemon.inside('ip', 'link', 'show', end).code !== 0) {
      t.skip('a dummy link has no other end')
      return
    }
    assert.equal(inside('ip', '-o', 'addr', 'show', 'dev', end), '')
    const [link] = JSON.parse(inside('ip', '-j', 'link', 'show', end)) as {
      address: string
      flags: string[]
    }[]
    assert.ok(link?.flags.includes('NOARP'))
    inside('ip', 'addr', 'add', '192.0.2.7/32', 'dev', 'lo')
    const { Pid } = (await api.inspect(a)).State
    const there = (...argv: string[]) => inside('nsenter', '-t', String(Pid), '-n', ...argv)
    there('ip', 'route', 'add', '192.0.2.7', 'dev', 'eth0')
    there('ip', 'neigh', 'add', '192.0.2.7', 'lladdr', link?.address ?? '', 'dev', 'eth0')
    const listen = `const s = require('node:dgram').createSocket('udp4')
      s.on('message', () => { console.log('heard'); process.exit() })
      s.bind(9300, () => console.log('listening')); setTimeout(() => process.exit(), 2000)`
    const child = spawn('nsenter', [
      `--net=/run/netns/${api.daemon.marks.netns}`,
      process.execPath,
      '-e',
      listen,
    ])
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (text !== 'listening\n') return
      const say = `require('node:dgram').createSocket('udp4').send('x', 9300, '192.0.2.7', () => process.exit())`
      there(process.execPath, '-e', say)
    })
    await once(child, 'exit')
    assert.equal(text, 'listening\n')
  })

  it('is joined and left by containers that run', async () => {
    await using _wire = await Wire.lay(api.daemon, 'lan0', `${ROUTER}/24`)
    await network('lan', 'macvlan', { ...LAN, Options: { parent: 'lan0' } })
    const ports = { PortBindings: { '80/tcp': [{ HostPort: '8096' }] } }
    const web = await api.started(on('bridge', { HostConfig: ports }), 'web')
    const peer = await api.started(on('lan'))
    const connect = { Container: 'web', EndpointConfig: { GwPriority: -1 } }
    const onHost = () => api.daemon.inside('curl', '-s', '-m', '1', 'http://127.0.0.1:8096/').stdout.trim()
    await api.until('the published port', async () => onHost() === 'server')
    for (let round = 0; round < 2; round++) {
      await api.call('POST', '/networks/lan/connect', connect, 200)
      await reaches(peer, (await endpoint(web, 'lan')).IPAddress)
      assert.match((await exec(api, web, 'ip route')).out, /default via [\d.]+ dev eth0/)
      assert.equal(onHost(), 'server')
      await api.call('POST', '/networks/lan/disconnect', { Container: 'web' }, 200)
      assert.doesNotMatch((await exec(api, web, 'ls /sys/class/net')).out, /eth1/)
    }
    // Through the wire nothing is published.
    await api.call('POST', '/networks/lan/connect', { ...connect, EndpointConfig: { GwPriority: 1 } }, 200)
    assert.equal(onHost(), '')
    assert.deepEqual((await api.inspect(web)).NetworkSettings?.Ports, { '80/tcp': null })
    await api.call('POST', '/networks/lan/disconnect', { Container: 'web' }, 200)
    await api.until('the published port', async () => onHost() === 'server')
  })

  it('survives the daemon: killed while containers join and leave, nothing is left over or used twice', async () => {
    await using wire = await Wire.lay(api.daemon, 'lan0', `${ROUTER}/24`)
    await network('lan', 'macvlan', { ...LAN, Options: { parent: 'lan0' } })
    await network('alone', 'macvlan')
    const server = await api.started(on('lan'), 'server')
    const web = await api.started(on('bridge'), 'web')
    for (const [i, action] of ['connect', 'disconnect', 'connect', 'disconnect'].entries()) {
      const answer = api.daemon
        .call('POST', `/networks/lan/${action}`, { Container: 'web' })
        .catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, 4 * (i + 1)))
      await api.daemon.down('SIGKILL')
      const answered = (await answer)?.status === 200
      await api.daemon.up()
      const { Networks } = (await api.inspect(web)).NetworkSettings as { Networks: Record<string, Endpoint> }
      const joined = 'lan' in Networks
      if (answered) assert.equal(joined, action === 'connect')
      const there = /eth1/.test((await exec(api, web, 'ls /sys/class/net')).out)
      assert.equal(there, joined)
      if (joined) assert.notEqual(Networks['lan']?.IPAddress, (await endpoint(server, 'lan')).IPAddress)
      await api.daemon.assertNoLeaks()
      if (joined !== (action === 'connect')) {
        await api.call('POST', `/networks/lan/${action}`, { Container: 'web' }, 200)
      }
    }
    const { IPAddress } = await endpoint(server, 'lan')
    assert.equal(wire.run('curl', '-s', '-m', '2', `http://${IPAddress}/`).trim(), 'server')
    await reaches(await api.started(on('lan')), IPAddress)
  })
})

describe('a daemon killed while a network comes or goes', () => {
  it('leaves the network with its parent, or neither', async () => {
    for (const moment of [4, 12, 30]) {
      for (const [method, path] of [
        ['POST', '/networks/create'],
        ['DELETE', '/networks/alone'],
      ] as const) {
        const body = method === 'POST' ? { Name: 'alone', Driver: 'macvlan' } : undefined
        const answer = api.daemon.call(method, path, body).catch(() => undefined)
        await new Promise((resolve) => setTimeout(resolve, moment))
        await api.daemon.down('SIGKILL')
        const status = (await answer)?.status
        await api.daemon.up()
        await api.daemon.assertNoLeaks()
        const there = (await api.daemon.call('GET', '/networks/alone')).status === 200
        if (status !== undefined) assert.equal(there, method === 'POST')
        if (method === 'POST' && !there) await network('alone', 'macvlan')
        if (method === 'DELETE' && there) await api.call('DELETE', '/networks/alone', undefined, 204)
      }
    }
  })
})

/** Why a kind of link cannot be tried; false where it can. */
function lacking(kind: string, ...more: readonly string[]): string | false {
  const make = ['ip', 'link', 'add', 'link', 'lo', 'name', 'probe', 'type', kind, ...more]
  const { stderr } = run('unshare', ['--net', ...make])
  return /Unknown device type/.test(stderr) && `the kernel has no links of type ${kind}`
}

describe('a network on a VLAN', { skip: lacking('vlan', 'id', '7') }, () => {
  it('makes the link, and removes it with the last network on it', async () => {
    await using wire = await Wire.lay(api.daemon, 'lan0')
    wire.run('ip', 'link', 'add', 'link', 'eth0', 'name', 'eth0.7', 'type', 'vlan', 'id', '7')
    wire.run('ip', 'addr', 'add', `${ROUTER}/24`, 'dev', 'eth0.7')
    wire.run('ip', 'link', 'set', 'eth0.7', 'up')
    await network('tagged', 'macvlan', { ...LAN, Options: { parent: 'lan0.7' } })
    await network('second', 'macvlan', { Options: { parent: 'lan0.7' } })
    const id = await api.started(on('tagged'))
    assert.equal((await exec(api, id, `ping -c 1 -W 2 ${ROUTER}`)).code, 0)
    await api.call('DELETE', `/containers/${id}?force=1`, undefined, 204)
    await api.call('DELETE', '/networks/tagged', undefined, 204)
    assert.equal(api.daemon.inside('ip', 'link', 'show', 'lan0.7').code, 0)
    await api.call('DELETE', '/networks/second', undefined, 204)
    assert.notEqual(api.daemon.inside('ip', 'link', 'show', 'lan0.7').code, 0)
  })
})

const noIpvlan = lacking('ipvlan')

describe('an ipvlan network', { skip: noIpvlan }, () => {
  for (const mode of ['l2', 'l3', 'l3s']) {
    it(`has containers with addresses of their own and the parent's MAC, in mode ${mode}`, async () => {
      await using wire = await Wire.lay(api.daemon, 'lan0', `${ROUTER}/24`)
      await network('lan', 'ipvlan', { ...LAN, Options: { parent: 'lan0', ipvlan_mode: mode } })
      const a = await api.started(on('lan'))
      const b = await api.started(on('lan'))
      const { IPAddress, MacAddress, Gateway } = await endpoint(a, 'lan')
      await reaches(b, IPAddress)
      assert.deepEqual([MacAddress, Gateway], ['', mode === 'l2' ? ROUTER : ''])
      const { out } = await exec(api, a, 'ip route')
      assert.match(out, mode === 'l2' ? /default via 10\.71\.0\.254 dev eth0/ : /default dev eth0/)
      if (mode === 'l2') {
        assert.equal(wire.run('curl', '-s', '-m', '2', `http://${IPAddress}/`).trim(), 'server')
      }
      await api.call('POST', '/networks/lan/disconnect', { Container: a }, 200)
      assert.doesNotMatch((await exec(api, a, 'ls /sys/class/net')).out, /eth0/)
      await api.call('POST', '/networks/lan/connect', { Container: a }, 200)
      await reaches(b, (await endpoint(a, 'lan')).IPAddress)
    })
  }
})

describe('a kernel without ipvlan', { skip: noIpvlan === false && 'this one has it' }, () => {
  it('is said to be one when a network is made', async () => {
    const words = await api.refused(501, 'POST', '/networks/create', { Name: 'x', Driver: 'ipvlan' })
    assert.match(words, /^the kernel of this host has no links of type ipvlan/)
    assert.equal((await api.daemon.call('GET', '/networks/x')).status, 404)
  })
})

describe('bad input', () => {
  it('gets the words of Docker, and changes nothing', async () => {
    await using _wire = await Wire.lay(api.daemon, 'lan0', `${ROUTER}/24`)
    await network('first', 'macvlan', { Options: { parent: 'lan0' } })
    const before = inside('ip', '-o', 'link')
    const cases: readonly [number, RegExp, string, Record<string, string>][] = [
      [
        500,
        /^requested macvlan mode 'l2' is not valid, 'bridge' mode is the macvlan driver default$/,
        'macvlan',
        { macvlan_mode: 'l2' },
      ],
      [
        500,
        /^requested ipvlan mode 'bridge' is not valid, 'l2' mode is the ipvlan driver default$/,
        'ipvlan',
        { ipvlan_mode: 'bridge' },
      ],
      [
        500,
        /^requested ipvlan flag 'open' is not valid, 'bridge' is the ipvlan driver default$/,
        'ipvlan',
        { ipvlan_flag: 'open' },
      ],
      [500, /^loopback interface is not a valid macvlan parent link$/, 'macvlan', { parent: 'lo' }],
      [
        500,
        /^invalid subinterface vlan name nowhere, example formatting is eth0\.10$/,
        'macvlan',
        { parent: 'nowhere' },
      ],
      [500, /^-o parent interface was not found on the host: nowhere$/, 'macvlan', { parent: 'nowhere.7' }],
      [500, /^vlan id must be between 1-4094, received: 4095$/, 'macvlan', { parent: 'lan0.4095' }],
      [
        500,
        /^cannot use mode passthru, macvlan network [0-9a-f]{64} is already using parent interface lan0$/,
        'macvlan',
        { parent: 'lan0', macvlan_mode: 'passthru' },
      ],
    ]
    for (const [status, words, Driver, Options] of cases) {
      assert.match(
        await api.refused(status, 'POST', '/networks/create', { Name: 'x', Driver, Options }),
        words,
      )
    }
    assert.equal(inside('ip', '-o', 'link'), before)
    const made = (await api.call('GET', '/networks?filters={"type":["custom"]}')).json<{ Name: string }[]>()
    assert.deepEqual(
      made.map(({ Name }) => Name),
      ['first'],
    )
    assert.deepEqual(
      (await api.call('GET', '/networks?filters={"driver":["macvlan"]}')).json<unknown[]>().length,
      1,
    )
  })
})
