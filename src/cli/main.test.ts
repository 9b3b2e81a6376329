import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ApiFixture } from '#test/support/api-server.ts'
import { FakeCaller, runCli, type CliOptions, type CliResult } from '#test/support/cli.ts'
import { ScriptedEngine } from '#test/support/scripted-engine.ts'
import { main } from './main.ts'

interface Bench extends AsyncDisposable {
  readonly api: ApiFixture
  readonly host: string
  run(args: string, options?: CliOptions): Promise<CliResult>
}

async function bench(): Promise<Bench> {
  const api = await ApiFixture.start()
  const host = `unix://${api.path}`
  return {
    api,
    host,
    run: (args, options) => runCli(args.split(' '), { host, ...options }),
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  }
}

describe('berth', () => {
  it('prints usage errors as Docker does, with 125 for flags and 1 for arguments', async () => {
    assert.deepEqual(await runCli(['run', '--foo', 'demo']), {
      code: 125,
      stdout: '',
      stderr:
        "unknown flag: --foo\n\nUsage:  berth run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nRun 'berth run --help' for more information\n",
    })
    const { code, stderr } = await runCli(['rename', 'a'])
    assert.deepEqual([code, stderr.split('\n')[0]], [1, "berth: 'berth rename' requires 2 arguments"])
    assert.deepEqual(await runCli(['nope']), {
      code: 1,
      stdout: '',
      stderr: "berth: unknown command: berth nope\n\nRun 'berth --help' for more information\n",
    })
    assert.equal((await runCli(['container', 'nope'])).code, 1)
    assert.equal((await runCli(['--nope'])).code, 125)
  })

  it('shows help on stdout to who asks for it, and on stderr to who names no command', async () => {
    for (const words of [[], ['container']]) {
      const asked = await runCli([...words, '--help'])
      const bare = await runCli(words)
      assert.deepEqual([asked.code, asked.stderr, bare.code, bare.stdout], [0, '', 0, ''])
      assert.equal(bare.stderr, asked.stdout)
    }
    assert.deepEqual(await runCli(['-l', 'bogus', 'ps']), {
      code: 1,
      stdout: '',
      stderr: 'Unable to parse logging level: bogus\n',
    })
  })

  it('takes global flags only before the command, and both spellings of a command', async () => {
    await using b = await bench()
    await b.api.container('web', ['sleep'])
    const short = await runCli(['-H', b.host, 'ps', '-q'])
    const long = await runCli([`--host=${b.host}`, 'container', 'ls', '--quiet'])
    assert.equal(short.code, 0)
    assert.deepEqual(short, long)
    assert.equal((await runCli(['ps', '-H', b.host])).code, 125)
  })

  it('says whom it could not reach', async () => {
    const info = ['info', '--format', '{{.Labels}}']
    const { stderr } = await runCli(info, { host: 'unix:///nonexistent/berth.sock' })
    assert.match(stderr, /^Cannot connect to the berth daemon/)
    assert.deepEqual(await runCli(['ps'], { host: 'unix:///nonexistent/berth.sock' }), {
      code: 1,
      stdout: '',
      stderr:
        'Cannot connect to the berth daemon at unix:///nonexistent/berth.sock. Is the daemon running?\n',
    })
  })

  it('goes on with the others when one of several objects is missing', async () => {
    await using b = await bench()
    await b.api.container('one', ['sleep'])
    await b.api.container('two', ['sleep'])
    assert.deepEqual(await b.run('stop one none two'), {
      code: 1,
      stdout: 'one\ntwo\n',
      stderr: 'Error response from daemon: No such container: none\n',
    })
  })

  it('reports templates with the words and exit codes of Docker', async () => {
    await using b = await bench()
    await b.api.container('web', ['sleep'])
    assert.deepEqual(await b.run('inspect -f {{foo}} web'), {
      code: 64,
      stdout: '',
      stderr: 'template parsing error: template: :1: function "foo" not defined\n',
    })
    const missing = await b.run('inspect -f {{.Foo}} web')
    assert.equal(missing.code, 1)
    assert.equal(
      missing.stderr,
      'template parsing error: template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo"\n',
    )
    assert.equal(
      (await b.run('ps --format {{.Foo}}')).stderr,
      'failed to execute template: template: :1:2: executing "" at <.Foo>: can\'t evaluate field Foo in type *formatter.ContainerContext\n',
    )
  })

  it('answers templates that ask for fields of older versions', async () => {
    await using b = await bench()
    await b.api.container('web', ['sleep'])
    assert.deepEqual(await b.run('inspect -f {{.NetworkSettings.IPAddress}}|{{.Name}} web'), {
      code: 0,
      stdout: '172.17.0.2|/web\n',
      stderr: '',
    })
    assert.equal((await b.run('inspect -f {{.NetworkSettings.Nope}} web')).code, 1)
  })

  it('inspects what it finds and reports what it does not', async () => {
    await using b = await bench()
    await b.api.container('web', ['sleep'])
    const { code, stdout, stderr } = await b.run('inspect web missing')
    assert.equal(code, 1)
    assert.deepEqual(
      (JSON.parse(stdout) as { Name: string }[]).map(({ Name }) => Name),
      ['/web'],
    )
    assert.equal(stderr, 'Error: No such object: missing\n')
  })
})

