/**
 * What a test suite does with Testcontainers. Run in the network of the engine, whose ports it connects to, with
 * `DOCKER_HOST` and without Testcontainers' own reaper, whose image nobody has here.
 */
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, it } from 'node:test'
import {
  GenericContainer,
  Network,
  PullPolicy,
  type StartedTestContainer,
  TestContainers,
  Wait,
  getContainerRuntimeClient,
} from 'testcontainers'

const ECHO = ['sh', '-c', 'echo listening; while :; do echo hello | nc -l -p 8080; done']

const stops: StartedTestContainer[] = []
after(async () => {
  for (const each of stops) await each.stop()
})

async function started(container: GenericContainer): Promise<StartedTestContainer> {
  const up = await container.start()
  stops.push(up)
  return up
}

const directories: string[] = []
after(() => {
  for (const each of directories) rmSync(each, { recursive: true })
})

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'berth-tc-'))
  directories.push(directory)
  return directory
}

const busybox = (): GenericContainer => new GenericContainer('busybox').withStartupTimeout(30_000)

async function answerAt(host: string, port: number): Promise<string> {
  const { connect } = await import('node:net')
  return text(connect(port, host))
}

it('waits for a port and connects to it', async () => {
  const container = await started(
    busybox().withCommand(ECHO).withExposedPorts(8080).withWaitStrategy(Wait.forLogMessage('listening')),
  )
  const port = container.getMappedPort(8080)
  assert.equal(container.getFirstMappedPort(), port)
  assert.equal(await answerAt(container.getHost(), port), 'hello\n')
})

it('waits for listening ports, inside and outside', async () => {
  const container = await started(
    busybox().withCommand(ECHO).withExposedPorts(8080).withWaitStrategy(Wait.forListeningPorts()),
  )
  assert.equal(await answerAt(container.getHost(), container.getMappedPort(8080)), 'hello\n')
})

it('waits for health, for an exit and for a command', async () => {
  await started(
    busybox()
      .withCommand(['sleep', '1000'])
      .withHealthCheck({
        test: ['CMD-SHELL', 'true'],
        interval: 200,
        timeout: 1000,
        retries: 5,
        startPeriod: 0,
      })
      .withWaitStrategy(Wait.forHealthCheck()),
  )
  await started(busybox().withCommand(['true']).withWaitStrategy(Wait.forOneShotStartup()))
  await started(
    busybox()
      .withCommand(['sh', '-c', 'sleep 0.3; touch /ready; sleep 1000'])
      .withWaitStrategy(Wait.forSuccessfulCommand('test -f /ready')),
  )
})

it('runs commands, with their environment, user and directory', async () => {
  const container = await started(
    busybox().withCommand(['sleep', '1000']).withEnvironment({ GREETING: 'hello' }),
  )
  const plain = await container.exec(['sh', '-c', 'echo $GREETING; echo err >&2; exit 3'])
  assert.deepEqual([plain.exitCode, plain.stdout, plain.stderr], [3, 'hello\n', 'err\n'])
  const other = await container.exec(
    'sh -c "id -un; pwd; echo $A"'.split(' ', 2).concat('id -un; pwd; echo $A'),
    {
      user: 'nobody',
      workingDir: '/tmp',
      env: { A: '1' },
    },
  )
  assert.equal(other.output, 'nobody\n/tmp\n1\n')
})

it('copies files in and out', async () => {
  const directory = scratch()
  writeFileSync(join(directory, 'a'), 'from a file')
  const container = await started(
    busybox()
      .withCommand(['sleep', '1000'])
      .withCopyContentToContainer([{ content: 'from a text', target: '/etc/one', mode: 0o640 }])
      .withCopyFilesToContainer([{ source: join(directory, 'a'), target: '/etc/two' }])
      .withCopyDirectoriesToContainer([{ source: directory, target: '/etc/three' }]),
  )
  const { output } = await container.exec([
    'sh',
    '-c',
    'cat /etc/one /etc/two /etc/three/a; stat -c %a /etc/one',
  ])
  assert.equal(output, 'from a textfrom a filefrom a file640\n')
  await container.copyContentToContainer([{ content: 'later', target: '/tmp/later' }])
  assert.match(await text(await container.copyArchiveFromContainer('/tmp/later')), /later/)
})

