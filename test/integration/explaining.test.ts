/** `berth why unreachable` names the hop that was broken, each of them; `berth network exposure` says what is reached. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import type { Diagnosis, ExposedPort, Exposure } from '#api/network-reports.ts'
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

const SERVER = 'mkdir -p /www; echo served > /www/index.html; exec httpd -f -p 80 -h /www'
const WAIT = 'trap "exit 0" TERM; while :; do sleep 0.05; done'

function host(...argv: string[]): void {
  const { code, stderr } = api.daemon.inside(...argv)
  assert.equal(code, 0, stderr)
}

async function network(Name: string, body: object = {}): Promise<string> {
  const { Id } = (await api.call('POST', '/networks/create', { Name, ...body }, 201)).json<{ Id: string }>()
  return `br-${Id.slice(0, 12)}`
}

async function web(more: { readonly Cmd?: string; readonly HostConfig?: object } = {}): Promise<string> {
  const HostConfig = { PortBindings: { '80/tcp': [{ HostPort: '8080' }] }, ...more.HostConfig }
  const id = await api.started({ Cmd: SERVER, ...more, HostConfig }, 'web')
  if (more.Cmd === undefined) {
    await api.until('the server', async () => !(await diagnosed()).startsWith('listener'))
  }
  return id
}

const diagnosed = (): Promise<string> => broken()

async function diagnose(query = 'port=80'): Promise<Diagnosis> {
  return (await api.call('GET', `/berth/containers/web/unreachable?${query}`)).json<Diagnosis>()
}

/** The broken hop, and what is said about it. */
async function broken(query?: string): Promise<string> {
  const { Broken } = await diagnose(query)
  if (Broken === undefined) return ''
  assert.notEqual(Broken.Next ?? '', '', 'every broken hop has a next step')
  return `${Broken.Hop}: ${Broken.Text}`
}

/** Does some harm that is not noticed before the next look, as often as it takes to be asked about in between. */
async function unnoticed<T>(harm: readonly string[], look: () => Promise<T | undefined | false>): Promise<T> {
  const watcher = Number(api.daemon.inside('pgrep', '-x', '-P', String(api.daemon.pid), 'berth-watch').stdout)
  process.kill(watcher, 'SIGSTOP')
  try {
    return await api.until('an answer before the next look', async () => {
      api.daemon.inside(...harm)
      return look()
    })
  } finally {
    process.kill(watcher, 'SIGCONT')
  }
}

