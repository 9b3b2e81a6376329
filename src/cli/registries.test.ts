import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { FakeCaller, runCli, type CliOptions, type CliResult } from '#test/support/cli.ts'
import { fakeCredentialHelper } from '#test/support/credential-helper.ts'
import { ScriptedEngine } from '#test/support/scripted-engine.ts'
import { main } from './main.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const decoded = (header: unknown): unknown =>
  JSON.parse(Buffer.from(String(header), 'base64url').toString()) as unknown

describe('registries', () => {
  let directory = ''
  let engine: ScriptedEngine
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-registries-'))
    engine = await ScriptedEngine.start({
      'POST /auth': { json: { Status: 'Login Succeeded', IdentityToken: '' } },
      'GET /images/search': { json: [] },
      'POST /images/create': { stream: [{ status: 'Status: Image is up to date for demo:latest' }] },
      'POST /images/host:5000/demo/push': { stream: [] },
    })
  })
  afterEach(async () => {
    await engine[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  })

  const run = (args: string, options: CliOptions = {}): Promise<CliResult> =>
    runCli(['--config', directory, ...args.split(' ')], { host: engine.host, ...options })
  const config = async (): Promise<Record<string, unknown>> =>
    JSON.parse(await readFile(join(directory, 'config.json'), 'utf8')) as Record<string, unknown>
  const configure = (document: object): Promise<void> =>
    writeFile(join(directory, 'config.json'), JSON.stringify(document))

  describe('berth login', () => {
    it('asks the registry, then stores the password and says how unsafe that is', async () => {
      const { code, stdout, stderr } = await run('login -u bob --password-stdin host:5000', { stdin: 's3\n' })
      assert.deepEqual([code, stdout], [0, '\nLogin Succeeded\n'])
      assert.match(stderr, /WARNING! The credentials are stored unencrypted in '.*\/config\.json'\./)
      assert.deepEqual(JSON.parse(engine.requests[0]?.body ?? ''), {
        username: 'bob',
        password: 's3',
        serveraddress: 'host:5000',
      })
      assert.deepEqual(await config(), { auths: { 'host:5000': { auth: base64('bob:s3') } } })
    })

    it('is for Docker Hub without a server, and keeps the identity token instead of the password', async () => {
      engine.answers['POST /auth'] = { json: { Status: 'Login Succeeded', IdentityToken: 'T' } }
      const { stderr } = await run('login -u bob -p s3')
      assert.match(stderr, /^WARNING! A password in --password is seen by others/)
      const auths = { 'https://index.docker.io/v1/': { auth: base64('bob:'), identitytoken: 'T' } }
      assert.deepEqual(await config(), { auths })
    })

    it('stores nothing when the registry refuses', async () => {
      engine.answers['POST /auth'] = { status: 401, json: { message: 'unauthorized: wrong password' } }
      assert.deepEqual(await run('login -u bob --password-stdin host:5000', { stdin: 'x' }), {
        code: 1,
        stdout: '',
        stderr: 'Error response from daemon: unauthorized: wrong password\n',
      })
      await assert.rejects(config())
    })

    it('tries what is stored first, and asks only when that is refused', async () => {
      await configure({ auths: { 'host:5000': { auth: base64('bob:old') } } })
      const good = await run('login host:5000')
      assert.equal(good.code, 0)
      assert.match(
        good.stdout,
        /stored credentials\.\.\. \[Username: bob\]\n[^]*berth logout host:5000[^]*Login Succeeded/,
      )
      engine.answers['POST /auth'] = { status: 401, json: { message: 'expired' } }
      const refused = await run('login host:5000')
      assert.equal(refused.code, 1)
      assert.match(
        refused.stderr,
        /not accepted: Error response from daemon: expired\nError: Cannot perform an/,
      )
      engine.answers['POST /auth'] = { status: 503, json: { message: 'away' } }
      assert.equal((await run('login host:5000')).stderr, 'Error response from daemon: away\n')
    })

    it('asks on a terminal, and does not show the password', async () => {
      const raw: boolean[] = []
      const caller = new FakeCaller({ host: engine.host, tty: true })
      Object.assign(caller.stdin, { setRawMode: (on: boolean) => raw.push(on) })
      const running = main(['--config', directory, 'login', 'host:5000'], caller)
      caller.input.write('bob\n')
      caller.input.write('s3x\u007fcret\r')
      assert.equal(await running, 0)
      assert.deepEqual(raw, [true, false])
      assert.match(caller.stdout.text, /^Log in to host:5000 .*\nUsername: Password: \n\nLogin Succeeded\n$/)
      assert.deepEqual(await config(), { auths: { 'host:5000': { auth: base64('bob:s3cret') } } })
    })

    it('ends with 130 at Ctrl-C while the password is typed', async () => {
      const caller = new FakeCaller({ host: engine.host, tty: true })
      const running = main(['--config', directory, 'login', '-u', 'bob'], caller)
      caller.input.write('s3\u0003')
      assert.equal(await running, 130)
      assert.deepEqual(engine.requests, [])
    })

    it('warns when the environment goes before what it stores', async () => {
      const env = { DOCKER_AUTH_CONFIG: '{}' }
      const { stderr } = await run('login -u bob --password-stdin host:5000', { stdin: 'x', env })
      assert.match(stderr, /^WARNING! DOCKER_AUTH_CONFIG is set/)
      assert.match((await run('login user@host')).stderr, /"user@host" names no registry/)
    })

    it('refuses flags that do not go together', async () => {
      const text = async (args: string): Promise<string> => (await run(args)).stderr
      assert.match(await text('login --password-stdin'), /requires --username to be set/)
      assert.match(await text('login -u a -p b --password-stdin'), /conflicting options: cannot specify both/)
      assert.match(await text('login -u a'), /Cannot perform an interactive login from a non TTY device/)
      assert.match(await text('login -u a --password-stdin'), /password is empty/)
      assert.equal((await run('login a b')).code, 1)
    })

    it('sends nothing when the helper is missing (CVE-2021-41092)', async () => {
      await configure({ credsStore: 'missing' })
      const env = { PATH: '/nonexistent' }
      for (const args of [
        'login -u bob -p s3 host:5000',
        'login',
        'pull demo',
        'push host:5000/demo',
        'search demo',
        'run --pull always demo',
        'logout',
      ]) {
        const { code, stderr } = await run(args, { env })
        assert.notEqual(code, 0, args)
        assert.match(stderr, /cannot run the credential helper docker-credential-missing/, args)
      }
      assert.deepEqual(engine.requests, [])
    })

    it('stores with a helper without a warning', async () => {
      const env = await fakeCredentialHelper(directory, 'fake')
      await configure({ credsStore: 'fake' })
      assert.deepEqual(await run('login -u bob --password-stdin host:5000', { stdin: 's3', env }), {
        code: 0,
        stdout: '\nLogin Succeeded\n',
        stderr: '',
      })
    })
  })

  describe('berth logout', () => {
    it('forgets, and says when there was nothing', async () => {
      await configure({ auths: { 'https://host:5000/v2/': { auth: base64('a:b') } }, other: 1 })
      assert.equal((await run('logout host:5000')).stdout, 'Removing login credentials for host:5000\n')
      assert.deepEqual(await config(), { auths: {}, other: 1 })
      assert.equal((await run('logout')).stdout, 'Not logged in to https://index.docker.io/v1/\n')
    })
  })

  describe('who asks', () => {
    const sent = async (args: string): Promise<unknown> => {
      engine.asked.length = 0
      await run(args)
      const header = engine.requests[0]?.headers['x-registry-auth']
      return header === undefined ? undefined : decoded(header)
    }

    it('is told on pull, push and search, to the registry of the name alone (CVE-2026-59891)', async () => {
      const entry = { auth: base64('bob:s3') }
      await configure({ auths: { 'https://index.docker.io/v1/': entry, 'host:5000': entry } })
      const hub = { username: 'bob', password: 's3', serveraddress: 'https://index.docker.io/v1/' }
      const own = { ...hub, serveraddress: 'host:5000' }
      assert.deepEqual(await sent('pull demo'), hub)
      assert.deepEqual(await sent('pull host:5000/demo'), own)
      assert.deepEqual(await sent('push host:5000/demo'), own)
      assert.deepEqual(await sent('search demo'), hub)
      assert.deepEqual(await sent('search team/demo'), hub)
      assert.deepEqual(await sent('search host:5000/demo'), own)
      for (const name of [
        'docker.io.evil.com/demo',
        'host.example/demo',
        'host:50/demo',
        'index.docker.io:5000/demo',
      ]) {
        assert.equal(await sent(`pull ${name}`), undefined, name)
        assert.equal(await sent(`search ${name}`), undefined, name)
      }
      assert.deepEqual(await sent('push host.example/demo'), {})
    })
  })

  describe('berth pull and push', () => {
    const layers = [
      { status: 'Pulling from library/demo', id: 'latest' },
      { status: 'Pulling fs layer', progressDetail: {}, id: 'aaa' },
      { status: 'Pulling fs layer', progressDetail: {}, id: 'bbb' },
      { status: 'Downloading', progressDetail: { current: 1e6, total: 4e6 }, id: 'bbb' },
      { status: 'Pull complete', progressDetail: {}, id: 'aaa' },
    ]

    it('print a line per step where lines cannot change, and the name at the end', async () => {
      engine.answers['POST /images/create'] = { stream: [...layers, { status: 'Status: Downloaded' }] }
      assert.deepEqual(await run('pull demo'), {
        code: 0,
        stdout: `Using default tag: latest
latest: Pulling from library/demo
aaa: Pulling fs layer
bbb: Pulling fs layer
aaa: Pull complete
Status: Downloaded
docker.io/library/demo:latest
`,
        stderr: '',
      })
    })

    it('print only the name with --quiet', async () => {
      assert.equal((await run('pull -q demo:1')).stdout, 'docker.io/library/demo:1\n')
      assert.equal((await run('push -q host:5000/demo')).stdout, 'host:5000/demo:latest\n')
      assert.equal((await run('push -qa host:5000/demo')).stdout, 'host:5000/demo\n')
    })

    it('end with 130 at Ctrl-C, and say what is kept', async () => {
      engine.answers['POST /images/create'] = { stream: layers, hold: true }
      const caller = new FakeCaller({ host: engine.host })
      const interrupt = (): void => {
        if (caller.stdout.text.includes('Pull complete')) caller.signals.emit('SIGINT', 'SIGINT')
        else setImmediate(interrupt)
      }
      interrupt()
      assert.equal(await main(['--config', directory, 'pull', 'demo'], caller), 130)
      assert.equal(
        caller.stderr.text,
        'Interrupted. Kept here: 1 of 2 layers and 1MB of 1 more.\nThe next pull goes on from there.\n',
      )
    })

    it('fail with what the engine says in the stream', async () => {
      engine.answers['POST /images/create'] = {
        stream: [layers[0] ?? {}, { errorDetail: { message: 'toomanyrequests: slow down' }, error: 'x' }],
      }
      const { code, stderr } = await run('pull demo')
      assert.deepEqual([code, stderr], [1, 'Error response from daemon: toomanyrequests: slow down\n'])
    })

    it('say even with --quiet when less than the whole index was sent', async () => {
      const aux = { manifestPushedInsteadOfIndex: true, selectedManifest: { digest: 'sha256:abc' } }
      engine.answers['POST /images/host:5000/demo/push'] = { stream: [{ aux }] }
      assert.match((await run('push -q host:5000/demo')).stderr, /only sha256:abc was pushed/)
    })

    it('refuse names that do not go with the flags, before anything is asked', async () => {
      const text = async (args: string): Promise<string> => (await run(args)).stderr
      assert.equal(await text('push -a host:5000/demo:1'), "tag can't be used with --all-tags/-a\n")
      assert.equal(await text('pull -a demo:1'), "tag can't be used with --all-tags/-a\n")
      assert.match(await text(`push demo@sha256:${'a'.repeat(64)}`), /cannot push a digest reference/)
      assert.match(await text('push Demo'), /must be lowercase/)
      assert.deepEqual(engine.requests, [])
    })
  })

  describe('berth __complete', () => {
    const offered = async (...words: string[]): Promise<string[]> => {
      const args = ['--config', directory, '__complete', '--', ...words]
      const { stdout } = await runCli(args, { host: engine.host })
      return stdout.split('\n').flatMap((line) => line.split('\t')[0] || [])
    }

    it('knows the registries that somebody logged in to, and local names', async () => {
      await configure({ auths: { 'https://index.docker.io/v1/': {}, 'https://host:5000/v2/': {} } })
      assert.deepEqual(await offered('logout', ''), ['docker.io', 'host:5000'])
      assert.deepEqual(await offered('login', 'h'), ['host:5000'])
      engine.answers['GET /images/json'] = { json: [{ RepoTags: ['host:5000/demo:1', 'other:2'] }] }
      assert.deepEqual(await offered('push', 'host'), ['host:5000/demo:1'])
      assert.deepEqual(await offered('image', 'ls', '--tree', 'o'), ['other:2'])
      assert.deepEqual(await offered('pull', '--platform', 'linux/arm/'), ['linux/arm/v7', 'linux/arm/v6'])
      assert.deepEqual(await offered('images', '-f', 'dang'), ['dangling=true', 'dangling=false'])
      assert.deepEqual(await offered('system', 'fsck', '--'), ['--repair'])
    })
  })
})
