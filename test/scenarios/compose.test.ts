/** The application of examples/shop, as somebody would who has just met `berth compose`: up, used, changed, killed, down. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { redisArchive } from '#test/support/redis-image.ts'
import { PrivateEngine } from '../../tools/private-engine.ts'

const REPOSITORY = join(import.meta.dirname, '../..')
const redis = redisArchive()

/** A copy of the example, so that it can be edited. */
class Shop implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'shop-'))
  readonly #env: NodeJS.ProcessEnv

  constructor(host: string) {
    cpSync(join(REPOSITORY, 'examples/shop'), this.directory, { recursive: true })
    this.#env = { ...process.env, BERTH_HOST: host, SHOP_TOKEN: 'of the test', SHOP_PORT: '0' }
  }

  edit(file: string, from: string, to: string): void {
    const path = join(this.directory, file)
    const text = readFileSync(path, 'utf8')
    assert.ok(text.includes(from), `${file} has ${from}`)
    writeFileSync(path, text.replace(from, to))
  }

  run(...args: readonly string[]): {
    readonly status: number | null
    readonly out: string
    readonly err: string
  } {
    const argv = [join(REPOSITORY, 'bin/berth'), 'compose', ...args]
    const { status, stdout, stderr } = spawnSync('sh', ['-c', 'exec "$@"', 'sh', ...argv], {
      ...this.#options,
      encoding: 'utf8',
    })
    return { status, out: stdout, err: stderr }
  }

  good(...args: readonly string[]): string {
    const { status, out, err } = this.run(...args)
    assert.equal(status, 0, `compose ${args.join(' ')}: ${err}`)
    return out
  }

  /** `up -d`, until it has said so many lines and `kill` has ended it, or the engine under it. */
  async upUntil(lines: number, kill: (client: ChildProcess) => void): Promise<void> {
    const child = spawn(join(REPOSITORY, 'bin/berth'), ['compose', 'up', '-d'], {
      ...this.#options,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = 0
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString().split('\n').length - 1
      if (said >= lines) kill(child)
    })
    await once(child, 'close')
  }

  /** Follows the files while `act` lasts; gives what was said. */
  async watched(act: () => Promise<void>): Promise<string> {
    const child = spawn(join(REPOSITORY, 'bin/berth'), ['compose', 'watch'], {
      ...this.#options,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const ended = once(child, 'close')
    const { promise: enabled, resolve } = Promise.withResolvers<void>()
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('Watch enabled')) resolve()
    })
    try {
      await Promise.race([enabled, ended.then(() => assert.fail(said))])
      await act()
    } finally {
      child.kill('SIGINT')
      await ended
    }
    return said
  }

  /** What the shop has on offer, asked through its web server. */
  products(): unknown {
    return this.answer()?.products
  }

  /** Undefined while the API is being started. */
  answer(): { readonly version: number; readonly products: unknown } | undefined {
    const script = `console.log(await (await fetch('http://127.0.0.1/api/products')).text())`
    const text = this.good('exec', '-T', 'web', 'node', '--input-type=module', '-e', script)
    return text.startsWith('{') ? JSON.parse(text) : undefined
  }

  states(): Readonly<Record<string, string>> {
    const lines = this.good('ps', '-a', '--format', '{{.Name}} {{.State}}').trim().split('\n')
    return Object.fromEntries(lines.map((line) => line.split(' ')))
  }

  get #options() {
    return { cwd: this.directory, env: this.#env }
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true })
  }
}

const running = {
  'shop-api-1': 'running',
  'shop-migrate-1': 'exited',
  'shop-redis-1': 'running',
  'shop-web-1': 'running',
}