describe('why unreachable', () => {
  it('finds nothing where nothing is broken, for others and for a neighbour by name', async () => {
    await network('app')
    await web({ HostConfig: { NetworkMode: 'app' } })
    await api.started({ Cmd: WAIT, HostConfig: { NetworkMode: 'app' } }, 'client')
    const outside = await diagnose()
    assert.deepEqual(
      outside.Hops.map(({ Hop, State }) => `${Hop} ${State}`),
      ['container ok', 'listener ok', 'publish ok', 'firewall ok', 'firewall ok', 'route ok'],
    )
    assert.equal(outside.Broken, undefined)
    const inside = await diagnose('port=80/tcp&from=client&name=web.app')
    assert.deepEqual(
      inside.Hops.map(({ Hop, State }) => `${Hop} ${State}`),
      ['container ok', 'listener ok', 'network ok', 'firewall ok', 'route ok', 'dns ok'],
    )
    const { code, stdout } = api.daemon.berth('why', 'unreachable', 'web', '80')
    assert.equal(code, 0)
    assert.match(stdout, /^ok +listener +80\/tcp is listened on at (::|0\.0\.0\.0)/m)
    assert.match(stdout, /No hop is broken/)
  })

  it('names the container', async () => {
    const id = await web()
    await api.call('POST', `/containers/${id}/pause`, undefined, 204)
    assert.equal(await broken(), 'container: web is paused')
    await api.call('POST', `/containers/${id}/unpause`, undefined, 204)
    await api.call('POST', `/containers/${id}/stop?t=0`, undefined, 204)
    assert.equal(await broken(), 'container: web is exited')
  })

  it('names the listener: none, or at a loopback address alone', async () => {
    await web({ Cmd: WAIT })
    assert.match(await broken(), /^listener: nothing in web listens on 80\/tcp/)
    await api.remove('web')
    await web({ Cmd: 'mkdir /www; httpd -p 81 -h /www; exec httpd -f -p 127.0.0.1:80 -h /www' })
    await api.until('the server', async () => (await broken()).includes('only'))
    assert.match(await broken(), /^listener: 80\/tcp is listened on at 127\.0\.0\.1 only/)
    assert.match(await broken('port=82'), /these do: 81\/tcp/)
    const { code, stdout } = api.daemon.berth('why', 'unreachable', 'web', '80')
    assert.equal(code, 1)
    assert.match(stdout, /Broken: listener: .*\nNext: make the program listen on 0\.0\.0\.0/)
  })

  it('names publishing: not at all, impossible, or on this host alone', async () => {
    await network('inside', { Internal: true })
    await web({ HostConfig: { PortBindings: {} } })
    assert.match(await broken(), /^publish: 80\/tcp of web is not published/)
    assert.match((await diagnose()).Broken?.Next ?? '', /^berth update --publish-add 80:80\/tcp web$/)
    await api.remove('web')
    await web({ HostConfig: { NetworkMode: 'inside' } })
    assert.match(await broken(), /^publish: web is on internal networks only/)
    await api.remove('web')
    await web({ HostConfig: { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }] } } })
    const { Hops, Broken } = await diagnose()
    assert.equal(Broken, undefined)
    assert.match(Hops.find(({ State }) => State === 'doubt')?.Text ?? '', /127\.0\.0\.1:8080: only this host/)
  })

  it('names the firewall: our own table, and the chains of others', async () => {
    await network('app')
    await web({ HostConfig: { NetworkMode: 'app' } })
    const { firewallTable: table } = api.daemon.marks
    const element = `delete element inet ${table} dnat4any { tcp . 8080 }`
    const lacks = await unnoticed(['nft', element], async () => {
      const text = await broken()
      return text !== '' && text
    })
    assert.match(lacks, /^firewall: the table lacks dnat4any tcp \. 8080/)
    const gone = await unnoticed(['nft', `delete table inet ${table}`], async () => {
      const text = await broken()
      return text !== '' && text
    })
    assert.equal(gone, `firewall: table inet ${table} is missing`)
    for (const [rules, words] of [
      [
        'add chain ip theirs f { type filter hook forward priority 0; policy drop; }',
        /^firewall: chain f of table ip theirs drops/,
      ],
      [
        'add chain ip theirs f { type filter hook forward priority 0; policy accept; }; add rule ip theirs f tcp dport 80 drop',
        /^firewall: chain f of table ip theirs drops/,
      ],
      ['add chain ip theirs f { type filter hook input priority 0; policy drop; }', /^$/],
    ] as const) {
      host('nft', `add table ip theirs; ${rules}`)
      const said = await broken()
      host('nft', 'delete table ip theirs')
      assert.match(said, words)
    }
    host(
      'nft',
      'add table ip theirs; add chain ip theirs f { type filter hook forward priority 0; policy accept; }; add rule ip theirs f iifname "eth7" drop',
    )
    assert.match(
      (await diagnose()).Hops.find(({ State }) => State === 'doubt')?.Text ?? '',
      /chain f of table ip theirs/,
    )
    host('nft', 'delete table ip theirs')
    assert.equal(await broken(), '')
  })

  it('names the route: forwarding, the bridge, the pair, the inside, and a foreign route', async () => {
    const link = await network('app')
    const id = await web({ HostConfig: { NetworkMode: 'app' } })
    const { Networks } = (await api.inspect(id)).NetworkSettings as {
      Networks: { app: { IPAddress: string; Gateway: string } }
    }
    const { IPAddress, Gateway } = Networks.app
    const { Pid } = (await api.inspect(id)).State
    const inside = ['nsenter', '-t', String(Pid), '-n']
    const veth = api.daemon
      .inside('sh', '-c', `ip -o link show master ${link} | sed 's/^[0-9]*: \\([^@]*\\)@.*/\\1/'`)
      .stdout.trim()
    const alone = await unnoticed(['ip', 'link', 'set', veth, 'nomaster'], async () => {
      const text = await broken()
      return text !== '' && text
    })
    assert.match(alone, new RegExp(`^route: link ${veth} of web is not in the bridge`))
    host('ip', 'link', 'set', veth, 'master', link)
    host(...inside, 'ip', 'route', 'del', 'default')
    assert.match(await broken(), /^route: web has no default route/)
    host(...inside, 'ip', 'route', 'add', 'default', 'via', Gateway)
    host(...inside, 'ip', 'addr', 'flush', 'dev', 'eth0')
    assert.match(await broken(), new RegExp(`^route: eth0 in web is down, or has lost ${IPAddress}`))
    const settle = await api.call('POST', '/networks/app/disconnect', { Container: 'web' }, 200)
    assert.equal(settle.status, 200)
    await api.call('POST', '/networks/app/connect', { Container: 'web' }, 200)
    assert.equal(await broken(), '')
  })

  it('names what is between two containers: the network, and names', async () => {
    await network('app')
    await network('other')
    const id = await web({ HostConfig: { NetworkMode: 'app' } })
    await api.started({ Cmd: WAIT, HostConfig: { NetworkMode: 'other' } }, 'client')
    assert.match(
      await broken('port=80&from=client'),
      /^network: web is on app, client on other: they share no network/,
    )
    await api.call('POST', '/networks/app/connect', { Container: 'client' }, 200)
    assert.equal(await broken('port=80&from=client'), '')
    assert.match(await broken('port=80&from=client&name=webb'), /^dns: on app it is called web, .*not webb/)
    const client = (await api.inspect('client')).Id
    await exec(api, client, 'echo nameserver 192.0.2.1 > /etc/resolv.conf')
    assert.match(await broken('port=80&from=client'), /^dns: client does not ask 127\.0\.0\.11/)
    await api.remove(id)
    await web()
    await api.started({ Cmd: WAIT }, 'neighbour')
    assert.match(await broken('port=80&from=neighbour'), /^dns: on the default network/)
  })

  it('refuses what is no port, and containers that are not there', async () => {
    await web()
    assert.match(await api.refused(400, 'GET', '/berth/containers/web/unreachable?port=x'), /invalid port/)
    await api.refused(404, 'GET', '/berth/containers/nobody/unreachable?port=80')
    await api.refused(404, 'GET', '/berth/containers/web/unreachable?port=80&from=nobody')
  })
})

