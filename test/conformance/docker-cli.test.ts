/** What a person does with a container, with Docker's own client and with ours, against a real daemon. */
import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, afterEach, before, describe, it } from 'node:test'
import { NODE, type Result, run } from '#test/support/daemon.ts'
import { EngineApi } from '#test/support/engine-api.ts'
import { CTRL, Terminal } from '#test/support/terminal.ts'

const absent =
  spawnSync('docker', ['--version']).status !== 0 && "Docker's command line is not on this machine"
const BERTH = join(import.meta.dirname, '../../src/bin/berth.ts')

/** Has set its trap when it says ready. */
const FOREVER = ['sh', '-c', 'trap "exit 0" TERM; echo ready; while :; do sleep 0.05; done']
const SERVER = [
  'sh',
  '-c',
  'mkdir -p /srv; echo served > /srv/index.html; trap "exit 0" TERM; httpd -f -p 80 -h /srv & echo ready; wait',
]

describe('docker', { skip: absent }, () => session(['docker']))
describe('berth', () => session([NODE, BERTH]))

function session(program: readonly string[]): void {
  let api: EngineApi
  let local: string
  before(async () => {
    api = await EngineApi.start()
    local = mkdtempSync(join(tmpdir(), 'berth-cli-'))
  })
  after(async () => {
    rmSync(local, { recursive: true })
    await api[Symbol.asyncDispose]()
  })
  afterEach(async () => {
    await api.daemon.removeAll()
    await api.daemon.assertNoLeaks()
  })

  const env = { PATH: process.env['PATH'], HOME: '/nonexistent', TERM: 'xterm' }
  const argv = (args: readonly string[]): readonly [string, ...string[]] => {
    const [first = '', ...rest] = program
    return [first, ...rest, '-H', api.daemon.host, ...args]
  }
  const terminal = (...args: readonly string[]): Terminal => new Terminal(argv(args), env)
  const start = (...args: readonly string[]): ChildProcessWithoutNullStreams => {
    const [file, ...rest] = argv(args)
    return spawn(file, rest, { env })
  }
  const client = (...args: readonly string[]): Result => {
    const [file, ...rest] = argv(args)
    return run(file, rest)
  }
  /** What a command says that must succeed without a complaint. */
  const says = (...args: readonly string[]): string => {
    const { code, stdout, stderr } = client(...args)
    assert.deepEqual([code, stderr], [0, ''], args.join(' '))
    return stdout
  }
  const running = async (name: string, ...args: readonly string[]): Promise<void> => {
    says('run', '-d', '--name', name, ...args, 'busybox', ...FOREVER)
    await api.until('its trap', async () => (await api.logs(name)).out !== '')
  }

  describe('a shell in a terminal', () => {
    it('is pid 1, sees only its own processes, and its exit code is that of the client', async () => {
      await using shell = terminal('run', '-it', '--name', 'shell', 'busybox', 'sh')
      shell.type('echo pid=$$; tty\n')
      await shell.expect(/\npid=1\r\n\/dev\/(pts\/0|console)\r\n/)
      shell.type('ps -o pid,comm\n')
      const [, processes = ''] = await shell.expect(/COMMAND\r\n([^]*?)\/ # /)
      assert.match(processes, /^ *1 sh\r\n *\d+ (ps|sh|busybox)\r\n$/)
      shell.type('exit 3\n')
      assert.equal(await shell.end(), 3)
      const { State } = await api.inspect('shell')
      assert.deepEqual([State.Status, State.ExitCode], ['exited', 3])
    })

    it('has job control', async () => {
      await using shell = terminal('run', '-it', '--rm', 'busybox', 'sh')
      await shell.expect(/\/ # /)
      shell.type('sleep 1000\n')
      await shell.expect(/sleep 1000\r\n/)
      await foreground('sleep 1000')
      shell.type(CTRL.z)
      await shell.expect(/\[1\]\+ +Stopped +sleep 1000/)
      shell.type('jobs; echo lis""ted\n')
      await shell.expect(/\[1\]\+ +Stopped +sleep 1000[^]*listed/)
      shell.type('fg\n')
      await foreground('sleep 1000')
      shell.type(CTRL.c)
      await shell.expect(/\/ # /)
      shell.type('jobs; echo no"ne"\n')
      // Before its prompt the shell would lose the ctrl-D.
      await shell.expect(/no"ne"\r\nnone\r\n\/ # /)
      shell.type(CTRL.d)
      assert.equal(await shell.end(), 0)
    })

    it('has the size of the terminal, and follows it', async () => {
      await using shell = terminal('run', '-it', '--rm', 'busybox', 'sh')
      await follows(shell, 24, 80)
      await follows(shell, 50, 132)
      shell.type('exit\n')
      assert.equal(await shell.end(), 0)
    })

    it('is left with ctrl-p ctrl-q and taken up again; its changes stay and become an image', async () => {
      await using shell = terminal('run', '-it', '--name', 'kept', 'busybox', 'sh')
      shell.type('echo first > /kept; X=remembered; rm /etc/group; echo >> /etc/passwd; echo wri"tten"\n')
      await shell.expect(/\nwritten\r\n/)
      shell.type(CTRL.p + CTRL.q)
      assert.equal(await shell.end(), 0)
      assert.equal((await api.inspect('kept')).State.Status, 'running')

      await using again = terminal('attach', 'kept')
      // The shell is made to draw its prompt again.
      await again.expect(/\/ # /)
      again.type('echo $X\n')
      await again.expect(/\nremembered\r\n/)
      again.type('exit 5\n')
      assert.equal(await again.end(), 5)
      assert.equal((await api.inspect('kept')).State.Status, 'exited')

      await using third = terminal('start', '-ai', 'kept')
      third.type('cat /kept; echo second >> /kept; echo [$X]\n')
      await third.expect(/\nfirst\r\n\[\]\r\n/)
      third.type('exit\n')
      assert.equal(await third.end(), 0)

      const changes = says('diff', 'kept').trimEnd().split('\n').toSorted()
      const history = ['A /root/.ash_history', 'C /root']
      assert.deepEqual(
        changes.filter((line) => !history.includes(line)),
        ['A /kept', 'C /etc', 'C /etc/passwd', 'D /etc/group'],
      )
      assert.match(says('commit', '-m', 'as left', 'kept', 'kept:1'), /^sha256:[0-9a-f]{64}\n$/)
      assert.equal(says('run', '--rm', 'kept:1', 'cat', '/kept'), 'first\nsecond\n')
      assert.equal(client('run', '--rm', 'kept:1', 'ls', '/etc/group').code, 1)
      says('rm', 'kept')
      says('rmi', 'kept:1')
    })

    it('can be opened in a running container, with its own size and exit code', async () => {
      await running('entered')
      await using shell = terminal('exec', '-it', '-e', 'WHO=me', '-w', '/tmp', 'entered', 'sh')
      shell.type('echo $WHO-$PWD\n')
      await shell.expect(/\nme-\/tmp\r\n/)
      await follows(shell, 24, 80)
      await follows(shell, 30, 100)
      shell.type('exit 9\n')
      assert.equal(await shell.end(), 9)
      assert.equal((await api.inspect('entered')).State.Status, 'running')
    })

    /** A client sees no change before it listens for changes: the terminal changes until it does. */
    async function follows(shell: Terminal, rows: number, columns: number): Promise<void> {
      shell.type(`until [ "$(stty size)" = "${rows} ${columns}" ]; do sleep 0.02; done; echo fol"lows"\n`)
      let done = false
      const follow = async (): Promise<void> => {
        await shell.expect(/\nfollows\r\n/)
        done = true
      }
      const resize = (): Promise<boolean> => {
        if (!done) {
          shell.resize(rows, columns - 1)
          shell.resize(rows, columns)
        }
        return Promise.resolve(done)
      }
      await Promise.all([follow(), api.until('the new size', resize)])
    }

    /** Waits until the terminal of the only container belongs to this command. */
    async function foreground(command: string): Promise<void> {
      await api.until(`${command} in the foreground`, async () => {
        const [{ Id } = { Id: '' }] = (await api.call('GET', '/containers/json')).json<{ Id: string }[]>()
        if (Id === '') return false
        const { text } = await api.daemon.call('GET', `/containers/${Id}/top?ps_args=-o%20pid,stat,args`)
        return new RegExp(`"[SR][^"]*\\+[^"]*","${command}"`).test(text)
      })
    }
  })

  describe('a server in the background', () => {
    it('answers on its published port until it is stopped', async () => {
      const id = says('run', '-d', '--name', 'web', '-p', '127.0.0.1::80', 'busybox', ...SERVER).trim()
      assert.match(id, /^[0-9a-f]{64}$/)
      const format = '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}'
      const port = says('inspect', '-f', format, 'web').trim()
      const fetch = ['curl', '-s', '-m', '10', '--retry', '50', '--retry-delay', '0', '--retry-connrefused']
      await api.until('the server', async () => (await api.logs('web')).out !== '')
      assert.equal(api.daemon.inside(...fetch, `http://127.0.0.1:${port}/`).stdout, 'served\n')
      assert.match(says('ps', '--format', '{{.Names}} {{.Ports}}'), new RegExp(`^web .*:${port}->80/tcp\\n$`))
      assert.equal(says('stop', 'web'), 'web\n')
      // The port is given back while the stop is reported.
      const again = (): Result => api.daemon.inside('curl', '-s', '-m', '10', `http://127.0.0.1:${port}/`)
      await api.until('the connection to be refused', () => Promise.resolve(again().code === 7))
      assert.equal(says('rm', 'web'), 'web\n')
      assert.equal(says('ps', '-aq'), '')
    })

    it('is followed by logs -f, which end when it stops', async () => {
      await running('talks')
      await using cleanup = new AsyncDisposableStack()
      const follower = start('logs', '-f', 'talks')
      cleanup.defer(() => void follower.kill('SIGKILL'))
      const ended = once(follower, 'exit')
      const [first] = (await once(follower.stdout, 'data')) as [Buffer]
      assert.equal(String(first), 'ready\n')
      says('stop', 'talks')
      assert.deepEqual(await ended, [0, null])
      assert.equal(says('logs', '--tail', '1', 'talks'), 'ready\n')
    })

    it('is killed when the client that runs it in the foreground is told to', async () => {
      const foreground = start('run', '--rm', '--name', 'front', 'busybox', ...FOREVER)
      const output = text(foreground.stderr)
      await once(foreground.stdout, 'data')
      foreground.kill('SIGTERM')
      const [code] = (await once(foreground, 'exit')) as [number]
      assert.deepEqual([code, await output], [0, ''])
      await api.until('it to go', async () => says('ps', '-aq') === '')
    })
  })

  it('leaves an exec at a signal, and what runs in it goes on', async () => {
    await running('entered')
    const client = start('exec', 'entered', 'sh', '-c', 'echo begun; exec sleep 1000')
    const ended = once(client, 'exit')
    await once(client.stdout, 'data')
    client.kill('SIGTERM')
    await ended
    assert.match(says('top', 'entered', '-o', 'pid,args'), /sleep 1000/)
  })

  describe('files', () => {
    it('are copied both ways', async () => {
      await running('files')
      writeFileSync(join(local, 'in'), 'hello\n', { mode: 0o640 })
      symlinkSync('in', join(local, 'link'))
      const { code, stderr } = client('cp', join(local, 'in'), 'files:/tmp/renamed')
      assert.equal(code, 0, stderr)
      assert.equal(says('exec', 'files', 'cat', '/tmp/renamed'), 'hello\n')
      assert.equal(client('cp', join(local, 'link'), 'files:/tmp').code, 0)
      assert.equal(says('exec', 'files', 'readlink', '/tmp/link'), 'in\n')

      says('exec', 'files', 'sh', '-c', 'mkdir /tree; echo x > /tree/x; ln -s x /tree/y')
      assert.equal(client('cp', 'files:/tree', join(local, 'tree')).code, 0)
      assert.equal(readFileSync(join(local, 'tree/x'), 'utf8'), 'x\n')
      assert.equal(readlinkSync(join(local, 'tree/y')), 'x')
      assert.equal(client('cp', 'files:/tree/.', join(local, 'tree/inner')).code, 0)
      assert.equal(readFileSync(join(local, 'tree/inner/x'), 'utf8'), 'x\n')
      // A directory that exists takes the directory in, unless its contents were asked for.
      assert.equal(client('cp', 'files:/tree/', join(local, 'tree')).code, 0)
      assert.equal(readFileSync(join(local, 'tree/tree/x'), 'utf8'), 'x\n')

      // The root has no name of its own.
      assert.equal(client('cp', 'files:/', join(local, 'all')).code, 0)
      assert.equal(readFileSync(join(local, 'all/tree/x'), 'utf8'), 'x\n')

      says('stop', 'files')
      assert.equal(client('cp', join(local, 'tree'), 'files:/copied').code, 0)
      assert.equal(client('cp', 'files:/copied/inner/x', join(local, 'back')).code, 0)
      assert.equal(readFileSync(join(local, 'back'), 'utf8'), 'x\n')
      const missing = client('cp', 'files:/nope', local)
      assert.equal(missing.code, 1)
      assert.match(missing.stderr, /Could not find the file \/nope in container files/)
    })
  })

  describe('what is shown', () => {
    it('has the fields that Docker shows', async () => {
      await running('shown', '-p', '127.0.0.1::80', '-v', 'shown-data:/data', '-l', 'a=b', '-m', '64m')
      const [document = {}] = JSON.parse(says('inspect', 'shown')) as Record<string, object>[]
      assert.deepEqual(missing(document, INSPECT), [])
      for (const [part, fields] of Object.entries(INSPECT_PARTS))
        assert.deepEqual(missing(document[part] ?? {}, fields), [], part)

      const listed = JSON.parse(says('ps', '--format', 'json')) as Record<string, string>
      assert.deepEqual(missing(listed, PS), [])
      assert.match(listed['Status'] ?? '', /^Up /)
      assert.match(listed['Ports'] ?? '', /^127\.0\.0\.1:\d+->80\/tcp$/)
      assert.equal(listed['LocalVolumes'], '1')

      const stats = JSON.parse(says('stats', '--no-stream', '--format', 'json', 'shown')) as Record<
        string,
        string
      >
      assert.equal(stats['Name'], 'shown')
      assert.match(stats['CPUPerc'] ?? '', /^\d+\.\d\d%$/)
      assert.match(stats['MemUsage'] ?? '', /^[\d.]+[KM]iB \/ 64MiB$/)
      assert.match(stats['MemPerc'] ?? '', /^\d+\.\d\d%$/)
      assert.match(stats['NetIO'] ?? '', /^[\d.]+k?M?B \/ [\d.]+k?B$/)
      assert.match(stats['BlockIO'] ?? '', /^[\d.]+[kM]?B \/ [\d.]+[kM]?B$/)
      assert.match(stats['PIDs'] ?? '', /^[12]$/)
      assert.match(says('top', 'shown'), /^UID +PID +PPID +C +STIME +TTY +TIME +CMD\n[^]*sh -c trap/)
      says('rm', '-f', 'shown')
      await api.call('DELETE', '/volumes/shown-data')
    })
  })
}

function missing(document: object, fields: string): string[] {
  return fields.split(' ').filter((field) => !(field in document))
}

const INSPECT =
  'Id Created Path Args State Image ResolvConfPath HostnamePath HostsPath LogPath Name RestartCount Driver Platform ' +
  'MountLabel ProcessLabel AppArmorProfile ExecIDs HostConfig GraphDriver Mounts Config NetworkSettings'
const INSPECT_PARTS: Readonly<Record<string, string>> = {
  State: 'Status Running Paused Restarting OOMKilled Dead Pid ExitCode Error StartedAt FinishedAt',
  Config:
    'Hostname Domainname User AttachStdin AttachStdout AttachStderr ExposedPorts Tty OpenStdin StdinOnce Env Cmd ' +
    'Image Volumes WorkingDir Entrypoint OnBuild Labels',
  HostConfig:
    'Binds ContainerIDFile LogConfig NetworkMode PortBindings RestartPolicy AutoRemove VolumeDriver VolumesFrom ' +
    'ConsoleSize CapAdd CapDrop CgroupnsMode Dns DnsOptions DnsSearch ExtraHosts GroupAdd IpcMode Cgroup Links ' +
    'OomScoreAdj PidMode Privileged PublishAllPorts ReadonlyRootfs SecurityOpt UTSMode UsernsMode ShmSize Runtime ' +
    'Isolation CpuShares Memory NanoCpus CgroupParent BlkioWeight BlkioWeightDevice BlkioDeviceReadBps CpuPeriod ' +
    'CpuQuota CpuRealtimePeriod CpuRealtimeRuntime CpusetCpus CpusetMems Devices DeviceCgroupRules DeviceRequests ' +
    'MemoryReservation MemorySwap MemorySwappiness OomKillDisable PidsLimit Ulimits CpuCount CpuPercent ' +
    'IOMaximumIOps IOMaximumBandwidth MaskedPaths ReadonlyPaths',
  NetworkSettings: 'SandboxID SandboxKey Ports Networks',
}
const PS =
  'Command CreatedAt ID Image Labels LocalVolumes Mounts Names Networks Ports RunningFor Size State Status'
