import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { type CliResult, runCli } from '#test/support/cli.ts'
import { type Asked, ScriptedEngine } from '#test/support/scripted-engine.ts'

const ID = `sha256:${'5e'.repeat(32)}`

let engine: ScriptedEngine
let directory = ''

before(async () => {
  engine = await ScriptedEngine.start()
})
after(() => engine[Symbol.asyncDispose]())

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-classic-'))
  mkdirSync(join(directory, 'app'))
  writeFileSync(join(directory, 'app/Dockerfile'), 'FROM busybox\nRUN make\n')
  writeFileSync(join(directory, 'app/.dockerignore'), 'left-out\nDockerfile\n.dockerignore\n')
  writeFileSync(join(directory, 'app/left-out'), 'secret of mine')
  writeFileSync(join(directory, 'app/taken'), 'taken along')
  engine.asked.length = 0
  // All that is known of berth's own is that it is not there.
  engine.answers['POST /build'] = {
    stream: [{ stream: 'Step 1/2 : FROM busybox\n' }, { status: 'Pulling', id: 'busybox' }, { aux: { ID } }],
  }
})
afterEach(() => rm(directory, { recursive: true }))

async function build(args: readonly string[], stdin = ''): Promise<CliResult> {
  return runCli(['build', ...args], { host: engine.host, cwd: directory, stdin })
}

function sent(): Asked {
  const [asked] = engine.requests.filter(({ path }) => path === '/build')
  assert.ok(asked !== undefined, 'a build was asked for')
  return asked
}

describe('berth build on an engine that is not berth', () => {
  it('sends what is not ignored, and the Dockerfile and the ignore file in any case', async () => {
    const {
      code,
      stderr: err,
      stdout: out,
    } = await build(['-t', 'demo', '--build-arg', 'A=b', '--target', 'x', 'app'])
    assert.equal(code, 0, err)
    assert.equal(out, '')
    assert.equal(err, 'Step 1/2 : FROM busybox\nbusybox: Pulling\n')
    const { query, body, headers } = sent()
    assert.deepEqual(
      ['version', 't', 'target', 'buildargs', 'dockerfile'].map((name) => query.get(name)),
      ['1', 'demo', 'x', '{"A":"b"}', 'Dockerfile'],
    )
    assert.equal(query.get('berth-progress'), null)
    assert.equal(headers['content-type'], 'application/x-tar')
    for (const part of ['taken along', 'RUN make', '.dockerignore']) assert.ok(body.includes(part), part)
    assert.ok(!body.includes('secret of mine'))
  })

  it('sends a Dockerfile from elsewhere under a name of its own', async () => {
    const { code, stderr: err, stdout: out } = await build(['-q', '-f', '-', 'app'], 'FROM elsewhere\n')
    assert.deepEqual([code, err, out], [0, '', `${ID}\n`])
    const { query, body } = sent()
    assert.match(query.get('dockerfile') ?? '', /^\.dockerfile\.[0-9a-f]{16}$/)
    assert.ok(body.includes('FROM elsewhere'))
  })

  it('fails with the words of the engine', async () => {
    engine.answers['POST /build'] = {
      stream: [{ error: "The command '/bin/sh -c false' returned a non-zero code: 1" }],
    }
    const { code, stderr: err } = await build(['app'])
    assert.equal(code, 1)
    assert.match(err, /returned a non-zero code: 1/)
  })

  it('refuses what only berth and BuildKit can, before anything is sent', async () => {
    writeFileSync(join(directory, 'key'), 'k')
    for (const [args, what] of [
      [['--secret', 'id=a,src=key'], '--secret'],
      [['--cache-to', 'type=inline'], '--cache-to'],
      [['--push'], '--push'],
      [['--platform', 'linux/amd64,linux/arm64'], 'more than one --platform'],
      [['--check'], '--call=check'],
    ] as const) {
      const { code, stderr: err } = await build([...args, 'app'])
      assert.equal(code, 1)
      assert.match(
        err,
        new RegExp(`this engine is not berth: ${what} is not possible there; .*docker buildx`),
      )
    }
    assert.deepEqual(
      engine.requests.filter(({ path }) => path === '/build'),
      [],
    )
  })
})
