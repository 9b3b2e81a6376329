/** RUN in whole builds by a daemon: what is left of secrets, of a client that goes, and of a daemon that is killed. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, it } from 'node:test'
import { NODE, REPOSITORY } from '#test/support/daemon.ts'
import { EngineApi } from '#test/support/engine-api.ts'
import { observe } from '#test/support/leak-check.ts'

let api: EngineApi
let context: string

before(async () => {
  api = await EngineApi.start()
  context = await mkdtemp(join(tmpdir(), 'berth-context-'))
})
after(async () => {
  await rm(context, { recursive: true })
  await api[Symbol.asyncDispose]()
})
afterEach(() => api.daemon.assertNoLeaks())

async function dockerfile(...lines: readonly string[]): Promise<void> {
  await writeFile(join(context, 'Dockerfile'), ['FROM busybox', ...lines, ''].join('\n'))
}

interface Building {
  readonly client: ChildProcess
  /** Resolves when the build has written this. */
  readonly said: (text: string) => Promise<void>
  readonly ended: Promise<void>
}

function building(...args: readonly string[]): Building {
  const berth = [join(REPOSITORY, 'src/bin/berth.ts'), '-H', api.daemon.host, 'build', '--progress', 'plain']
  const client = spawn(NODE, [...berth, ...args, context], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  const waiting = new Set<() => void>()
  for (const stream of [client.stdout, client.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      for (const look of waiting) look()
    })
  }
  client.once('close', () => resolve())
  return {
    client,
    ended,
    said: async (text) => {
      const { promise, resolve: seen } = Promise.withResolvers<void>()
      const look = (): void => (output.includes(text) ? seen() : undefined)
      waiting.add(look)
      look()
      await Promise.race([
        promise,
        ended.then(() => assert.fail(`the build ended before ${text}:\n${output}`)),
      ])
      waiting.delete(look)
    },
  }
}

const FOREVER = 'echo "be""gun"; sleep 1000'

it('leaves nothing of a secret in layers, rows, logs and what it tells', async () => {
  const sentinel = `sentinel-${process.pid}-never-seen`
  const file = join(context, 'secret')
  await writeFile(file, sentinel)
  await writeFile(join(context, '.dockerignore'), 'secret')
  await dockerfile(
    'RUN --mount=type=secret,id=s --mount=type=secret,id=s,env=SECRET,required test "$(cat /run/secrets/s)" = "$SECRET"',
    'RUN --mount=type=secret,id=s,target=/where/it/was cp /where/it/was /dev/shm/x && touch /done',
    'RUN ! test -e /where && ! test -e /run/secrets && test -z "$SECRET"',
  )
  const built = api.daemon.berth('build', '--secret', `id=s,src=${file}`, '-t', 'secretive', context)
  assert.equal(built.code, 0, built.stderr)
  assert.ok(!(built.stdout + built.stderr).includes(sentinel))
  const { root } = api.daemon
  const found = spawnSync('grep', ['-r', '-l', '-a', sentinel, root], { encoding: 'utf8' })
  assert.equal(found.stdout, '')
  const saved = api.daemon.berth('save', '-o', join(context, 'saved.tar'), 'secretive')
  assert.equal(saved.code, 0, saved.stderr)
  assert.equal(
    spawnSync('grep', ['-c', '-a', sentinel, join(context, 'saved.tar')], { encoding: 'utf8' }).stdout,
    '0\n',
  )
})

it('CVE-2024-23653: gives no privileges that the daemon has not been told to', async () => {
  await dockerfile('RUN --security=insecure mount -t tmpfs x /tmp')
  for (const allow of [[], ['--allow', 'security.insecure']]) {
    const refused = api.daemon.berth('build', ...allow, context)
    assert.notEqual(refused.code, 0)
    assert.match(refused.stderr, /security\.insecure/)
  }
})

it('ends with a client that goes', async () => {
  await dockerfile(`RUN --mount=type=cache,target=/c,sharing=locked ${FOREVER}`)
  const { client, said, ended } = building()
  await said('begun')
  client.kill('SIGINT')
  await ended
})

it('ends with a daemon that is told to end', async () => {
  await dockerfile(`RUN --mount=type=tmpfs,target=/t ${FOREVER}`)
  const { said, ended } = building()
  await said('begun')
  await api.daemon.down()
  await ended
  const { shims, snapshots, runtimeDirectories, staging } = observe(api.daemon.marks)
  assert.deepEqual(
    { shims, snapshots, runtimeDirectories, staging },
    { shims: 0, snapshots: [], runtimeDirectories: [], staging: [] },
  )
  await api.daemon.up()
})

it('leaves no step and no lock when the daemon is killed', async () => {
  await dockerfile(
    'RUN touch /before',
    `RUN --mount=type=cache,target=/c,sharing=locked --mount=type=tmpfs,target=/deep/in ${FOREVER}`,
  )
  const { said, ended } = building()
  await said('begun')
  await api.daemon.down('SIGKILL')
  await ended
  await api.daemon.up()
  await api.daemon.assertNoLeaks()
  await dockerfile(
    'RUN touch /before',
    'RUN --mount=type=cache,target=/c,sharing=locked test -e /before && ! test -e /deep && echo x > /c/x',
  )
  const built = api.daemon.berth('build', '--progress', 'plain', context)
  assert.equal(built.code, 0, built.stderr)
  assert.match(built.stderr, /RUN touch \/before\n#\d+ CACHED/)
})
