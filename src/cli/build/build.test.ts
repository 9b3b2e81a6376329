import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import type { BuildExtras } from '#api/build-extras.ts'
import { type BuildUpdate, encodeUpdate } from '#api/build-updates.ts'
import { type CliOptions, type CliResult, FakeCaller, runCli } from '#test/support/cli.ts'
import { type Asked, ScriptedEngine } from '#test/support/scripted-engine.ts'
import { main } from '../main.ts'

const noAgent = spawnSync('ssh-add', ['-l']).error !== undefined && 'no ssh-agent on this machine'

const ID = `sha256:${'5e'.repeat(32)}` as const
const VERTEX = `sha256:${'a1'.repeat(32)}` as const

const result: BuildUpdate = {
  type: 'result',
  id: 'build-1',
  imageId: ID,
  names: ['demo:latest'],
  artifacts: [],
  metadata: { 'containerimage.config.digest': ID },
}

function stream(...updates: readonly BuildUpdate[]): { stream: object[] } {
  return { stream: updates.map(encodeUpdate) }
}

let engine: ScriptedEngine
let directory = ''

before(async () => {
  engine = await ScriptedEngine.start()
})
after(() => engine[Symbol.asyncDispose]())

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-build-cli-'))
  mkdirSync(join(directory, 'app'))
  writeFileSync(join(directory, 'app/Dockerfile'), 'FROM busybox\nRUN make\n')
  writeFileSync(join(directory, 'app/sub.file'), 'FROM busybox\n')
  engine.asked.length = 0
  for (const key of Object.keys(engine.answers)) delete engine.answers[key]
  engine.answers['POST /build'] = stream(result)
  engine.answers['GET /berth/builds/sees'] = { json: { sees: true } }
})
afterEach(() => rm(directory, { recursive: true }))

async function berth(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return runCli(args, { host: engine.host, cwd: directory, ...options })
}

/** The one build that was asked for. */
function asked(): Asked & { readonly extras: BuildExtras } {
  const [build] = engine.requests.filter(({ path }) => path === '/build')
  assert.ok(build !== undefined, 'a build was asked for')
  const text = build.query.get('berth-request') ?? build.body
  return { ...build, extras: JSON.parse(text) as BuildExtras }
}