describe('network exposure', () => {
  async function exposure(): Promise<Exposure> {
    return (await api.call('GET', '/berth/exposure')).json<Exposure>()
  }

  const short = ({ Name, Address, Port, Protocol, From, InForce, Listening }: ExposedPort): string =>
    `${Name} ${Address} ${Port}/${Protocol} ${InForce ? '' : 'not in force '}${Listening ? '' : 'silent '}from ${From.join(', ')}`

  it('says what is reached, from where, through what', async () => {
    await network('app')
    await network('inside', { Internal: true })
    host('ip', 'link', 'add', 'lan0', 'type', 'veth', 'peer', 'name', 'lan1')
    host('ip', 'addr', 'add', '10.92.0.1/24', 'dev', 'lan0')
    for (const link of ['lan0', 'lan1']) host('ip', 'link', 'set', link, 'up')
    const ports = {
      '80/tcp': [{ HostPort: '8080', HostIp: '0.0.0.0' }],
      '81/tcp': [{ HostPort: '8081', HostIp: '127.0.0.1' }],
    }
    const id = await web({ HostConfig: { NetworkMode: 'app', PortBindings: ports } })
    await api.started({ Cmd: SERVER, HostConfig: { NetworkMode: 'inside' } }, 'inner')
    await api.until('both servers', async () => (await exposure()).Ports.length === 4)
    const seen = await exposure()
    const address = (await api.inspect(id)).NetworkSettings?.Networks?.['app']?.IPAddress ?? ''
    const inner = (await api.inspect('inner')).NetworkSettings?.Networks?.['inside']?.IPAddress ?? ''
    assert.deepEqual(seen.Ports.map(short).toSorted(), [
      `inner ${inner} 80/tcp from this host, network inside`,
      `web 0.0.0.0 8080/tcp from this host, neighbours at 10.92.0.1, network bridge, network app`,
      `web 127.0.0.1 8081/tcp silent from this host`,
      `web ${address} 80/tcp from this host, network app`,
    ])
    assert.deepEqual(seen.Ports.find(({ Port }) => Port === 8080)?.Through, [
      `dnat4any tcp . 8080 : ${address} . 80`,
    ])
    assert.deepEqual([seen.Drift, seen.Foreign, seen.HostAddresses], [[], [], ['10.92.0.1']])
    const { stdout } = api.daemon.berth('network', 'exposure', '--published')
    assert.match(stdout, /^web +0\.0\.0\.0:8080\/tcp +\S+:80 +this host; .* +dnat4any tcp \. 8080.* +open$/m)
    host('ip', 'link', 'delete', 'lan0')
  })

  it('shows chains of others, and what listens on the network of the host', async () => {
    await api.started(
      { Cmd: 'mkdir /www; exec httpd -f -p 8088 -h /www', HostConfig: { NetworkMode: 'host' } },
      'direct',
    )
    await web()
    await api.until('the server', async () => (await exposure()).Ports.some(({ Name }) => Name === 'direct'))
    host(
      'nft',
      'add table inet theirs; add chain inet theirs f { type filter hook forward priority 0; policy drop; }',
    )
    host(
      'nft',
      'add chain inet theirs i { type filter hook input priority 0; policy accept; }; add rule inet theirs i tcp dport 8088 drop',
    )
    const { Ports, Foreign } = await exposure()
    host('nft', 'delete table inet theirs')
    assert.deepEqual(Foreign, ['f of table inet theirs'])
    const blocked = new Map(Ports.map(({ Port, Blocked }) => [Port, Blocked]))
    assert.equal(blocked.get(8088), 'i of table inet theirs')
    assert.equal(blocked.get(8080), 'f of table inet theirs')
    assert.deepEqual(Ports.find(({ Port }) => Port === 8088)?.Through, ['host network'])
  })

  it('shows drift as it is in the kernel', async () => {
    await web()
    const harm = `delete element inet ${api.daemon.marks.firewallTable} dnat4any { tcp . 8080 }`
    const drifted = await unnoticed(['nft', harm], async () => {
      const { Drift } = await exposure()
      return Drift.length > 0 && Drift
    })
    assert.match(drifted.join(), /missing: dnat4any tcp \. 8080/)
  })
})
