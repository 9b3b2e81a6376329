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
      /no configured subnet contains IP address 10\.57\.0\.1/,
    )
    assert.match(fails('run', '--rm', '--network', 'nowhere', 'busybox', 'true'), /network nowhere not found/)
    says('rm', '-f', 'fixed')
  })
}