describe('berth build', () => {
  it('asks an engine on this host to read the directory in place', async () => {
    assert.equal((await berth(['build', '-t', 'demo', '-t', 'demo:2', 'app'])).code, 0)
    const { query, extras, headers } = asked()
    assert.deepEqual(extras.context, { type: 'directory', path: join(directory, 'app') })
    assert.deepEqual(query.getAll('t'), ['demo', 'demo:2'])
    assert.equal(query.get('berth-progress'), '1')
    assert.equal(query.get('dockerfile'), null)
    assert.equal(headers['content-type'], 'application/vnd.berth.build+json')
  })

  it('says a path for a Dockerfile in the context, however it was reached, and sends the text of another one', async () => {
    mkdirSync(join(directory, 'app/sub'))
    writeFileSync(join(directory, 'app/sub/my.Dockerfile'), 'FROM a\n')
    writeFileSync(join(directory, 'other'), 'FROM b\n')
    symlinkSync('app', join(directory, 'link'))
    await berth(['build', '-f', 'link/sub/my.Dockerfile', 'app'])
    assert.equal(asked().query.get('dockerfile'), 'sub/my.Dockerfile')
    engine.asked.length = 0
    await berth(['build', '-f', 'other', 'app'])
    assert.deepEqual(asked().extras.dockerfile, { text: 'FROM b\n', name: 'other' })
    engine.asked.length = 0
    writeFileSync(join(directory, 'other.dockerignore'), 'x')
    await berth(['build', '-f', 'other', 'app'])
    assert.equal(asked().extras.dockerfile?.ignore, 'x')
    engine.asked.length = 0
    await berth(['build', '-f', '-', 'app'], { stdin: 'FROM c\n' })
    assert.deepEqual(asked().extras.dockerfile, { text: 'FROM c\n', name: 'Dockerfile' })
  })

  it('sends what comes on stdin as the context', async () => {
    await berth(['build', '-f', 'sub/Dockerfile', '-'], { stdin: 'a tar' })
    const { body, extras, query } = asked()
    assert.equal(body, 'a tar')
    assert.equal(extras.context, undefined)
    assert.equal(query.get('dockerfile'), 'sub/Dockerfile')
  })

  it('names addresses, and leaves them to the engine', async () => {
    for (const url of [
      'https://example.com/a.git#main:sub',
      'git@example.com:a/b',
      'github.com/a/b',
      'ssh://git@h/x',
    ]) {
      engine.asked.length = 0
      await berth(['build', url])
      assert.deepEqual(asked().extras.context, { type: 'remote', url })
    }
  })

  it('tells every flag', async () => {
    const flags =
      '--target build --no-cache --no-cache-filter a,b --pull --platform linux/amd64,linux/arm64 --label l=v --label m --annotation index:a=b --add-host h=1.2.3.4 --network none --shm-size 64m --ulimit nofile=1:2 --cgroup-parent /p -m 1g --memory-swap -1 -c 5 --cpu-period 1000 --cpu-quota 2000 --cpuset-cpus 0 --cpuset-mems 1 --squash --allow network.host --cache-from busybox --cache-from type=local,src=c --cache-to type=inline --provenance mode=max --sbom true --rm --force-rm --compress --isolation default'
    assert.equal((await berth(['build', ...flags.split(' '), 'app'])).code, 0)
    const { query, extras } = asked()
    const said = Object.fromEntries(query)
    for (const name of ['berth-progress']) delete said[name]
    assert.deepEqual(said, {
      target: 'build',
      nocache: '1',
      pull: '1',
      squash: '1',
      labels: '{"l":"v","m":""}',
      extrahosts: 'h:1.2.3.4',
      networkmode: 'none',
      shmsize: String(64 << 20),
      ulimits: '[{"Name":"nofile","Soft":1,"Hard":2}]',
      cgroupparent: '/p',
      memory: String(2 ** 30),
      memswap: '-1',
      cpushares: '5',
      cpuperiod: '1000',
      cpuquota: '2000',
      cpusetcpus: '0',
      cpusetmems: '1',
    })
    const { context: _, ...rest } = extras
    assert.deepEqual(rest, {
      platforms: ['linux/amd64', 'linux/arm64'],
      noCacheFilter: ['a', 'b'],
      annotations: ['index:a=b'],
      allow: ['network.host'],
      cacheFrom: [
        { type: 'registry', attributes: { ref: 'busybox' } },
        { type: 'local', attributes: { src: join(directory, 'c') } },
      ],
      cacheTo: [{ type: 'inline', attributes: {} }],
      outputs: [],
      provenance: 'max',
      sbom: 'docker/buildkit-syft-scanner:stable-1',
      call: 'build',
    })
  })

  it('takes build arguments from flags, environment and the proxies of the configuration', async () => {
    const config = join(directory, 'config')
    mkdirSync(config)
    const proxies = { default: { httpProxy: 'http://proxy:1', noProxy: 'localhost' } }
    writeFileSync(join(config, 'config.json'), JSON.stringify({ proxies }))
    const args = [
      '--config',
      config,
      'build',
      '--build-arg',
      'A=1',
      '--build-arg',
      'B',
      '--build-arg',
      'C',
      '--build-arg',
      'no_proxy=mine',
      'app',
    ]
    const env = { B: 'from env', SOURCE_DATE_EPOCH: '5', DOCKER_DEFAULT_PLATFORM: 'linux/arm64' }
    await berth(args, { env })
    assert.deepEqual(JSON.parse(asked().query.get('buildargs') ?? ''), {
      HTTP_PROXY: 'http://proxy:1',
      http_proxy: 'http://proxy:1',
      NO_PROXY: 'localhost',
      no_proxy: 'mine',
      SOURCE_DATE_EPOCH: '5',
      A: '1',
      B: 'from env',
    })
    assert.deepEqual(asked().extras.platforms, ['linux/arm64'])
  })

  it('gives secrets and agents before, and drops them after', async () => {
    engine.answers['POST /berth/builds/sessions'] = { status: 201, json: { id: 's1' } }
    engine.answers['PUT /berth/builds/sessions/s1/secrets/a/b'] = { status: 204 }
    engine.answers['PUT /berth/builds/sessions/s1/secrets/VAR'] = { status: 204 }
    engine.answers['PUT /berth/builds/sessions/s1/agents/default'] = { status: 204 }
    engine.answers['DELETE /berth/builds/sessions/s1'] = { status: 404, json: { message: 'gone' } }
    writeFileSync(join(directory, 'token'), 'value\n')
    const agent = engine.host.slice('unix://'.length)
    const args = ['build', '--secret', 'id=a/b,src=token', '--secret', 'id=VAR', '--ssh', 'default', 'app']
    const { code, stderr } = await berth(args, { env: { VAR: 'secret of env', SSH_AUTH_SOCK: agent } })
    assert.equal(code, 0, stderr)
    assert.deepEqual(
      engine.requests
        .filter(({ path }) => !path.endsWith('/sees'))
        .map(({ method, path, body }) => [method, path.replace(/.*s1/, ''), path === '/build' ? '' : body]),
      [
        ['POST', '/berth/builds/sessions', ''],
        ['PUT', '/secrets/a/b', 'value\n'],
        ['PUT', '/secrets/VAR', 'secret of env'],
        ['PUT', '/agents/default', ''],
        ['POST', '/build', ''],
        ['DELETE', '', ''],
      ],
    )
    assert.equal(asked().query.get('session'), 's1')
    assert.equal(engine.requests.find(({ path }) => path.includes('agents'))?.query.get('path'), agent)
  })

  it('lends a key through an agent of its own, which ends with the build', { skip: noAgent }, async () => {
    const key = join(directory, 'key')
    assert.equal(spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]).status, 0)
    engine.answers['POST /berth/builds/sessions'] = { status: 201, json: { id: 's1' } }
    engine.answers['DELETE /berth/builds/sessions/s1'] = { status: 204 }
    let path = ''
    let listed = ''
    engine.answers['PUT /berth/builds/sessions/s1/agents/default'] = ({ query }) => {
      path = query.get('path') ?? ''
      listed = spawnSync('ssh-add', ['-l'], {
        env: { ...process.env, SSH_AUTH_SOCK: path },
        encoding: 'utf8',
      }).stdout
      return { status: 204 }
    }
    const { code, stderr } = await berth(['build', '--ssh', 'default=key', 'app'])
    assert.equal(code, 0, stderr)
    assert.match(listed, /ED25519/)
    assert.equal(existsSync(path), false)
    writeFileSync(join(directory, 'nokey'), 'nonsense')
    assert.match(
      (await berth(['build', '--ssh', 'default=nokey', 'app'])).stderr,
      /ssh-add has not taken .*nokey/,
    )
  })

  it('sends an engine elsewhere the list of files, and what it wants of them', async () => {
    const { readTar } = await import('#oci/tar/read-tar.ts')
    engine.answers['GET /berth/builds/sees'] = { json: { sees: false } }
    engine.answers['POST /berth/builds/sessions'] = { status: 201, json: { id: 's1' } }
    engine.answers['DELETE /berth/builds/sessions/s1'] = { status: 204 }
    engine.answers['PUT /berth/builds/sessions/s1/contexts/context'] = {
      json: { wanted: ['src/b', 'kept/deep/x'] },
    }
    engine.answers['PUT /berth/builds/sessions/s1/contexts/context/files'] = { status: 204 }
    mkdirSync(join(directory, 'app/src'))
    mkdirSync(join(directory, 'app/kept/deep'), { recursive: true })
    mkdirSync(join(directory, 'app/node_modules'))
    for (const path of ['src/a', 'src/b', 'kept/deep/x', 'kept/deep/y', 'node_modules/huge', 'secret']) {
      writeFileSync(join(directory, 'app', path), path)
    }
    writeFileSync(
      join(directory, 'app/.dockerignore'),
      'node_modules\nsecret\nkept\n!kept/deep/x\nDockerfile\n',
    )
    const { code, stderr } = await berth(['build', 'app'])
    assert.equal(code, 0)
    assert.match(stderr, /^context: 2 of 5 files are sent, 16B\n/)

    const sent = (end: string): Asked => {
      const found = engine.requests.find(({ path }) => path.endsWith(end))
      assert.ok(found !== undefined, end)
      return found
    }
    const list = zstdDecompressSync(sent('/contexts/context').bytes)
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { path: string })
    assert.deepEqual(list[0], { directory: `${hostname()}:${join(directory, 'app')}` })
    const paths = list.slice(1).map(({ path }) => path)
    assert.deepEqual(paths, [
      '.dockerignore',
      'kept',
      'kept/deep',
      'kept/deep/x',
      'src',
      'src/a',
      'src/b',
      'sub.file',
    ])
    const files: string[] = []
    const { Readable } = await import('node:stream')
    for await (const { entry, data } of readTar(Readable.from([Buffer.from(sent('/files').body)]))) {
      files.push(`${entry.path}: ${Buffer.concat(await Array.fromAsync(data)).toString()}`)
    }
    assert.deepEqual(files, ['kept/deep/x: kept/deep/x', 'src/b: src/b'])
    const { extras, query } = asked()
    assert.deepEqual(extras.context, { type: 'session', name: 'context' })
    // It is ignored, and needed.
    const ignore = readFileSync(join(directory, 'app/.dockerignore'), 'utf8')
    assert.deepEqual(extras.dockerfile, { name: 'Dockerfile', text: 'FROM busybox\nRUN make\n', ignore })
    assert.equal(query.get('session'), 's1')
  })

  it('knows the kinds of named contexts', async () => {
    const given = [
      'a=app',
      'b=docker-image://busybox:1',
      'c=oci-layout://app:v1@sha256:12',
      'd=https://h/x.git',
    ]
    await berth(['build', ...given.flatMap((text) => ['--build-context', text]), 'app'])
    const path = join(directory, 'app')
    assert.deepEqual(asked().extras.namedContexts, {
      a: { type: 'directory', path },
      b: { type: 'image', reference: 'busybox:1' },
      c: { type: 'oci-layout', path, reference: 'sha256:12' },
      d: { type: 'remote', url: 'https://h/x.git' },
    })
  })

  it('prints the id alone with -q, and writes files for other programs', async () => {
    const args = ['build', '-q', '--iidfile', 'iid', '--metadata-file', 'meta.json', 'app']
    const { stdout, stderr } = await berth(args)
    assert.deepEqual([stdout, stderr], [`${ID}\n`, ''])
    assert.equal(readFileSync(join(directory, 'iid'), 'utf8'), ID)
    const metadata: unknown = JSON.parse(readFileSync(join(directory, 'meta.json'), 'utf8'))
    assert.deepEqual(metadata, { 'containerimage.config.digest': ID })
  })

  it('leaves no id of an earlier build behind when it fails', async () => {
    writeFileSync(join(directory, 'iid'), 'old')
    engine.answers['POST /build'] = { status: 400, json: { message: 'no' } }
    const { code, stderr } = await berth(['build', '--iidfile', 'iid', 'app'])
    assert.deepEqual([code, stderr], [1, 'ERROR: failed to build: failed to solve: no\n'])
    assert.equal(existsSync(join(directory, 'iid')), false)
  })

  it('shows the place of a step that fails, and ends with 1', async () => {
    const name = '[2/2] RUN make'
    const vertex = { type: 'vertex', id: VERTEX, name, inputs: [] } as const
    const message = 'process "make" did not complete successfully: exit code: 2'
    const at = '2026-01-02T03:04:05Z'
    const updates: BuildUpdate[] = [
      { ...vertex, started: at },
      { type: 'log', vertex: VERTEX, stream: 2, data: Buffer.from('make: no\n'), at },
      { ...vertex, started: at, completed: at, error: message },
    ]
    const details = { message, step: name, line: 2 }
    const failure = {
      error: `${name} (line 2): ${message}`,
      'berth.error': { kind: 'invalid_argument', details },
    }
    engine.answers['POST /build'] = { stream: [...updates.map(encodeUpdate), failure] }
    const { code, stdout, stderr } = await berth(['build', 'app'])
    assert.deepEqual([code, stdout], [1, ''])
    assert.match(stderr, /#1 0\.000 make: no\n#1 ERROR: process "make" did/)
    assert.match(stderr, / > \[2\/2\] RUN make:\n0\.000 make: no\n------\nDockerfile:2\n/)
    assert.match(stderr, /2 \| >>> RUN make\n/)
    assert.match(
      stderr,
      /\nERROR: failed to build: failed to solve: process "make" did not complete successfully: exit code: 2\n$/,
    )
  })

  it('fails when the engine goes away, however that looks', async () => {
    const step = encodeUpdate({ type: 'vertex', id: VERTEX, name: 'x', inputs: [] })
    engine.answers['POST /build'] = { stream: [step] }
    const { code, stderr } = await berth(['build', 'app'])
    assert.equal(code, 1)
    assert.match(
      stderr,
      /ERROR: failed to build: the connection to the engine was lost before the build had ended/,
    )
    engine.answers['POST /build'] = { stream: [step], cut: true }
    const cut = await berth(['build', 'app'])
    assert.equal(cut.code, 1)
    assert.match(cut.stderr, /ERROR: failed to build: the connection to the engine was lost/)
  })

  it('says so when the engine is not one of ours and the context has been sent', async () => {
    delete engine.answers['GET /berth/builds/sees']
    engine.answers['POST /build'] = { stream: [{ stream: 'Step 1/2 : FROM busybox\n' }] }
    assert.match((await berth(['build', '-'], { stdin: 'FROM a' })).stderr, /does not know berth's builds/)
  })

  it('says why with --explain, and what the checks have found', async () => {
    const range = { start: { line: 1, column: 1 }, end: { line: 1, column: 2 } }
    engine.answers['POST /build'] = stream(
      {
        type: 'explanation',
        vertex: VERTEX,
        miss: { step: '[2/2] COPY . /', line: 2, reason: 'file', subject: 'main.c' },
      },
      {
        type: 'warning',
        vertex: VERTEX,
        warning: { rule: 'R', message: 'm', description: '', range, excerpt: '' },
      },
      result,
    )
    const { stderr } = await berth(['build', '--explain', 'app'])
    assert.equal(stderr.trimStart().split('\n')[0], '[2/2] COPY . /: file main.c changed')
    assert.match(stderr, / 1 warning found.*\n - R: m \(line 1\)\n/)
    assert.doesNotMatch((await berth(['build', 'app'])).stderr, /main\.c/)
  })

  it('ends with the status of --check, and prints its text or its document', async () => {
    engine.answers['POST /build'] = stream({
      type: 'call',
      text: 'two findings\n',
      document: { a: 1 },
      status: 1,
    })
    const { code, stdout } = await berth(['build', '--check', 'app'])
    assert.deepEqual([code, stdout, asked().extras.call], [1, 'two findings\n', 'check'])
    const json = await berth(['build', '--call', 'outline,format=json', 'app'])
    assert.deepEqual(JSON.parse(json.stdout), { a: 1 })
  })

  it('is canceled by Ctrl-C, and says so', async () => {
    engine.answers['POST /build'] = {
      stream: [
        encodeUpdate({ type: 'vertex', id: VERTEX, name: 'x', inputs: [], started: '2026-01-02T03:04:05Z' }),
      ],
      hold: true,
    }
    const caller = new FakeCaller({ host: engine.host, cwd: directory })
    const running = main(['build', 'app'], caller)
    while (!caller.stderr.text.includes('#1 x')) await new Promise((resolve) => setImmediate(resolve))
    caller.signals.emit('SIGINT', 'SIGINT')
    assert.equal(await running, 130)
    assert.match(caller.stderr.text, /#1 CANCELED\nERROR: the build was cancelled; /)
  })
})

describe('outputs of berth build', () => {
  const withArtifact = (tar: Buffer): void => {
    engine.answers['POST /build'] = stream({ ...result, artifacts: [0] })
    engine.answers['GET /berth/builds/build-1/artifacts/0'] = { bytes: tar }
  }

  it('asks for what -o, --push and --load say', async () => {
    const cases: readonly (readonly [readonly string[], BuildExtras['outputs']])[] = [
      [['--push'], [{ type: 'image', attributes: { push: 'true' } }]],
      [['--load'], [{ type: 'image', attributes: {} }]],
      [['-o', 'type=docker'], [{ type: 'image', attributes: {} }]],
      [['-o', 'type=image,name=a', '--push'], [{ type: 'image', attributes: { name: 'a', push: 'true' } }]],
      [['-o', 'out'], [{ type: 'local', attributes: {} }]],
      [['-o', '-'], [{ type: 'tar', attributes: {} }]],
      [
        ['-o', 'type=oci,dest=a.tar,compression=zstd'],
        [{ type: 'oci', attributes: { compression: 'zstd' } }],
      ],
      [['-o', 'type=cacheonly'], [{ type: 'cacheonly', attributes: {} }]],
      [['-o', 'type=registry,name=r/x'], [{ type: 'registry', attributes: { name: 'r/x' } }]],
    ]
    for (const [flags, outputs] of cases) {
      engine.asked.length = 0
      await berth(['build', ...flags, 'app'])
      assert.deepEqual(asked().extras.outputs, outputs, flags.join(' '))
    }
  })

  it('writes the files of a local output, and a tar to a file or stdout', async () => {
    const { member, tarOf } = await import('#test/support/busybox-image.ts')
    const tar = await tarOf(member({ path: 'etc', type: 'directory' }), member({ path: 'etc/motd' }, 'hello'))
    withArtifact(tar)
    assert.equal((await berth(['build', '-o', 'out/new', 'app'])).code, 0)
    assert.deepEqual(readdirSync(join(directory, 'out/new/etc')), ['motd'])
    assert.equal(readFileSync(join(directory, 'out/new/etc/motd'), 'utf8'), 'hello')
    // Where no directory can be made, Node's own way of making them never ends.
    const { code, stderr } = await berth(['build', '-o', '/proc/nope/x', 'app'])
    assert.equal(code, 1)
    assert.match(stderr, /cannot make the directory of output \/proc\/nope\/x: ENOENT/)
    await berth(['build', '-o', 'type=tar,dest=root.tar', 'app'])
    assert.deepEqual(readFileSync(join(directory, 'root.tar')), tar)
    const { stdout } = await berth(['build', '-q', '-o', '-', 'app'])
    assert.equal(stdout, tar.toString())
  })

  it('refuses to write a tar to a terminal, before anything is built', async () => {
    const { code, stderr } = await berth(['build', '-o', '-', 'app'], { tty: true })
    assert.equal(code, 1)
    assert.match(stderr, /refusing to write a tar to a terminal/)
    assert.deepEqual(engine.requests, [])
  })
})

describe('what berth build refuses', () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['build', 'nowhere'], /path "nowhere" not found; name a directory/],
    [['build', 'app/Dockerfile'], /path "app\/Dockerfile" is not a directory/],
    [['build'], /'berth build' requires 1 argument/],
    [['build', 'app', 'app'], /'berth build' requires 1 argument/],
    [['build', '-f', '-', '-'], /stdin for both build context and dockerfile/],
    [['build', '-f', 'missing', 'app'], /path missing.*no such file/],
    [['build', '-f', 'sub.file', 'app'], /there is a sub\.file in .*app\./],
    [['build', '--secret', 'src=a', 'app'], /id is missing/],
    [['build', '--secret', 'id=x,env=NOPE', 'app'], /environment has no variable NOPE/],
    [['build', '--secret', 'id=x,src=nope', 'app'], /secret x: cannot read .*nope/],
    [['build', '--ssh', 'a=nowhere', 'app'], /agent a: there is no .*nowhere/],
    [['build', '--ssh', 'default', 'app'], /SSH_AUTH_SOCK is not set/],
    [['build', '--progress', 'loud', 'app'], /invalid progress mode loud/],
    [['build', '--progress', 'tty', 'app'], /stderr is no terminal/],
    [['build', '--call', 'sing', 'app'], /invalid call "sing"/],
    [['build', '--add-host', 'alone', 'app'], /bad format for add-host: "alone"/],
    [['build', '--attest', 'type=x', 'app'], /invalid attestation type "x"/],
    [['build', '--provenance', 'mode=most', 'app'], /invalid provenance mode "most"/],
    [['build', '--build-context', 'a', 'app'], /expected key=value/],
    [['build', '--build-context', 'a=nowhere', 'app'], /neither a directory nor an address/],
    [['build', '-o', 'type=local', 'app'], /output local needs a directory/],
    [['build', '-o', 'dest=x', 'app'], /type is missing/],
    [['build', '-o', 'app/Dockerfile', 'app'], /output app\/Dockerfile is a file/],
    [['build', '-o', '-', '-o', 'type=tar', 'app'], /only one output can go to stdout/],
    [['build', '--security-opt', 'seccomp=x', 'app'], /--security-opt is not possible/],
  ]
  for (const [args, words] of cases) {
    it(args.join(' '), async () => {
      const { code, stderr } = await berth(args)
      assert.notEqual(code, 0)
      assert.match(stderr, words)
      assert.deepEqual(
        engine.requests.filter(({ path }) => path === '/build'),
        [],
      )
    })
  }
})

