/** Docker's own command line against the fake engine: what it sends and how it takes our answers. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import type { BuildOptions } from '#engine/builds/service.ts'
import { ApiFixture } from '#test/support/api-server.ts'
import { fakeImageId } from '#test/support/fake-builds.ts'

interface Result {
  readonly code: number
  readonly out: string
  readonly err: string
}

const absent =
  spawnSync('docker', ['--version']).status !== 0 && "Docker's command line is not on this machine"

describe('the docker command', { skip: absent }, () => {
  let api: ApiFixture
  before(async () => {
    api = await ApiFixture.start()
  })
  after(() => api[Symbol.asyncDispose]())

  /** Runs to the end, with that standard input. */
  async function docker(args: readonly string[], input?: string): Promise<Result> {
    const stdin = input === undefined ? 'ignore' : 'pipe'
    const env = {
      PATH: process.env['PATH'],
      HOME: '/nonexistent',
      DOCKER_HOST: `unix://${api.path}`,
      DOCKER_BUILDKIT: '0',
    }
    const child = spawn('docker', args, { env, stdio: [stdin, 'pipe', 'pipe'], timeout: 20_000 })
    const { stdout, stderr } = child
    assert.ok(stdout !== null && stderr !== null)
    child.stdin?.end(input)
    const exit = Promise.withResolvers<number>()
    child.once('error', exit.reject).once('exit', (code) => exit.resolve(code ?? -1))
    const [code, out, err] = await Promise.all([exit.promise, text(stdout), text(stderr)])
    return { code, out, err }
  }

  it('negotiates a version', async () => {
    const { out } = await docker(['version', '--format', '{{.Server.Version}} {{.Server.MinAPIVersion}}'])
    assert.equal(out, '0.1.0 1.24\n')
  })

  it('runs containers in the foreground, with their streams and exit codes', async () => {
    assert.deepEqual(await docker(['run', '--rm', 'demo', 'echo', 'hello']), {
      code: 0,
      out: 'hello\n',
      err: '',
    })
    assert.deepEqual(await docker(['run', '--rm', 'demo', 'fail', 'oops']), {
      code: 1,
      out: '',
      err: 'oops\n',
    })
    assert.equal((await docker(['run', '--rm', 'demo', 'exit', '42'])).code, 42)
    assert.deepEqual(await docker(['run', '-i', '--rm', 'demo', 'cat'], 'typed\n'), {
      code: 0,
      out: 'typed\n',
      err: '',
    })
  })

  it('starts, enters, reads and stops a container', async () => {
    assert.equal((await docker(['run', '-d', '--name', 'web', 'demo', 'sleep', '9'])).code, 0)
    assert.equal((await docker(['ps', '--format', '{{.Names}} {{.State}}'])).out, 'web running\n')
    assert.equal((await docker(['exec', 'web', 'echo', 'inside'])).out, 'inside\n')
    assert.equal((await docker(['exec', '-i', 'web', 'cat'], 'typed\n')).out, 'typed\n')
    api.engine.containers.find('web').print(1, 'logged\n')
    assert.equal((await docker(['logs', 'web'])).out, 'logged\n')
    const format = '{{.State.Status}} {{.NetworkSettings.IPAddress}}'
    assert.equal((await docker(['inspect', '-f', format, 'web'])).out, 'running 172.17.0.2\n')
    assert.equal((await docker(['stop', 'web'])).out, 'web\n')
    assert.equal((await docker(['rm', 'web'])).out, 'web\n')
  })

  it('lists what there is', async () => {
    for (const args of [['info'], ['images'], ['volume', 'ls'], ['network', 'ls'], ['system', 'df', '-v']]) {
      const { code, err } = await docker(args)
      assert.deepEqual([code, err], [0, ''], args.join(' '))
    }
    const { out } = await docker(['events', '--since', '1', '--until', '2', '--format', '{{.Action}}'])
    assert.match(out, /^create\n(?:.*\n)*start\n/)
  })

  it('builds without BuildKit, and reads id, steps and failures', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'berth-docker-build-'))
    try {
      writeFileSync(join(directory, 'Dockerfile'), 'FROM busybox\n')
      const iid = join(directory, 'iid')
      const built = await docker(['build', '-t', 'demo:2', '--iidfile', iid, '--build-arg', 'A=1', directory])
      assert.equal(built.code, 0, built.err)
      assert.match(built.out, /Step 2\/4 : RUN make\n ---> Running in b2b2b2b2b2b2\nmade\n/)
      assert.match(built.out, /Successfully built 5e5e5e5e5e5e\nSuccessfully tagged demo:2\n$/)
      assert.equal(readFileSync(iid, 'utf8'), fakeImageId)
      const [options] = api.engine.lastCall('build') as [BuildOptions]
      assert.deepEqual([options.tags, options.buildArgs], [['demo:2'], { A: '1' }])
      assert.equal((await docker(['build', '-q', directory])).out, `${fakeImageId}\n`)
      const failed = await docker(['build', '--target', 'fail', directory])
      assert.equal(failed.code, 2)
      assert.match(failed.err, /The command '\/bin\/sh -c make' returned a non-zero code: 2\n$/)
      assert.match((await docker(['build', '--target', 'missing', directory])).err, /target stage "missing"/)
      assert.equal((await docker(['build', '-'], 'FROM busybox\n')).code, 0)
      assert.match((await docker(['builder', 'prune', '-af'])).out, /Total.*:\s*7B/)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('is told what is missing', async () => {
    const pull = await docker(['pull', 'nowhere'])
    assert.match(pull.err, /pull access denied for .*nowhere/)
    assert.match((await docker(['inspect', 'nobody'])).err, /No such object: nobody/)
    assert.match((await docker(['exec', 'nobody', 'true'])).err, /No such container: nobody/)
    assert.match((await docker(['service', 'ls'])).err, /This node is not a swarm manager/)
  })
})
