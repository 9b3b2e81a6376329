/**
 * RUN on the real kernel. The file runs itself again in a network namespace of its own; after each test nothing may be left of
 * its steps.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import type { Digest } from '#base/digest.ts'
import { engineErrorOf } from '#base/errors.ts'
import type { CacheMount } from '#engine/builds/run/cache-mounts.ts'
import { accountFor } from '#engine/system/disk-account.ts'
import { BuildSteps, marksBelow, stepOf } from '#test/support/build-steps.ts'
import { member } from '#test/support/busybox-image.ts'
import { NODE } from '#test/support/daemon.ts'
import { type Marks, type Model, assertNoLeaks } from '#test/support/leak-check.ts'
import { temporaryDirectory } from '#test/support/native.ts'

const given = process.env['BERTH_TEST_MARKS']
if (given === undefined) {
  it('RUN works in a network namespace of its own', { timeout: 300_000 }, inNamespace)
} else {
  describe('RUN', () => suite(JSON.parse(given) as Marks))
}

async function inNamespace(): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'berth-run-'))
  const marks = marksBelow(root, `berth-t-run-${process.pid}`)
  execFileSync('ip', ['netns', 'add', marks.netns])
  try {
    const { NODE_TEST_CONTEXT: _context, ...env } = process.env
    const command = [`--net=/run/netns/${marks.netns}`, NODE, '--test-reporter=spec', import.meta.filename]
    const child = spawn('nsenter', command, {
      env: { ...env, BERTH_TEST_MARKS: JSON.stringify(marks) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const [code] = (await once(child, 'close')) as [number]
    assert.equal(code, 0, output)
  } finally {
    execFileSync('ip', ['netns', 'delete', marks.netns])
    await rm(root, { recursive: true, force: true })
  }
}

const NOTHING: Model = {
  running: [],
  containers: [],
  volumes: [],
  ports: 0,
  endpoints: 0,
  bridges: ['berth0'],
  parents: [],
}

function suite(marks: Marks): void {
  let world: BuildSteps

  /** What the one step that runs sees as its root. */
  async function rootOfStep(): Promise<string> {
    const [id = ''] = world.steps.running
    const state = join(marks.execRoot, 'runtime', id)
    // crun's, or runc's.
    const file = (await readdir(state)).includes('status') ? 'status' : 'state.json'
    const { pid, init_process_pid } = JSON.parse(await readFile(join(state, file), 'utf8')) as Record<
      string,
      number
    >
    return `/proc/${pid ?? init_process_pid}/root`
  }

  before(async () => {
    execFileSync('ip', ['link', 'set', 'lo', 'up'])
    world = await BuildSteps.open(marks)
  })
  after(() => world[Symbol.asyncDispose]())
  afterEach(async () => {
    await assertNoLeaks(marks, async () => NOTHING)
    assert.equal(world.networks.leases(world.networks.bridge.id).size, 0)
    assert.equal(world.steps.running.size, 0)
  })

  it('gives what the process writes, and what it has changed as a layer', async () => {
    const ran = await world.run({
      args: 'cat; echo out; echo err >&2; echo hello > /greeting; chmod 0640 /greeting',
    })
    assert.equal(ran.out, 'out\n')
    assert.equal(ran.err, 'err\n')
    assert.deepEqual(await world.listing(ran.layer), ['file 0640 0:0 greeting'])
  })

  it('makes no layer when nothing has changed', async () => {
    assert.equal(
      (await world.run({ args: 'cat /etc/hosts /etc/resolv.conf /etc/hostname; true' })).layer,
      undefined,
    )
  })

  it('fails with the exit code, in the words of BuildKit', async () => {
    await assert.rejects(world.run({ args: 'exit 3' }), (error) => {
      const failure = engineErrorOf(error)
      assert.equal(
        failure?.message,
        'process "/bin/sh -c exit 3" did not complete successfully: exit code: 3',
      )
      assert.equal(failure.code, 'BUILD_RUN_FAILED')
      assert.equal(failure.details['exitCode'], 3)
      return true
    })
  })

  it('runs beside others', async () => {
    const all = Array.from({ length: 12 }, async (_, i) => {
      const args = `ip -4 -o addr show eth0 | tr -s " " | cut -d " " -f 4; echo ${i} > /n`
      const { out, layer } = await world.run({ args, mounts: [cache({ id: 'all' })] })
      assert.deepEqual(await world.names(layer), ['n'])
      return out
    })
    assert.equal(new Set(await Promise.all(all)).size, 12, 'each has an address of its own')
  })

  it('is known to whoever looks at the disk meanwhile', async () => {
    const seen = Promise.withResolvers<readonly (readonly string[])[]>()
    const look = async (steps: ReadonlySet<string>): Promise<readonly string[]> => {
      const none = {
        layers: new Set<Digest>(),
        layersInUse: new Set<Digest>(),
        cachedLayers: new Set<Digest>(),
        blobs: new Set<Digest>(),
        blobsInUse: new Set<Digest>(),
        containers: new Map(),
        volumes: new Map(),
        adding: true,
      }
      const { Unexplained } = await accountFor(marks.dataRoot, { ...none, steps })
      return Unexplained.map(({ Path }) => Path.split('/', 2).join('/')).filter((path) =>
        /snapshots|build/.test(path),
      )
    }
    await using directory = await temporaryDirectory('context')
    const sources = { context: world.directory(directory.path) }
    const mounts = [
      cache({ id: 'seen' }),
      { type: 'bind', from: CONTEXT, source: '/', target: '/src', readOnly: false },
    ] as const
    const onOutput = (): void => seen.resolve(Promise.all([look(world.steps.running), look(new Set())]))
    const running = world.run(
      { args: 'echo up; while ! test -e /cache/go; do sleep 0.02; done', mounts },
      { onOutput, sources },
    )
    const [known, unknown = []] = await seen.promise
    const held = (await world.caches.list()).find(({ id }) => id === 'seen')
    await writeFile(join(marks.dataRoot, 'build/cache-mounts', held?.key ?? '', 'data/go'), '')
    await running
    assert.deepEqual(known, [])
    assert.equal(unknown.length, 2)
  })

  describe('its process', () => {
    it('is the user that the image knows, in a directory that is made if need be', async () => {
      const ran = await world.run({
        args: 'id; pwd; echo $HOME $A',
        user: 'www-data',
        cwd: '/new/dir',
        env: ['PATH=/bin', 'A=b'],
      })
      assert.equal(
        ran.out,
        'uid=33(www-data) gid=33(www-data) groups=29(audio),33(www-data)\n/new/dir\n/var/www b\n',
      )
      assert.deepEqual(await world.listing(ran.layer), [
        'directory 0755 0:0 new',
        'directory 0755 0:0 new/dir',
      ])
      await assert.rejects(
        world.run({ args: 'true', user: 'nobody-knows' }),
        /unable to find user nobody-knows/,
      )
    })

    it('is told when there is no such program', async () => {
      await assert.rejects(world.run({ args: ['/no/such', 'x'] }), (error) => {
        const failure = engineErrorOf(error)
        assert.equal(failure?.code, 'BUILD_RUN_FAILED')
        assert.equal(failure.details['exitCode'], 127)
        assert.match(
          failure.message,
          /^process "\/no\/such x" did not complete successfully: .*no such file or directory$/,
        )
        return true
      })
      await assert.rejects(
        world.run({ args: 'true', layers: [] } as never, { layers: [] }),
        /stat \/bin\/sh: no such file/,
      )
    })

    it('has the privileges of run, and no more', async () => {
      const look =
        'grep -e ^Cap -e ^Seccomp: -e ^NoNewPrivs /proc/self/status; ls /sys/firmware | wc -l; touch /proc/sys/kernel/x 2>&1 | wc -l; mount -t tmpfs x /tmp 2>&1 | wc -l'
      const { out } = await world.run({ args: look })
      assert.equal(
        out,
        `CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb
CapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t2\n0\n1\n1\n`,
      )
    })

    it('is privileged with security=insecure alone', async () => {
      const { out } = await world.run({
        args: 'grep ^Seccomp: /proc/self/status; mount -t tmpfs x /tmp && touch /tmp/unseen',
        security: 'insecure',
      })
      assert.equal(out, 'Seccomp:\t0\n')
    })

    it('has the limits of the request', async () => {
      const ulimits = [{ name: 'nofile', soft: 100, hard: 200 }]
      const { out } = await world.run({
        args: 'ulimit -n; df -k /dev/shm | tail -1 | tr -s " " | cut -d " " -f 2',
        limits: { ulimits, shmSize: 1 << 20 },
      })
      assert.equal(out, '100\n1024\n')
    })

    it('that ran out of memory is said to have', async () => {
      const eat = 'a=aaaaaaaaaaaaaaaa; while :; do a=$a$a; done'
      await assert.rejects(
        world.run({ args: eat, limits: { memory: 16 << 20, memorySwap: 16 << 20 } }),
        (error) => {
          assert.match(
            engineErrorOf(error)?.message ?? '',
            /did not complete successfully: cannot allocate memory \(exit code: \d+\)$/,
          )
          return true
        },
      )
    })

    it('is killed with all it has begun when the build is cancelled', async () => {
      const leaving = new AbortController()
      const args = 'sleep 1000 & echo begun; touch /x; wait'
      const running = world.run(
        { args },
        { signal: leaving.signal, onOutput: () => leaving.abort(new Error('left')) },
      )
      await assert.rejects(running, /left/)
    })

    it('is not begun when the build is cancelled before', async () => {
      for (const turns of [0, 1, 5, 20, 60]) {
        const leaving = new AbortController()
        const running = world.run({ args: 'sleep 1000' }, { signal: leaving.signal })
        for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
        leaving.abort(new Error('left'))
        await assert.rejects(running, /left/)
      }
    })

    it('passes on a lot of output, in order', async () => {
      const { out } = await world.run({ args: 'seq 1 200000' })
      assert.equal(out.length, 1_288_895)
      assert.ok(out.endsWith('199999\n200000\n'))
    })
  })

  describe('its network', () => {
    it('leads out by default, with names that do not differ from time to time', async () => {
      const gateway = world.networks.bridge.subnets[0]?.gateway ?? ''
      const extraHosts = ['db:10.1.2.3', 'host:host-gateway']
      const { out } = await world.run({
        args: `ping -c 1 -W 2 ${gateway} | grep -c "1 packets received"; hostname; grep -v : /etc/hosts; cat /etc/hostname`,
        extraHosts,
      })
      assert.equal(
        out,
        `1\nbuildkitsandbox\n127.0.0.1\tlocalhost\n10.1.2.3\tdb\n${gateway}\thost\n127.0.0.1\tbuildkitsandbox\nbuildkitsandbox\n`,
      )
    })

    it('is the loopback alone, or the host', async () => {
      const look =
        'ip -o link | cut -d " " -f 2 | grep -v -e tunl -e gre -e sit -e ip6 -e erspan -e _vti | tr -d "\\n"'
      assert.equal((await world.run({ args: look, network: 'none' })).out, 'lo:')
      assert.equal((await world.run({ args: look, network: 'host' })).out, 'lo:berth0:')
    })
  })

  describe('its layer', () => {
    it('has parents as they are with what has changed in them, and none that were only copied up', async () => {
      const { layer } = await world.run({
        args: 'touch /var/www/page; chmod 0700 /home; touch /usr/bin/x; rm /usr/bin/x',
      })
      assert.deepEqual(await world.listing(layer), [
        'directory 0700 0:0 home',
        'directory 0755 0:0 var',
        'directory 0755 0:0 var/www',
        'file 0644 0:0 var/www/page',
      ])
    })

    it('has whiteouts of what there was, and opaque directories', async () => {
      const base = [
        world.busybox,
        await world.layer(
          member({ path: 'd', type: 'directory' }),
          member({ path: 'd/a' }),
          member({ path: 'd/b' }),
        ),
      ]
      const { layer } = await world.run(
        { args: 'rm /etc/group; rm -r /d; mkdir /d; touch /d/c' },
        { layers: base },
      )
      assert.deepEqual(await world.names(layer), ['d', 'd/.wh..wh..opq', 'd/c', 'etc', 'etc/.wh.group'])
      const after = await world.run({ args: 'ls /d; ls /etc' }, { layers: [...base, layer ?? base[0]!] })
      assert.equal(after.out, 'c\nhostname\nhosts\npasswd\nresolv.conf\n')
    })

    it('keeps links, owners, special modes and attributes', async () => {
      const { layer } = await world.run({
        args: 'echo x > /a; ln /a /b; ln -s a /c; chown 5:6 /a; chmod 4755 /a; mkfifo /p',
      })
      assert.deepEqual(await world.listing(layer), [
        'file 4755 5:6 a',
        'hardlink 4755 5:6 b',
        'symlink 0777 0:0 c',
        'fifo 0644 0:0 p',
      ])
    })

    it('has nothing of the places of mounts', async () => {
      const mounts = [
        { type: 'tmpfs', target: '/new/deep/tmp', size: undefined },
        { type: 'tmpfs', target: '/opt', size: 4096 },
        {
          type: 'secret',
          id: 's',
          target: '/run/secrets/s',
          env: undefined,
          required: true,
          mode: 0o400,
          uid: 0,
          gid: 0,
        },
        { type: 'tmpfs', target: '/link/in', size: undefined },
      ] as const
      const base = [world.busybox, await world.layer(member({ path: 'link', link: '/var/www' }))]
      const options = { layers: base, secrets: { s: 'value' } }
      assert.equal((await world.run({ args: 'touch /opt/x /link/in/y', mounts }, options)).layer, undefined)
      const { layer } = await world.run({ args: 'touch /new/kept /var/www/z', mounts }, options)
      assert.deepEqual(await world.names(layer), ['new', 'new/kept', 'var', 'var/www', 'var/www/z'])
    })

    it('of an image without any directory has none either', async () => {
      const base = [
        await world.layer(
          member({ path: 'bin', type: 'directory' }),
          member({ path: 'bin/sh', mode: 0o755 }, await readFile('/bin/busybox')),
        ),
      ]
      assert.equal((await world.run({ args: 'echo hello' }, { layers: base })).layer, undefined)
      assert.deepEqual(
        await world.names((await world.run({ args: 'echo x > /etc/x' }, { layers: base })).layer),
        ['etc', 'etc/x'],
      )
    })

    it('CVE-2024-23652: a step that puts a symlink where a place was made changes nothing on the host', async () => {
      await using canary = await temporaryDirectory('canary')
      await writeFile(join(canary.path, 'stub'), '')
      const target = `${canary.path.replace('/tmp/', '/sub/')}/stub`
      const mounts = [{ type: 'tmpfs', target, size: undefined }] as const
      const { layer } = await world.run({
        args: `umount ${target}; rm -r /sub; ln -s /tmp /sub`,
        mounts,
        security: 'insecure',
      })
      assert.deepEqual(await world.names(layer), ['sub'])
      assert.equal(await readFile(join(canary.path, 'stub'), 'utf8'), '')
    })
  })

  describe('its binds', () => {
    it('are read-only, or written to for nothing', async () => {
      await using directory = await temporaryDirectory('context')
      await writeFile(join(directory.path, 'file'), 'content')
      const sources = { context: world.directory(directory.path) }
      const bind = { type: 'bind', from: CONTEXT, source: '/', target: '/src' } as const
      const read = await world.run(
        {
          args: 'cat /src/file; touch /src/x 2>&1 | grep -c Read-only',
          mounts: [{ ...bind, readOnly: true }],
        },
        { sources },
      )
      assert.deepEqual([read.out, read.layer], ['content1\n', undefined])
      const written = await world.run(
        {
          args: 'echo more >> /src/file; rm -f /src/none; touch /src/x; cat /src/file',
          mounts: [{ ...bind, readOnly: false }],
        },
        { sources },
      )
      assert.deepEqual([written.out, written.layer], ['contentmore\n', undefined])
      assert.equal(await readFile(join(directory.path, 'file'), 'utf8'), 'content')
      assert.deepEqual(await readdir(directory.path), ['file'])
    })

    it('show a part of a stage, also for writing', async () => {
      const other = await world.layer(
        member({ path: 'a', type: 'directory' }),
        member({ path: 'a/b' }, 'bee'),
      )
      await using files = await world.files([world.busybox, other])
      const sources = { run: files }
      const from = stepOf({ args: 'true' })
      for (const readOnly of [true, false]) {
        const mounts = [
          { type: 'bind', from, source: '/a', target: '/m/dir', readOnly },
          { type: 'bind', from, source: 'a/b', target: '/m/file', readOnly },
        ] as const
        const { out, layer } = await world.run(
          { args: 'cat /m/dir/b /m/file; echo x > /m/file || true; touch /m/dir/c || true', mounts },
          { sources },
        )
        assert.deepEqual([out, layer], ['beebee', undefined])
      }
      const missing = { type: 'bind', from, source: '/none', target: '/m', readOnly: true } as const
      await assert.rejects(world.run({ args: 'true', mounts: [missing] }, { sources }), /"\/none": not found/)
    })

    it('Buildah CVE-2024-9407 and its like: never lead out of what they are from', async () => {
      await using directory = await temporaryDirectory('context')
      await mkdir(join(directory.path, 'in'))
      await symlink('/etc', join(directory.path, 'in/absolute'))
      await symlink('../../../../../../etc', join(directory.path, 'in/relative'))
      const sources = { context: world.directory(join(directory.path, 'in')) }
      for (const source of ['../../etc', '/../etc', 'absolute', 'relative', 'absolute/passwd']) {
        for (const readOnly of [true, false]) {
          const mounts = [{ type: 'bind', from: CONTEXT, source, target: '/m', readOnly }] as const
          await assert.rejects(
            world.run({ args: 'cat /m/shadow /m', mounts }, { sources }),
            /not found|escapes|No such file/,
            source,
          )
        }
      }
    })

    it('at `..` are inside the root filesystem', async () => {
      const mounts = [{ type: 'tmpfs', target: '/../../../m', size: undefined }] as const
      const { out, layer } = await world.run({ args: 'grep -c " /m " /proc/mounts', mounts })
      assert.deepEqual([out, layer], ['1\n', undefined])
    })
  })

  describe('its caches', () => {
    it('keep what a step leaves, with the owner and mode they were made with', async () => {
      const mounts = [cache({ id: 'kept', mode: 0o700, uid: 33, gid: 29 })]
      await world.run({ args: 'echo 1 > /cache/n', mounts, user: 'www-data' })
      const { out, layer } = await world.run({ args: 'cat /cache/n; stat -c "%a %u %g" /cache', mounts })
      assert.deepEqual([out, layer], ['1\n700 33 29\n', undefined])
      const other = await world.run({ args: 'ls /cache', mounts: [cache({ id: 'other' })] })
      assert.equal(other.out, '')
      const readOnly = await world.run({
        args: 'touch /cache/x 2>&1 | grep -c Read-only',
        mounts: [{ ...mounts[0]!, readOnly: true }],
      })
      assert.equal(readOnly.out, '1\n')
    })

    it('begin with files of a stage', async () => {
      const other = await world.layer(
        member({ path: 'a', type: 'directory', mode: 0o711 }),
        member({ path: 'a/b' }, 'bee'),
      )
      await using files = await world.files([other])
      const mounts = [cache({ id: 'filled', from: stepOf({ args: 'true' }), source: '/a' })]
      const sources = { run: files }
      await world.run({ args: 'cat /cache/b; stat -c %a /cache; echo more >> /cache/b', mounts }, { sources })
      assert.equal((await world.run({ args: 'cat /cache/b', mounts }, { sources })).out, 'beemore\n')
      const missing = [cache({ id: 'none', from: stepOf({ args: 'true' }), source: '/none' })]
      await assert.rejects(world.run({ args: 'true', mounts: missing }, { sources }), /"\/none": not found/)
    })

    it('are shared, private or locked', async () => {
      const wait = 'echo $ > /cache/$1; echo up; while ! test -e /cache/go; do sleep 0.02; done'
      const begun = Promise.withResolvers<void>()
      const first = world.run(
        { args: wait, mounts: [cache({ id: 'both' })] },
        { onOutput: () => begun.resolve() },
      )
      await begun.promise
      await world.run({ args: 'touch /cache/go', mounts: [cache({ id: 'both' })] })
      await first

      const alone = Promise.withResolvers<void>()
      const stop = new AbortController()
      const holder = world.run(
        { args: 'touch /cache/mine; echo up; sleep 1000', mounts: [cache({ id: 'one', sharing: 'locked' })] },
        { onOutput: () => alone.resolve(), signal: stop.signal },
      )
      await alone.promise
      const elsewhere = await world.run({
        args: 'ls /cache',
        mounts: [cache({ id: 'one', sharing: 'private' })],
      })
      assert.equal(elsewhere.out, '')
      const impatient = new AbortController()
      const waiting = world.run({
        args: 'ls /cache',
        mounts: [
          cache({ id: 'two', sharing: 'locked' }),
          cache({ id: 'one', sharing: 'private', target: '/b' }),
        ],
      })
      await waiting
      const usage = (await world.caches.list()).filter(({ id }) => id === 'one')
      assert.deepEqual(
        usage.map(({ inUse, uses }) => [inUse, uses]),
        [
          [true, 0],
          [false, 2],
        ],
      )
      await assert.rejects(world.caches.remove(usage[0]!.key), /in use/)
      await world.caches.remove(usage[1]!.key)
      const late = world.run({ args: 'ls /cache', mounts: [cache({ id: 'one', sharing: 'locked' })] })
      const given = world.run(
        { args: 'true', mounts: [cache({ id: 'one', sharing: 'locked' })] },
        { signal: impatient.signal },
      )
      impatient.abort(new Error('no patience'))
      await assert.rejects(given, /no patience/)
      stop.abort(new Error('enough'))
      await assert.rejects(holder, /enough/)
      assert.equal((await late).out, 'mine\n')
      assert.ok((await world.caches.remove(usage[0]!.key)) > 0)
      assert.deepEqual(
        (await world.caches.list()).filter(({ id }) => id === 'one'),
        [],
      )
    })

    it('CVE-2024-23651: nobody gets at the host through a cache that others change meanwhile', async () => {
      await using canary = await temporaryDirectory('canary')
      await writeFile(join(canary.path, 'secret'), 'of the host')
      const stop = new AbortController()
      const begun = Promise.withResolvers<void>()
      const swap = `mkdir -p /cache/sub; echo up; while :; do mv /cache/sub /cache/aside; ln -s ${canary.path} /cache/sub; rm /cache/sub; mv /cache/aside /cache/sub; done`
      const swapping = world.run(
        { args: swap, mounts: [cache({ id: 'swapped' })] },
        { signal: stop.signal, onOutput: () => begun.resolve() },
      )
      await begun.promise
      for (let i = 0; i < 20; i++) {
        const mounts = [cache({ id: 'swapped' }), cache({ id: 'swapped', source: '/sub', target: '/b' })]
        const { out } = await world.run({ args: 'cat /b/secret /cache/sub/secret 2>/dev/null; true', mounts })
        assert.equal(out, '')
      }
      stop.abort(new Error('enough'))
      await assert.rejects(swapping, /enough/)
    })
  })

  describe('its secrets', () => {
    const secret = { type: 'secret', required: false, mode: 0o440, uid: 33, gid: 29 } as const

    it('are files and variables, and nowhere else', async () => {
      const value = `sentinel-${process.pid}-never-seen`
      const mounts = [
        { ...secret, id: 'file', target: '/run/secrets/file', env: undefined },
        { ...secret, id: 'both', target: '/both', env: 'BOTH' },
        { ...secret, id: 'env', target: undefined, env: 'ONLY' },
        { ...secret, id: 'absent', target: '/absent', env: 'ABSENT' },
      ]
      const args =
        'stat -c "%a %u %g" /run/secrets/file; cat /run/secrets/file /both | md5sum; echo $BOTH $ONLY | md5sum; ls /absent; env | grep -c ABSENT; touch /x'
      const ran = await world.run({ args, mounts }, { secrets: { file: value, both: value, env: value } })
      const sums = [`${value}${value}`, `${value} ${value}\n`].map((text) =>
        createHash('md5').update(text).digest('hex'),
      )
      assert.equal(ran.out, `440 33 29\n${sums.map((sum) => `${sum}  -\n`).join('')}0\n`)
      assert.deepEqual(await world.names(ran.layer), ['x'])
      assert.equal(
        spawnSync('grep', ['-r', '-l', value, marks.dataRoot, marks.execRoot]).stdout.toString(),
        '',
      )
    })

    it('that are required have to be there', async () => {
      const mounts = [{ ...secret, id: 'none', target: '/none', env: undefined, required: true }]
      await assert.rejects(world.run({ args: 'true', mounts }), /^EngineError: secret none: not found$/)
      const agent = [
        { type: 'ssh', id: 'default', target: '/agent', required: true, mode: 0o600, uid: 0, gid: 0 },
      ] as const
      await assert.rejects(
        world.run({ args: 'true', mounts: agent }),
        /^EngineError: no SSH key "default" forwarded from the client$/,
      )
    })

    it('of an agent are asked for through a socket of the process’ own', async () => {
      await using directory = await temporaryDirectory('agent')
      const path = join(directory.path, 'agent')
      await using agent = createServer((client) =>
        client.on('data', (data) => client.end(`signed ${data.toString()}`)),
      )
      agent.listen(path)
      await once(agent, 'listening')
      const target = '/run/buildkit/ssh_agent.0'
      const mounts = [
        { type: 'ssh', id: 'default', target, required: true, mode: 0o600, uid: 33, gid: 33 },
        { type: 'ssh', id: 'more', target: '/more', required: false, mode: 0o666, uid: 0, gid: 0 },
        { type: 'tmpfs', target: '/t', size: undefined },
      ] as const
      const args = 'stat -c "%a %u" $SSH_AUTH_SOCK /more; while ! test -e /t/go; do sleep 0.02; done'
      const up = Promise.withResolvers<void>()
      const running = world.run(
        { args, mounts },
        { agents: { default: path, more: path }, onOutput: () => up.resolve() },
      )
      await up.promise
      const inside = await rootOfStep()
      for (const socket of [target, '/more']) {
        const client = connect(join(inside, socket))
        client.write('this')
        assert.equal(await text(client), 'signed this')
      }
      await writeFile(join(inside, 't/go'), '')
      const { out, layer } = await running
      assert.deepEqual([out, layer], ['600 33\n666 0\n', undefined])
    })
  })

  it('shows scripts to a process that may be anybody', async () => {
    const scripts = [{ name: 'EOF', content: '#!/bin/sh\necho script $1\n' }]
    const { out, layer } = await world.run({ args: ['/dev/pipes/EOF', 'ran'], scripts, user: 'nobody' })
    assert.deepEqual([out, layer], ['script ran\n', undefined])
    const hostile = [{ name: '../../../canary', content: 'x' }]
    await assert.rejects(world.run({ args: 'true', scripts: hostile }), /invalid name/)
  })

  it('has filesystems in memory of a size', async () => {
    const mounts = [{ type: 'tmpfs', target: '/t', size: 1 << 20 }] as const
    const { out } = await world.run({ args: 'df -k /t | tail -1 | tr -s " " | cut -d " " -f 2', mounts })
    assert.equal(out, '1024\n')
  })
}

const CONTEXT = { kind: 'context', name: 'context' } as const

function cache(changes: Partial<CacheMount>): CacheMount {
  return {
    type: 'cache',
    id: 'id',
    target: '/cache',
    sharing: 'shared',
    from: undefined,
    source: '/',
    readOnly: false,
    mode: 0o755,
    uid: 0,
    gid: 0,
    ...changes,
  }
}