it('follows the output', async () => {
  const lines: string[] = []
  const seen = Promise.withResolvers<void>()
  await started(
    busybox()
      .withCommand(['sh', '-c', 'for i in 1 2 3; do echo line $i; done; sleep 1000'])
      .withLogConsumer((stream) => {
        stream.on('data', (line: string | Buffer) => {
          lines.push(String(line).trim())
          if (lines.length === 3) seen.resolve()
        })
      }),
  )
  await seen.promise
  assert.deepEqual(lines, ['line 1', 'line 2', 'line 3'])
})

it('finds neighbours of a network by their aliases', async () => {
  await using network = await new Network().start()
  const server = await started(
    busybox()
      .withCommand(ECHO)
      .withNetwork(network)
      .withNetworkAliases('server')
      .withWaitStrategy(Wait.forLogMessage('listening')),
  )
  const client = await started(busybox().withCommand(['sleep', '1000']).withNetwork(network))
  assert.equal((await client.exec(['nc', 'server', '8080'])).output, 'hello\n')
  assert.notEqual(server.getIpAddress(network.getName()), '')
  await client.stop()
  await server.stop()
  stops.splice(stops.indexOf(client), 1)
  stops.splice(stops.indexOf(server), 1)
})

it('mounts, limits and labels', async () => {
  const directory = scratch()
  chmodSync(directory, 0o755)
  writeFileSync(join(directory, 'a'), 'bound')
  const container = await started(
    busybox()
      .withCommand(['sleep', '1000'])
      .withBindMounts([{ source: directory, target: '/bound', mode: 'ro' }])
      .withTmpFs({ '/fast': 'rw,size=1m' })
      .withResourcesQuota({ memory: 0.0625, cpu: 0.5 })
      .withLabels({ kind: 'test' })
      .withUser('nobody')
      .withWorkingDir('/tmp')
      .withHostname('named')
      .withExtraHosts([{ host: 'elsewhere', ipAddress: '10.1.2.3' }]),
  )
  const { output } = await container.exec([
    'sh',
    '-c',
    'cat /bound/a; touch /bound/x 2>&1; touch /fast/x && id -un; pwd; hostname; grep elsewhere /etc/hosts',
  ])
  assert.match(
    output,
    /^boundtouch: .*Read-only file system\nnobody\n\/tmp\nnamed\n10\.1\.2\.3\telsewhere\n$/,
  )
  assert.equal(container.getLabels()['kind'], 'test')
})

it('builds an image from a Dockerfile', async () => {
  const directory = scratch()
  writeFileSync(
    join(directory, 'Dockerfile'),
    'FROM busybox\nARG WHO=nobody\nRUN echo $WHO > /who\nCMD ["sleep", "1000"]\n',
  )
  const image = await GenericContainer.fromDockerfile(directory)
    .withBuildArgs({ WHO: 'me' })
    .withPullPolicy(PullPolicy.defaultPolicy())
    .build('built-by-test:1', { deleteOnExit: false })
  const container = await started(image)
  assert.equal((await container.exec(['cat', '/who'])).output, 'me\n')
})

it('commits, restarts and reuses', async () => {
  const container = await started(busybox().withCommand(['sleep', '1000']))
  await container.exec(['sh', '-c', 'echo kept > /kept'])
  await container.restart()
  const image = await container.commit({ repo: 'committed', tag: 'v1', deleteOnExit: false })
  const again = await started(new GenericContainer(image).withCommand(['sleep', '1000']))
  assert.equal((await again.exec(['cat', '/kept'])).output, 'kept\n')
  const one = await busybox().withCommand(['sleep', '1000']).withReuse().start()
  const two = await busybox().withCommand(['sleep', '1000']).withReuse().start()
  assert.equal(one.getId(), two.getId())
  stops.push(one)
})

it('knows the runtime', async () => {
  const client = await getContainerRuntimeClient()
  assert.equal(client.info.containerRuntime.operatingSystem.length > 0, true)
  assert.equal(typeof TestContainers.exposeHostPorts, 'function')
})
