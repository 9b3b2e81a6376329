/** The real Compose and ours take turns on one project, against our engine: neither touches what the other has made well. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { type Socket, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { missingPeers } from '#test/support/peers.ts'
import { PrivateEngine } from '../../tools/private-engine.ts'
import { runProgram } from '../../tools/run-program.ts'

const REPOSITORY = join(import.meta.dirname, '../..')
const SHARE = '/tmp/peers-share'
const NAMESPACE = join(process.env['PEERS_DIR'] ?? '/var/tmp/peers', 'ns/mnt')

const file = (level: number): string => `
name: turns
services:
  web:
    image: busybox
    command: sleep 1000
    environment: {LEVEL: "${level}", DOLLAR: "a$$b", HTML: "<&>"}
    deploy: {replicas: 2, resources: {limits: {memory: 64m}}}
    depends_on: {db: {condition: service_healthy}}
    networks: {back: {aliases: [site]}, default: }
    ports: ["81"]
    stop_grace_period: 0s
  db:
    image: busybox
    command: [sleep, "1000"]
    healthcheck: {test: "true", interval: 1s, start_interval: 100ms, start_period: 10s}
    volumes: ["data:/data", /anonymous]
    configs: [c]
    stop_grace_period: 0s
networks: {back: {labels: {a: b}}}
volumes: {data: {labels: {a: b}}}
configs: {c: {content: "x=1\\n"}}
`

const watched = `
name: turns
services:
  web:
    image: watched
    build: ./app
    command: sleep 1000
    stop_grace_period: 0s
    develop: {watch: [{path: ./app, action: sync, target: /app}]}
`

describe('the real Compose and ours on one project', { skip: missingPeers() }, () => {
  const stack = new AsyncDisposableStack()
  let directory = ''
  let engine: PrivateEngine

  before(async () => {
    const images = spawnSync(join(REPOSITORY, 'tools/make-images'), [join(REPOSITORY, '.cache/images')])
    assert.equal(images.status, 0, String(images.stderr))
    engine = stack.use(await PrivateEngine.start('turns'))
    await engine.berth('import', join(REPOSITORY, '.cache/images/busybox.tar'), 'busybox')
    directory = stack.adopt(mkdtempSync(join(SHARE, 'turns-')), (path) => rmSync(path, { recursive: true }))
    stack.use(await passOn(join(directory, 'engine.sock'), engine.host.slice('unix://'.length)))
  })
  after(() => stack.disposeAsync())

  function ours(...args: readonly string[]): Promise<string> {
    return engine.berth('compose', '-f', join(directory, 'compose.yaml'), ...args)
  }

  /** The real Compose in the peers' tree, at this project. */
  function realCompose(...args: readonly string[]): readonly [string, ...string[]] {
    const there = directory.replace(SHARE, '/share')
    const inside = [
      'nsenter',
      `--mount=${NAMESPACE}`,
      '--wdns=/',
      'env',
      `DOCKER_HOST=unix://${there}/engine.sock`,
    ] as const
    return [...inside, 'docker', 'compose', '-f', `${there}/compose.yaml`, ...args]
  }

  /** Not synchronously: this process passes its bytes on. */
  async function real(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await runProgram(realCompose(...args))
    assert.equal(code, 0, `docker compose ${args.join(' ')}: ${stderr}`)
    return stdout
  }

  const ids = async (): Promise<readonly string[]> => (await ours('ps', '-aq')).trim().split('\n').toSorted()

  it('each leaves alone what the other has made, changes it, and takes it down', async () => {
    writeFileSync(join(directory, 'compose.yaml'), file(1))
    await ours('up', '-d', '--wait')
    const made = await ids()
    assert.equal(made.length, 3)
    await real('up', '-d')
    assert.deepEqual(await ids(), made, 'the real one finds nothing to do')

    await real('up', '-d', '--scale', 'web=3')
    assert.equal((await ids()).length, 4)
    await ours('up', '-d')
    assert.deepEqual(await ids(), made, 'ours removes the third')

    writeFileSync(join(directory, 'compose.yaml'), file(2))
    await real('up', '-d')
    const changed = await ids()
    assert.notDeepEqual(changed, made)
    assert.equal(await ours('--dry-run', 'up'), 'Nothing is to be done.\n')
    writeFileSync(join(directory, 'compose.yaml'), file(3))
    await ours('up', '-d')
    const again = await ids()
    await real('up', '-d')
    assert.deepEqual(await ids(), again)

    assert.match(await real('ps', '--format', '{{.Service}}={{.State}}'), /db=running/)
    assert.equal(await real('exec', '-T', 'db', 'cat', '/c'), 'x=1\n')
    await real('down', '-v')
    assert.equal(await engine.berth('ps', '-aq'), '')
    assert.equal(await engine.berth('volume', 'ls', '-q'), '')
    await real('up', '-d')
    assert.equal(await ours('--dry-run', 'up'), 'Nothing is to be done.\n')
    await ours('down', '-v')
    assert.equal(
      await engine.berth('network', 'ls', '-q', '--filter', 'label=com.docker.compose.project'),
      '',
    )
  })

  it(
    'the real one builds, and carries what is edited into the container',
    { timeout: 60_000 },
    async ({ signal }) => {
      const app = join(directory, 'app')
      mkdirSync(app)
      writeFileSync(join(app, 'Dockerfile'), 'FROM busybox\nCOPY . /app\n')
      writeFileSync(join(app, 'old'), 'text')
      writeFileSync(join(directory, 'compose.yaml'), watched)
      const [program, ...args] = realCompose('watch')
      const watch = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
      let said = ''
      const enabled = Promise.withResolvers<void>()
      const hear = (chunk: Buffer): void => {
        said += chunk.toString()
        if (said.includes('Watch enabled')) enabled.resolve()
      }
      signal.addEventListener('abort', () => enabled.reject(new Error(said)))
      watch.stdout.on('data', hear)
      watch.stderr.on('data', hear)
      try {
        await enabled.promise
        const image = '{{eq .Image (index .Config.Labels "com.docker.compose.image")}}'
        assert.equal(await engine.berth('inspect', '-f', image, 'turns-web-1'), 'true\n', said)
        renameSync(join(app, 'old'), join(app, 'new'))
        while ((await ours('exec', '-T', 'web', 'ls', '/app')) !== 'Dockerfile\nnew\n')
          signal.throwIfAborted()
      } finally {
        if (watch.pid !== undefined) process.kill(-watch.pid, 'SIGINT')
        await once(watch, 'close')
      }
      assert.doesNotMatch(said, /error/i)
      await real('down', '-v')
    },
  )
})

/** A socket where the other's tree sees it, that leads to the engine's. */
async function passOn(path: string, to: string): Promise<AsyncDisposable> {
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (from) => {
    const target = connect({ path: to, allowHalfOpen: true })
    for (const socket of [from, target]) {
      open.add(socket)
      socket
        .on('error', () => [from, target].forEach((each) => each.destroy()))
        .on('close', () => open.delete(socket))
    }
    from.pipe(target).pipe(from)
  }).listen(path)
  await once(server, 'listening')
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
