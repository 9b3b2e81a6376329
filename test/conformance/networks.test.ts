/** Networks with Docker's own client and with ours, against a real daemon. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, afterEach, before, describe, it } from 'node:test'
import type { Result } from '#test/support/daemon.ts'
import { EngineApi } from '#test/support/engine-api.ts'

const absent =
  spawnSync('docker', ['--version']).status !== 0 && "Docker's command line is not on this machine"

const FOREVER = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.05; done']

let api: EngineApi
before(async () => {
  api = await EngineApi.start()
})
after(() => api[Symbol.asyncDispose]())
afterEach(async () => {
  await api.daemon.removeAll()
  await api.daemon.assertNoLeaks()
})

describe('docker network', { skip: absent }, () => session((...args) => api.daemon.docker(...args)))
describe('berth network', () => session((...args) => api.daemon.berth(...args)))

function session(client: (...args: string[]) => Result): void {
  const says = (...args: string[]): string => {
    const { code, stdout, stderr } = client(...args)
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
    return stdout.trim()
  }
  const fails = (...args: string[]): string => {
    const { code, stderr } = client(...args)
    assert.notEqual(code, 0, args.join(' '))
    return stderr.trim()
  }
  const run = (...args: string[]): string => says('run', '-d', ...args, 'busybox', ...FOREVER)

  it('creates, lists, inspects, removes and prunes', () => {
    const id = says(
      ...'network create --subnet 10.55.0.0/24 --gateway 10.55.0.9 --ip-range 10.55.0.128/25'.split(' '),
      ...'--aux-address nas=10.55.0.130 --label a=b -o com.docker.network.driver.mtu=1300 app'.split(' '),
    )
    assert.match(id, /^[0-9a-f]{64}$/)
    const listed = says(
      'network',
      'ls',
      '--format',
      '{{.Name}} {{.Driver}} {{.Scope}}',
      '--filter',
      'label=a=b',
    )
    assert.equal(listed, 'app bridge local')
    const [app] = JSON.parse(says('network', 'inspect', 'app')) as { IPAM: { Config: unknown } }[]
    assert.deepEqual(app?.IPAM.Config, [
      {
        Subnet: '10.55.0.0/24',
        IPRange: '10.55.0.128/25',
        Gateway: '10.55.0.9',
        AuxiliaryAddresses: { nas: '10.55.0.130' },
      },
    ])
    assert.match(fails('network', 'create', 'app'), /network with name app already exists/)
    assert.match(
      fails('network', 'create', '--subnet', '10.55.0.0/16', 'wide'),
      /Pool overlaps with other one on this address space/,
    )
    assert.match(fails('network', 'create', '-d', 'nonsense', 'x'), /plugin "nonsense" not found/)
    assert.equal(says('network', 'rm', 'app'), 'app')
    assert.match(fails('network', 'rm', 'app'), /network app not found/)
    assert.match(fails('network', 'rm', 'bridge'), /pre-defined network and cannot be removed/)
    says('network', 'create', 'idle')
    assert.match(says('network', 'prune', '-f'), /^Deleted Networks:\nidle$/)
  })

  it('lets containers find each other, join and leave', () => {
    says('network', 'create', '--ipv6', 'app')
    says('network', 'create', '--internal', 'back')
    run('--name', 'web', '--network', 'app', '--network-alias', 'www')
    run('--name', 'db', '--network', 'name=back,alias=store')
    assert.equal(
      says('run', '--rm', '--network', 'app', 'busybox', 'ping', '-c', '1', '-q', '-W', '2', 'www').includes(
        '1 packets received',
      ),
      true,
    )
    assert.match(
      fails('run', '--rm', '--network', 'back', 'busybox', 'ping', '-c', '1', '-W', '1', 'web'),
      /bad address/,
    )
    assert.match(fails('network', 'rm', 'app'), /has active endpoints \(name:"web"/)
    says('network', 'connect', '--alias', 'front', 'back', 'web')
    says('exec', 'db', 'ping', '-c', '1', '-W', '2', 'front')
    says('exec', 'web', 'ping', '-c', '1', '-W', '2', 'store')
    const networks = '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}'
    assert.equal(says('inspect', '-f', networks, 'web'), 'app back')
    assert.equal(
      says('ps', '--filter', 'network=back', '--format', '{{.Names}} {{.Networks}}').split('\n').length,
      2,
    )
    says('network', 'disconnect', 'back', 'web')
    assert.equal(says('inspect', '-f', networks, 'web'), 'app')
    assert.match(fails('exec', 'db', 'ping', '-c', '1', '-W', '1', 'front'), /bad address/)
    says('rm', '-f', 'web', 'db')
    says('network', 'rm', 'app', 'back')
  })

  it('puts containers on a link of the host, as a network that holds a configuration says', () => {
    const wire = ['ip', 'link', 'add', 'lan9', 'up', 'type', 'veth', 'peer', 'name', 'lan9p']
    assert.equal(api.daemon.inside(...wire).code, 0)
    assert.equal(api.daemon.inside('ip', 'link', 'set', 'lan9p', 'up').code, 0)
    try {
      says(
        ...'network create --config-only --subnet 10.57.0.0/24 --gateway 10.57.0.254 -o parent=lan9 conf'.split(
          ' ',
        ),
      )
      says('network', 'create', '-d', 'macvlan', '--config-from', 'conf', '--attachable', 'lan')
      const line = [
        'network',
        'ls',
        '--filter',
        'type=custom',
        '--format',
        '{{.Name}} {{.Driver}} {{.Scope}}',
      ]
      assert.deepEqual(
        says(...line)
          .split('\n')
          .toSorted(),
        ['conf null local', 'lan macvlan local'],
      )
      const [lan] = JSON.parse(says('network', 'inspect', 'lan')) as Record<string, unknown>[]
      assert.deepEqual(
        [lan?.['ConfigFrom'], lan?.['ConfigOnly'], lan?.['Attachable'], lan?.['Options']],
        [{ Network: 'conf' }, false, true, { parent: 'lan9' }],
      )
      run('--name', 'one', '--network', 'lan', '-p', '8120:80')
      run('--name', 'two', '--network', 'lan', '--ip', '10.57.0.9')
      says('exec', 'one', 'ping', '-c', '1', '-W', '2', 'two')
      assert.match(says('exec', 'one', 'ip', 'route'), /default via 10\.57\.0\.254/)
      assert.equal(says('port', 'one'), '')
      assert.match(fails('network', 'rm', 'conf'), /configuration network "conf" is in use/)
      assert.match(fails('run', '--rm', '--network', 'conf', 'busybox', 'true'), /configuration-only network/)
      assert.match(
        fails('network', 'create', '-d', 'macvlan', '-o', 'macvlan_mode=open', 'x'),
        /requested macvlan mode 'open' is not valid/,
      )
      assert.match(fails('network', 'create', '-d', 'overlay', 'x'), /This node is not a swarm manager/)
      says('rm', '-f', 'one', 'two')
      says('network', 'rm', 'lan', 'conf')
    } finally {
      api.daemon.inside('ip', 'link', 'delete', 'lan9')
    }
  })

  it('links containers of the default network', () => {
    run('--name', 'web', '--hostname', 'www')
    run('--name', 'client', '--link', 'web:db')
    says('exec', 'client', 'ping', '-c', '1', '-W', '2', 'db')
    assert.match(says('exec', 'client', 'cat', '/etc/hosts'), /\tdb www web$/m)
    assert.equal(says('inspect', '-f', '{{.HostConfig.Links}}', 'client'), '[/web:/client/db]')
    assert.match(
      fails('run', '--rm', '--link', 'nobody', 'busybox', 'true'),
      /could not get container for nobody/,
    )
    says('stop', '-t', '0', 'web')
    assert.match(
      fails('run', '--rm', '--link', 'web', 'busybox', 'true'),
      /Cannot link to a non running container: \/web AS \/[a-z_0-9]+\/web/,
    )
    says('rm', '-f', 'web', 'client')
  })

  it('publishes at the address of the container on a network that is routed', () => {
    says('network', 'create', '-o', 'com.docker.network.bridge.gateway_mode_ipv4=routed', 'routed')
    run('--name', 'web', '--network', 'routed', '-p', '8121:80')
    const ports = says('inspect', '-f', '{{json .NetworkSettings.Ports}}', 'web')
    assert.deepEqual(JSON.parse(ports), { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '' }] })
    assert.match(says('ps', '--format', '{{.Ports}}'), /80\/tcp/)
    const isolated = ['network', 'create', '-o', 'com.docker.network.bridge.gateway_mode_ipv4=isolated']
    assert.match(fails(...isolated, 'x'), /gateway mode 'isolated' can only be used for an internal network/)
    says(...isolated, '--internal', 'cell')
    says('rm', '-f', 'web')
    says('network', 'rm', 'routed', 'cell')
  })

  it('gives what is asked for on the command line', () => {
    says('network', 'create', '--subnet', '10.56.0.0/24', '--subnet', 'fd56::/64', '--ipv6', 'app')
    run(
      '--name',
      'fixed',
      '--network',
      'app',
      '--ip',
      '10.56.0.77',
      '--ip6',
      'fd56::77',
      '--mac-address',
      '02:00:00:00:56:77',
    )
    const shown = says(
      'inspect',
      '-f',
      '{{with .NetworkSettings.Networks.app}}{{.IPAddress}} {{.GlobalIPv6Address}} {{.MacAddress}}{{end}}',
      'fixed',
    )
    assert.equal(shown, '10.56.0.77 fd56::77 02:00:00:00:56:77')
    assert.match(
      fails('run', '--rm', '--network', 'app', '--ip', '10.56.0.77', 'busybox', 'true'),
      /Address already in use/,
    )
    assert.match(
      fails('run', '--rm', '--network', 'app', '--ip', '10.57.0.1', 'busybox', 'true'),
      /no configured subnet or ip-range contain the IP address 10\.57\.0\.1/,
    )
    assert.match(fails('run', '--rm', '--network', 'nowhere', 'busybox', 'true'), /network nowhere not found/)
    says('rm', '-f', 'fixed')
  })
}
