/** Where a real daemon listens, whom it lets in, and what it does when it is told to read its configuration again. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { busyboxTar } from '#test/support/busybox-image.ts'
import { NODE, REPOSITORY, TestDaemon } from '#test/support/daemon.ts'
import { DatagramReceiver } from '#test/support/log-receiver.ts'

let root: string
const at = (name: string): string => join(root, name)
const BERTHD = join(REPOSITORY, 'src/bin/berthd.ts')
const BERTH = [NODE, join(REPOSITORY, 'src/bin/berth.ts')] as const

before(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-listen-'))
})
after(() => rmSync(root, { recursive: true }))

/** `ca`, and certificates that it has signed for `names`. */
function authority(...names: readonly string[]): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore' })
  openssl('req', '-x509', ...key, '-keyout', at('ca.key'), '-out', at('ca.pem'), '-subj', '/CN=authority')
  for (const name of names) {
    const sign = [
      '-CA',
      at('ca.pem'),
      '-CAkey',
      at('ca.key'),
      '-addext',
      'subjectAltName=DNS:localhost,IP:127.0.0.1',
    ]
    openssl(
      'req',
      '-x509',
      ...key,
      ...sign,
      '-keyout',
      at(`${name}.key`),
      '-out',
      at(`${name}.pem`),
      '-subj',
      `/CN=${name}`,
    )
  }
}