describe('berth run', () => {
  it('passes output and exit code through', async () => {
    await using b = await bench()
    assert.deepEqual(await b.run('run demo echo hi there'), { code: 0, stdout: 'hi there\n', stderr: '' })
    assert.deepEqual(await b.run('run demo fail oh no'), { code: 1, stdout: '', stderr: 'oh no\n' })
    assert.equal((await b.run('run --rm demo exit 42')).code, 42)
  })

  it('passes stdin on until it ends', async () => {
    await using b = await bench()
    assert.deepEqual(await b.run('run -i demo cat', { stdin: 'a\nb' }), {
      code: 0,
      stdout: 'a\nb',
      stderr: '',
    })
  })

  it('prints the id when it goes to the background', async () => {
    await using b = await bench()
    const { code, stdout } = await b.run('run -d --name web demo sleep')
    assert.equal(code, 0)
    assert.match(stdout, /^[0-9a-f]{64}\n$/)
    assert.equal((await b.run('ps --format {{.Names}}')).stdout, 'web\n')
  })

  it('says that the image is missing, tries to fetch it, and ends with 125', async () => {
    await using b = await bench()
    const { code, stderr } = await b.run('run other true')
    assert.equal(code, 125)
    assert.match(stderr, /^Unable to find image 'other:latest' locally\nberth: Error response from daemon: /)
    const never = await b.run('run --pull never other true')
    assert.equal(never.code, 125)
    assert.match(
      never.stderr,
      /^berth: No such image: other:latest is not here, and with --pull never it is not /,
    )
  })

  it('fetches an image that is here for another platform only', async () => {
    const message = 'image with reference demo was found but does not match the specified platform'
    await using engine = await ScriptedEngine.start({
      'POST /containers/create': { status: 404, json: { message } },
      'POST /images/create': { stream: [] },
    })
    await runCli(['create', '--platform', 'linux/arm64', 'demo'], { host: engine.host })
    const asked = engine.requests.map(({ path, query }) => `${path} ${query.get('platform')}`)
    assert.deepEqual(asked, [
      '/containers/create linux/arm64',
      '/images/create linux/arm64',
      '/containers/create linux/arm64',
    ])
  })

  it('makes no container whose id it cannot keep, and leaves no empty file for one', async () => {
    await using engine = await ScriptedEngine.start()
    const directory = await mkdtemp(join(tmpdir(), 'berth-cidfile-'))
    await using cleanup = new AsyncDisposableStack()
    cleanup.defer(() => rm(directory, { recursive: true }))
    const create = (path: string): Promise<CliResult> =>
      runCli(['create', '--pull', 'never', '--cidfile', path, 'demo'], { host: engine.host })
    const { code, stderr } = await create(join(directory, 'nope', 'id'))
    assert.deepEqual([code, engine.requests], [1, []])
    assert.match(stderr, /^failed to create the container ID file: ENOENT/)
    assert.equal((await create(join(directory, 'id'))).code, 1)
    assert.deepEqual(await readdir(directory), [])
  })

  it('wants a terminal for a terminal', async () => {
    await using b = await bench()
    const { code, stderr } = await b.run('run -it demo cat')
    assert.deepEqual([code, stderr.split(' ', 2).join(' ')], [1, 'cannot attach'])
    assert.match(stderr, /stdin is not a terminal/)
    assert.equal((await b.run('run -d -a stdout demo cat')).code, 1)
  })

  it('makes the terminal raw while it runs, and puts it back', async () => {
    await using b = await bench()
    const caller = new FakeCaller({ host: b.host, tty: true, stdin: 'typed' })
    assert.equal(await main(['run', '-it', '--name', 'tty', 'demo', 'cat'], caller), 0)
    assert.equal(caller.stdout.text, 'typed')
    assert.deepEqual(caller.terminal, ['raw', 'restored'])
    const { HostConfig } = await b.api.engine.query.inspect('tty', { size: false })
    assert.deepEqual(HostConfig?.ConsoleSize, [24, 80])
  })

  it('passes signals on, and forgets about them afterwards', async () => {
    await using b = await bench()
    const caller = new FakeCaller({ host: b.host })
    const running = main(['run', '--name', 'web', 'demo', 'sleep'], caller)
    for await (const { Action } of b.api.engine.events.subscribe({
      since: 1n,
      until: undefined,
      filters: new Map(),
    })) {
      if (Action === 'start') break
    }
    caller.signals.emit('SIGTERM', 'SIGTERM')
    assert.equal(await running, 137)
    assert.equal(caller.signals.listenerCount('SIGTERM'), 0)
  })
})