describe('berth build why', () => {
  const document = {
    id: 'b1',
    name: 'app',
    finished: '2026-01-02T03:04:05Z',
    steps: 3,
    cached: 2,
    misses: [],
  }

  it('asks for the last build, or for the one of that id', async () => {
    engine.answers['GET /berth/builds/why'] = { json: document }
    const { stdout } = await berth(['build', 'why'])
    assert.equal(
      stdout,
      'Build b1 (app), ended 2026-01-02T03:04:05Z: 2 of 3 steps from the cache\nEvery step was taken from the cache.\n',
    )
    await berth(['build', 'why', 'b1'])
    await berth(['builder', 'why', 'b1'])
    assert.deepEqual(
      engine.requests.map(({ query }) => query.get('id')),
      [null, 'b1', 'b1'],
    )
  })

  it('builds a directory of that name, where there is one', async () => {
    mkdirSync(join(directory, 'why'))
    await berth(['build', 'why'])
    assert.deepEqual(asked().extras.context, { type: 'directory', path: join(directory, 'why') })
  })
})

describe('berth builder', () => {
  it('shows what is in the cache, filtered', async () => {
    const record = {
      ID: 'abc',
      Type: 'regular',
      Description: 'RUN make',
      InUse: false,
      Shared: false,
      Size: 10,
      UsageCount: 1,
    }
    engine.answers['GET /system/df'] = {
      json: { BuildCacheUsage: { Items: [record, { ...record, ID: 'def', Shared: true, Size: 5 }] } },
    }
    const { stdout } = await berth(['builder', 'du'])
    assert.match(
      stdout,
      /^CACHE ID .*\nabc .*\ndef .*\n\nShared: +5B\nPrivate: +10B\nReclaimable: +10B\nTotal: +15B\n$/,
    )
    assert.doesNotMatch((await berth(['builder', 'du', '--filter', 'shared=true'])).stdout, /abc/)
    assert.match(
      (await berth(['builder', 'du', '--verbose'])).stdout,
      /^ID: +abc\n.*Description: +RUN make\n/s,
    )
    assert.match(
      (await berth(['builder', 'du', '--filter', 'nonsense=1'])).stderr,
      /invalid filter 'nonsense'/,
    )
  })

  it('prunes by every rule', async () => {
    engine.answers['POST /build/prune'] = { json: { CachesDeleted: ['abc'], SpaceReclaimed: 10 } }
    const args =
      'builder prune -f -a --filter until=24h --reserved-space 1g --max-used-space 2g --min-free-space 3g'
    const { stdout } = await berth(args.split(' '))
    assert.equal(stdout, 'Deleted build cache objects:\nabc\n\nTotal reclaimed space: 10B\n')
    assert.deepEqual(Object.fromEntries(engine.requests[0]?.query ?? []), {
      all: '1',
      filters: '{"until":{"24h":true}}',
      'reserved-space': String(2 ** 30),
      'keep-storage': String(2 ** 30),
      'max-used-space': String(2 ** 31),
      'min-free-space': String(3 * 2 ** 30),
    })
  })

  it('asks before it prunes', async () => {
    const { stdout } = await berth(['builder', 'prune'], { stdin: 'n\n' })
    assert.match(stdout, /WARNING! This will remove all dangling build cache\./)
    assert.deepEqual(engine.requests, [])
  })
})