/** Its standard input is a listening socket, which becomes descriptor 3. */
function withPassedSocket(...argv: readonly string[]): readonly string[] {
  return ['sh', '-c', 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&0', 'sh', ...argv]
}

function handleOf(server: Server): object {
  return (server as unknown as { readonly _handle: object })._handle
}

describe('a daemon', () => {
  it('serves TLS to holders of a certificate, and a read-only socket to dashboards', async () => {
    authority('server', 'client', 'later')
    const file = at('daemon.json')
    const settings = {
      hosts: [],
      'read-only-hosts': [`unix://${at('ro.sock')}`],
      tlsverify: true,
      tlscacert: at('ca.pem'),
      tlscert: at('server.pem'),
      tlskey: at('server.key'),
      'log-driver': 'local',
      labels: ['rack=7'],
      // As dockerd would take it.
      features: { buildkit: true },
      mtu: 1400,
      'default-network-opts': { bridge: { 'com.docker.network.driver.mtu': '1350' } },
    }
    writeFileSync(file, JSON.stringify(settings))
    await using daemon = await TestDaemon.start({
      args: ['-H', 'tcp://127.0.0.1:2376', '--config-file', file],
    })
    const berth = (...args: string[]) => daemon.inside(...BERTH, ...args)
    const tls = ['-H', 'tcp://127.0.0.1:2376', '--tlsverify', '--tlscacert', at('ca.pem')]
    const holder = [...tls, '--tlscert', at('client.pem'), '--tlskey', at('client.key')]
    const info = ['info', '--format', '{{.Labels}} {{.LoggingDriver}}']
    assert.equal(berth(...holder, ...info).stdout.trim(), '[rack=7] local')
    assert.match(berth(...tls, 'ps', '-q').stderr, /certificate/)
    writeFileSync(at('busybox.tar'), await busyboxTar())
    berth(...holder, 'import', at('busybox.tar'), 'busybox')
    const cat = [...BERTH, ...holder, 'run', '--rm', '-i', '--network', 'none', 'busybox', 'cat']
    const mtu = ['cat', '/sys/class/net/eth0/mtu']
    berth(...holder, 'network', 'create', 'own')
    assert.equal(berth(...holder, 'run', '--rm', 'busybox', ...mtu).stdout, '1400\n')
    assert.equal(berth(...holder, 'run', '--rm', '--network', 'own', 'busybox', ...mtu).stdout, '1350\n')
    const piped = daemon.inside('sh', '-c', 'echo in | timeout -s KILL 30 "$@"', 'sh', ...cat)
    assert.deepEqual([piped.stdout, piped.code], ['in\n', 0], piped.stderr)

    const readOnly = ['-H', `unix://${at('ro.sock')}`]
    assert.equal(berth(...readOnly, 'ps', '-aq').code, 0)
    assert.match(berth(...readOnly, 'volume', 'create', 'v').stderr, /is not served on a read-only address/)
    assert.equal(statSync(at('ro.sock')).mode & 0o777, 0o660)

    const events = await daemon.open('GET', '/events')
    const lines = createInterface({ input: events })
    writeFileSync(
      file,
      JSON.stringify({
        ...settings,
        labels: ['rack=8'],
        'insecure-registries': ['reg.example:5000'],
        'log-driver': 'none',
        'publish-default': '127.0.0.1',
      }),
    )
    execFileSync('kill', ['-HUP', String(daemon.pid)])
    const [line] = (await once(lines, 'line')) as [string]
    assert.match(line, /"Type":"daemon","Action":"reload"/)
    events.destroy()
    assert.equal(berth(...holder, ...info).stdout.trim(), '[rack=8] none')
    assert.match(berth(...holder, 'info').stdout, /Insecure Registries:\n\s+reg\.example:5000/)
    assert.match(daemon.log, /when the daemon is started again","settings":\["publishDefault"\]/)
  })

  it('takes the sockets that its service manager has opened, and says when it is ready', async () => {
    const server = createServer()
    server.listen(at('passed.sock'))
    await once(server, 'listening')
    using _closed = { [Symbol.dispose]: () => void server.close() }
    await using manager = await DatagramReceiver.start(at('notify'))
    const dress = (...argv: readonly string[]) => [
      'env',
      `NOTIFY_SOCKET=${at('notify')}`,
      ...withPassedSocket(...argv),
    ]
    await using daemon = await TestDaemon.start({ args: ['-H', 'fd://'], dress, stdin: handleOf(server) })
    await manager.until(/READY=1\nMAINPID=\d+/)
    const answered = spawnSync(BERTH[0], [BERTH[1], '-H', `unix://${at('passed.sock')}`, 'ps'])
    assert.equal(answered.status, 0)
    await daemon.down()
    await manager.until(/STOPPING=1/)
  })

  it('opens no door to the network, whoever has opened the socket', async () => {
    const server = createServer()
    server.listen(0, '0.0.0.0')
    await once(server, 'listening')
    using _closed = { [Symbol.dispose]: () => void server.close() }
    const options = { args: ['-H', 'fd://'], dress: withPassedSocket, stdin: handleOf(server) }
    await assert.rejects(
      TestDaemon.start(options),
      /refusing to listen on tcp:\/\/0\.0\.0\.0:\d+ without TLS/,
    )
  })

  it('says whether its configuration can be used, and what is wrong with it', () => {
    const validate = (...args: string[]) => {
      const { status, stdout, stderr } = spawnSync(NODE, [BERTHD, '--validate', ...args], {
        encoding: 'utf8',
      })
      return [status, `${stdout}${stderr}`.trim()] as const
    }
    writeFileSync(at('good.json'), '{"log-driver": "local", "live-restore": true}')
    assert.deepEqual(validate('--config-file', at('good.json')), [0, 'configuration OK'])
    writeFileSync(at('bad.json'), '{"live-restore": false}')
    assert.deepEqual(validate('--config-file', at('bad.json')), [
      1,
      `berthd: configuration file ${at('bad.json')}: "live-restore" is always true here`,
    ])
    const open = ['--config-file', at('good.json'), '-H', 'tcp://0.0.0.0:2375']
    assert.match(validate(...open)[1], /refusing to listen on tcp:\/\/0\.0\.0\.0:2375 without TLS/)
    writeFileSync(at('key'), '')
    chmodSync(at('key'), 0o644)
    assert.match(
      validate('--config-file', at('good.json'), '--tlsverify', '--tlskey', at('key'))[1],
      /chmod 600/,
    )
  })
})