describe('berth exec, attach, logs', () => {
  it('run processes and show output of those that ran', async () => {
    await using b = await bench()
    await b.api.container('web', ['sleep'])
    assert.deepEqual(await b.run('exec web echo in'), { code: 0, stdout: 'in\n', stderr: '' })
    await b.api.container('done', ['fail', 'went wrong'])
    assert.deepEqual(await b.run('logs done'), { code: 0, stdout: '', stderr: 'went wrong\n' })
    assert.deepEqual(await b.run('attach done'), {
      code: 1,
      stdout: '',
      stderr: 'You cannot attach to a stopped container, start it first\n',
    })
  })

  it('start -ai passes stdin on and gives the exit code', async () => {
    await using b = await bench()
    await b.api.engine.lifecycle.create({ Image: 'demo', Cmd: ['cat'], OpenStdin: true }, { name: 'cat' })
    assert.deepEqual(await b.run('start -ai cat', { stdin: 'x' }), { code: 0, stdout: 'x', stderr: '' })
  })
})

describe('berth __complete', () => {
  it('knows commands, flags, and what a daemon has', async () => {
    await using b = await bench()
    await b.api.container('web', ['sleep'])
    const complete = async (...words: string[]): Promise<string[]> => {
      const { stdout } = await runCli(['__complete', '--', ...words], { host: b.host })
      return stdout
        .trim()
        .split('\n')
        .map((line) => line.split('\t')[0] ?? '')
    }
    assert.deepEqual(await complete('unp'), ['unpause'])
    assert.deepEqual(await complete('container', 'unp'), ['unpause'])
    assert.deepEqual(await complete('run', '--rest'), ['--restart'])
    assert.deepEqual(await complete('run', '--restart', 'un'), ['unless-stopped'])
    assert.deepEqual(await complete('run', '--restart=un'), ['--restart=unless-stopped'])
    assert.deepEqual(await complete('stop', 'w'), ['web'])
    assert.deepEqual(await complete('completion', ''), ['bash', 'zsh', 'fish'])
    assert.deepEqual(await complete('run', '-v', ''), [':files'])
  })
})