describe(
  'an application of several containers',
  { skip: redis === undefined && "Debian's mirror cannot be reached" },
  () => {
    it('comes up, is changed, survives kill -9 of the client and of the engine, and goes down leaving its volume', async () => {
      const images = spawnSync(join(REPOSITORY, 'tools/make-images'), [join(REPOSITORY, '.cache/images')])
      assert.equal(images.status, 0, String(images.stderr))
      await using engine = await PrivateEngine.start('compose')
      await engine.berth('import', join(REPOSITORY, '.cache/images/debian.tar'), 'debian')
      await engine.berth('import', redis ?? '', 'redis')
      using shop = new Shop(engine.host)

      shop.good('up', '-d', '--wait')
      assert.deepEqual(shop.states(), running)
      assert.deepEqual(shop.products(), ['lamp', 'chair'])
      assert.match(shop.run('up', '-d', '--wait').err, /Container shop-migrate-1 {2}Exited/)
      assert.equal(
        shop.good('exec', '-T', 'api', 'stat', '-c', '%a %s', '/run/secrets/token').trim(),
        '400 11',
      )

      shop.good('scale', 'api=2')
      assert.equal(shop.states()['shop-api-2'], 'running')
      // The job runs again, as it has ended.
      shop.good('up', '-d', '--wait')
      assert.deepEqual(shop.states(), running, 'up goes back to what the file says')

      shop.edit('compose.yaml', 'REDIS_HOST: redis', 'REDIS_HOST: redis\n    LEVEL: high')
      assert.match(
        shop.good('--dry-run', 'up'),
        /replace container shop-api-1: config hash differs: environment\.LEVEL/,
      )
      shop.good('up', '-d', '--wait', '--rolling')
      assert.equal(shop.good('exec', '-T', 'api', 'printenv', 'LEVEL'), 'high\n')

      for (const [i, lines] of [1, 4, 7, 10].entries()) {
        shop.edit('compose.yaml', i === 0 ? 'LEVEL: high' : `LEVEL: "${i - 1}"`, `LEVEL: "${i}"`)
        await shop.upUntil(lines, (client) => client.kill('SIGKILL'))
        shop.good('up', '-d', '--wait')
        assert.deepEqual(shop.states(), running, `client killed after ${lines} lines`)
      }
      for (const [i, lines] of [2, 5, 9].entries()) {
        shop.edit('compose.yaml', `LEVEL: "${i + 3}"`, `LEVEL: "${i + 4}"`)
        let down: Promise<void> | undefined
        await shop.upUntil(lines, () => {
          down ??= engine.down('SIGKILL')
        })
        await (down ?? engine.down('SIGKILL'))
        await engine.up()
        shop.good('up', '-d', '--wait')
        assert.deepEqual(shop.states(), running, `engine killed after ${lines} lines`)
        assert.equal(shop.good('exec', '-T', 'api', 'printenv', 'LEVEL'), `${i + 4}\n`)
      }
      assert.deepEqual(shop.products(), ['lamp', 'chair'], 'nothing is lost')

      // What changes while nobody looks is in the image; what changes then is copied.
      shop.edit('api/server.js', 'VERSION = 1', 'VERSION = 2')
      const said = await shop.watched(async () => {
        assert.equal(shop.answer()?.version, 2)
        shop.edit('api/server.js', 'VERSION = 2', 'VERSION = 3')
        const limit = AbortSignal.timeout(30_000)
        while (shop.answer()?.version !== 3) limit.throwIfAborted()
      })
      assert.match(said, /Image shop-api  Built/)

      shop.good('down', '-t', '2')
      assert.equal(await engine.berth('ps', '-aq'), '')
      assert.equal(
        await engine.berth('network', 'ls', '-q', '--filter', 'label=com.docker.compose.project'),
        '',
      )
      assert.equal((await engine.berth('volume', 'ls', '-q')).trim(), 'shop_data')
      shop.good('down', '-v')
      assert.equal(await engine.berth('volume', 'ls', '-q'), '')
    })

    it('leaves nothing half started when something cannot be', async () => {
      await using engine = await PrivateEngine.start('compose')
      await engine.berth('import', join(REPOSITORY, '.cache/images/busybox.tar'), 'busybox')
      using shop = new Shop(engine.host)
      const file = (text: string): void => writeFileSync(join(shop.directory, 'compose.yaml'), text)
      const services =
        'name: half\nservices:\n  ok: {image: busybox, command: sleep 100, stop_grace_period: 0s}\n'
      file(services)
      shop.good('up', '-d')

      file(
        `${services}  ill:\n    image: busybox\n    command: sleep 100\n    healthcheck: {test: "echo no; false", interval: 100ms, retries: 1}\n  late: {image: busybox, command: sleep 100, depends_on: {ill: {condition: service_healthy}}}\n`,
      )
      const ill = shop.run('up', '-d')
      assert.equal(ill.status, 1)
      assert.match(ill.err, /dependency failed to start: container half-ill-1 is unhealthy: no/)
      assert.deepEqual(
        shop.states(),
        { 'half-ill-1': 'running', 'half-ok-1': 'running' },
        'what runs can be looked at',
      )

      file(`${services}  bad: {image: busybox, command: /not/there}\n`)
      assert.match(shop.run('up', '-d').err, /\/not\/there/)
      assert.equal(shop.states()['half-bad-1'], undefined)

      // Nothing ran there: neither does what was made for it alone stay.
      file(
        `${services}  alone: {image: busybox, command: /not/there, networks: [own], volumes: ["own:/own"]}\nnetworks: {own: }\nvolumes: {own: }\n`,
      )
      const alone = shop.run('up', '-d')
      assert.match(alone.err, /compose\.yaml:4:27: .*exec: "\/not\/there"/)
      assert.equal(await engine.berth('network', 'ls', '-q', '--filter', 'name=half_own'), '')
      assert.equal(await engine.berth('volume', 'ls', '-q'), '')

      // A replacement that cannot run: the one before goes on.
      file(services.replace('sleep 100', '/not/there'))
      assert.equal(shop.run('up', '-d').status, 1)
      assert.equal(shop.states()['half-ok-1'], 'running')
      // In the foreground, also when it is over before anybody looks.
      file(
        'name: half\nservices:\n  job: {image: busybox, command: [sh, -c, "echo said; exit 7"]}\n  ok: {image: busybox, command: sleep 100, stop_grace_period: 0s}\n',
      )
      const job = shop.run('up', '--exit-code-from', 'job')
      assert.deepEqual([job.status, job.out], [7, 'job-1  | said\njob-1 exited with code 7\n'])
      assert.equal(shop.states()['half-ok-1'], 'exited', 'the end of one ends all')
      shop.good('down', '--remove-orphans', '-t', '0')
    })
  },
)
