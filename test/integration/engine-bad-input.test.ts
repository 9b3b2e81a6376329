/** What people get wrong: each is refused in Docker's words, and nothing has changed afterwards. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { member, tarOf } from '#test/support/busybox-image.ts'
import { NODE, type Result } from '#test/support/daemon.ts'
import { EngineApi, exec } from '#test/support/engine-api.ts'
import { observe } from '#test/support/leak-check.ts'

const FOREVER = 'trap "exit 0" TERM; while :; do sleep 0.05; done'

describe('on an engine at work', () => {
  let api: EngineApi
  before(async () => {
    api = await EngineApi.start()
    await api.started(
      { Cmd: FOREVER, HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } } },
      'there-before',
    )
  })
  after(() => api[Symbol.asyncDispose]())

  /** Everything that can be seen of the engine: by its clients, on disk and in the kernel. */
  async function world(): Promise<object> {
    const texts = await Promise.all(
      ['/containers/json?all=1', '/images/json?all=1', '/volumes', '/networks'].map(async (path) => {
        const { text } = await api.call('GET', path)
        return text.replace(/"Status":"Up [^"]*"/g, '')
      }),
    )
    const { dataRoot } = api.daemon.marks
    const files = readdirSync(dataRoot, { recursive: true, encoding: 'utf8' })
    return { texts, files: files.toSorted((a, b) => a.localeCompare(b)), kernel: observe(api.daemon.marks) }
  }

  async function unchanged(work: () => Promise<void>): Promise<void> {
    const before = await world()
    await work()
    await api.daemon.assertNoLeaks()
    assert.deepEqual(await world(), before)
  }

  function create(body: object, status: number, query = ''): Promise<string> {
    return api.refused(status, 'POST', `/containers/create${query}`, {
      Image: 'busybox',
      Cmd: ['true'],
      ...body,
    })
  }

  /** Created, refused at the start, removed. Docker keeps the container for a look at it. */
  async function refusedStart(body: object, status: number): Promise<string> {
    const id = await api.create({ Cmd: ['true'], ...body })
    const message = await api.refused(status, 'POST', `/containers/${id}/start`)
    const { State } = await api.inspect(id)
    assert.equal(State.Status, 'created')
    assert.notEqual(State.Error, '')
    await api.remove(id)
    return message
  }

  function cli(...args: string[]): Result {
    return api.daemon.berth(...args)
  }

  it('an image that is not there', async () => {
    await unchanged(async () => {
      assert.equal(await create({ Image: 'no-such-image' }, 404), 'No such image: no-such-image:latest')
      assert.match(await create({ Image: 'Not/A/Name' }, 400), /invalid reference format/)
      assert.match(await create({ Image: '' }, 400), /repository name must have at least one component/)
      assert.match(
        await api.refused(404, 'GET', '/images/no-such-image/json'),
        /No such image: no-such-image/,
      )
      assert.match(
        await api.refused(404, 'DELETE', '/images/no-such-image'),
        /No such image: no-such-image:latest/,
      )
    })
  })

  it('a name that is taken', async () => {
    await unchanged(async () => {
      assert.match(
        await create({}, 409, '?name=there-before'),
        /^Conflict\. The container name "\/there-before" is already in use by container "[0-9a-f]{64}"/,
      )
      const { code, stderr } = cli('run', '--name', 'there-before', 'busybox', 'true')
      assert.equal(code, 125)
      assert.match(stderr, /Conflict\. The container name/)
    })
  })

  it('a port that another container has', async () => {
    await unchanged(async () => {
      const PortBindings = { '80/tcp': [{ HostPort: '8080' }] }
      assert.match(
        await refusedStart({ HostConfig: { PortBindings } }, 500),
        /Bind for (0\.0\.0\.0|\[::\]|:::?):8080 failed: port is already allocated/,
      )
    })
  })

  it('a port that somebody else has', async () => {
    await using foreign = await listener(8081)
    assert.ok(foreign.pid > 0)
    await unchanged(async () => {
      const PortBindings = { '80/tcp': [{ HostPort: '8081' }] }
      assert.match(
        await refusedStart({ HostConfig: { PortBindings } }, 500),
        /failed to bind host port for 0\.0\.0\.0:8081:[0-9.]+:80\/tcp: address already in use/,
      )
    })
  })

  it('a port that is none', async () => {
    await unchanged(async () => {
      const port = (HostPort: string, exposed = '80/tcp'): object => ({
        HostConfig: { PortBindings: { [exposed]: [{ HostPort }] } },
      })
      assert.match(await create(port('http'), 400), /invalid port specification: "http"/)
      assert.match(await create(port('70000'), 400), /invalid port specification: "70000"/)
      assert.match(await create(port('80', '0/tcp'), 400), /invalid/)
      assert.match(await create(port('80', '80/nope'), 400), /invalid proto/)
      for (const text of ['99999:80', 'x:80', '1:2:3:4:5']) {
        const { code, stderr } = cli('run', '-p', text, 'busybox', 'true')
        assert.equal(code, 125, text)
        assert.match(stderr, /invalid|Invalid/, text)
      }
    })
  })

  it('a flag that is none', async () => {
    await unchanged(async () => {
      const { code, stderr } = cli('run', '--no-such-flag', 'busybox', 'true')
      assert.equal(code, 125)
      assert.match(stderr, /unknown flag: --no-such-flag/)
      assert.match(stderr, /--help/)
      assert.equal(cli('ps', '--no-such-flag').code, 125)
      assert.equal(cli('no-such-command').code, 1)
    })
  })

  it('a file in the place of a directory, and a directory in that of a file', async () => {
    await unchanged(async () => {
      for (const bind of ['/etc/passwd:/root', '/etc/passwd:/etc', '/etc:/bin/busybox']) {
        assert.match(
          await refusedStart({ HostConfig: { Binds: [bind] } }, 400),
          /: not a directory: unknown: Are you trying to mount a directory onto a file \(or vice-versa\)\? Check if the specified host path exists and is the expected type$/,
        )
      }
    })
  })

  it('a command that is not there, or is none', async () => {
    await unchanged(async () => {
      assert.match(
        await refusedStart({ Cmd: ['nope'] }, 400),
        /exec: "nope": executable file not found in \$PATH/,
      )
      assert.match(
        await refusedStart({ Cmd: ['/etc/passwd'] }, 400),
        /exec: "\/etc\/passwd": permission denied/,
      )
      const missing = cli('run', '--rm', 'busybox', 'nope')
      assert.equal(missing.code, 127)
      assert.match(missing.stderr, /executable file not found in \$PATH/)
      assert.equal(cli('run', '--rm', 'busybox', '/etc/passwd').code, 126)
      assert.equal(cli('run', '--rm', 'busybox', '/etc').code, 126)
      assert.match(await create({ Cmd: [] }, 400), /no command specified/)
    })
  })

  it('a user that is not there', async () => {
    await unchanged(async () => {
      assert.match(
        await refusedStart({ User: 'nobody-knows' }, 400),
        /unable to find user nobody-knows: no matching entries in passwd file/,
      )
      assert.match(
        await refusedStart({ User: 'root:nobody-knows' }, 400),
        /unable to find group nobody-knows: no matching entries in group file/,
      )
      assert.match(await create({ User: '4294967296' }, 400), /uids and gids must be in range 0-2147483647/)
      assert.equal(cli('run', '--rm', '-u', 'nobody-knows', 'busybox', 'true').code, 125)
    })
  })

  it('a source of a bind that is missing', async () => {
    await unchanged(async () => {
      const Mounts = [{ Type: 'bind', Source: '/no/such/place', Target: '/x' }]
      assert.equal(
        await create({ HostConfig: { Mounts } }, 400),
        'invalid mount config for type "bind": bind source path does not exist: /no/such/place',
      )
      const { code, stderr } = cli(
        'run',
        '--mount',
        'type=bind,source=/no/such/place,target=/x',
        'busybox',
        'true',
      )
      assert.equal(code, 125)
      assert.match(stderr, /bind source path does not exist: \/no\/such\/place/)
    })
  })

  it('a source of a bind that goes away before the start', async () => {
    const source = mkdtempSync(join(tmpdir(), 'berth-bind-'))
    await unchanged(async () => {
      const id = await api.create({ Cmd: 'true', HostConfig: { Binds: [`${source}:/x`] } })
      rmSync(source, { recursive: true })
      const answer = await api.daemon.call('POST', `/containers/${id}/start`)
      assert.ok(answer.status >= 400, answer.text)
      assert.match(answer.text, /no such file or directory/i)
      await api.remove(id)
    })
  })

  it('a body that is none', async () => {
    await unchanged(async () => {
      assert.match(await create({ HostConfig: 'text' }, 400), /HostConfig|cannot unmarshal|invalid/)
      assert.match(await create({ Cmd: { a: 1 } }, 400), /Cmd|invalid/)
      const broken = await api.daemon.call('POST', '/containers/create', Buffer.from('{"Image": '))
      assert.ok(broken.status >= 400 && broken.status < 500, broken.text)
    })
  })

  it('an archive that is none, or is damaged, or is cut off', async () => {
    const { bytes: saved } = await api.call('GET', '/images/busybox/get')
    const good = await tarOf(member({ path: 'file' }, Buffer.alloc(100_000, 'x')))
    const damaged = Buffer.from(good)
    damaged.fill(0xff, 100, 200)
    await unchanged(async () => {
      for (const tar of [
        Buffer.from('this is no archive'),
        damaged,
        good.subarray(0, 50_000),
        good.subarray(0, 700),
      ]) {
        await fails('/images/create?fromSrc=-&repo=broken', tar)
      }
      await fails('/images/load', Buffer.from('this is no archive'))
      await fails('/images/load', await tarOf(member({ path: 'manifest.json' }, 'not json')))
      await fails(
        '/images/load',
        await tarOf(member({ path: 'manifest.json' }, '[{"Config":"../../etc/passwd","Layers":[]}]')),
      )
      for (const part of [0.05, 0.4, 0.8, 0.97]) {
        await fails('/images/load', saved.subarray(0, Math.floor((saved.length * part) / 512) * 512))
      }
    })

    async function fails(path: string, tar: Uint8Array): Promise<void> {
      const { status, text } = await api.daemon.call('POST', path, tar)
      assert.ok(status >= 400 || text.includes('"errorDetail"'), `${path}: ${status} ${text}`)
    }
  })

  it('an archive to be copied that is none', async () => {
    const answer = await api.daemon.call(
      'PUT',
      '/containers/there-before/archive?path=/tmp',
      Buffer.from('no archive'),
    )
    assert.ok(answer.status >= 400, answer.text)
    assert.match(
      await api.refused(404, 'GET', '/containers/there-before/archive?path=/nope'),
      /Could not find the file \/nope in container there-before/,
    )
    assert.match(
      await api.refused(404, 'PUT', '/containers/there-before/archive?path=/nope', await tarOf()),
      /Could not find the file \/nope in container there-before/,
    )
    assert.match(
      await api.refused(400, 'PUT', '/containers/there-before/archive?path=/etc/passwd', await tarOf()),
      /extraction point is not a directory/,
    )
  })

  it('an id that leads out of its directory (moby 4f84bcb)', async () => {
    await unchanged(async () => {
      for (const id of ['..%2f..%2fetc', '%2e%2e', 'a%00b', 'x'.repeat(3000)]) {
        for (const path of [
          `/containers/${id}/json`,
          `/exec/${id}/json`,
          `/images/${id}/json`,
          `/volumes/${id}`,
          `/networks/${id}`,
        ]) {
          const { status } = await api.daemon.call('GET', path)
          assert.ok(status >= 400 && status < 500, `${path.slice(0, 60)}: ${status}`)
        }
      }
    })
  })

  interface Listener extends AsyncDisposable {
    readonly pid: number
  }

  /** Somebody on the host, which is the daemon's network namespace, who listens on a port. */
  async function listener(port: number): Promise<Listener> {
    const program = `require('net').createServer().listen(${port}, '0.0.0.0', () => console.log('listening'))`
    const child: ChildProcess = spawn(
      'nsenter',
      [`--net=/run/netns/${api.daemon.marks.netns}`, NODE, '-e', program],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    assert.ok(child.stdout !== null)
    await once(child.stdout, 'data')
    return {
      pid: child.pid ?? 0,
      async [Symbol.asyncDispose]() {
        child.kill('SIGKILL')
        await once(child, 'exit')
      },
    }
  }
})

const noLoop = spawnSync('losetup', ['--find']).status !== 0 && 'there is no free loop device'

describe('on a disk that is full', { skip: noLoop }, () => {
  let directory: string
  let api: EngineApi
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'berth-full-'))
    const [disk, place] = [join(directory, 'disk'), join(directory, 'mnt')]
    writeFileSync(disk, '')
    truncateSync(disk, 96 << 20)
    execFileSync('mkfs.ext4', ['-q', '-m', '0', disk])
    mkdirSync(place)
    execFileSync('mount', ['-o', 'loop', disk, place])
    api = await EngineApi.start({ dataRoot: join(place, 'data') })
  })
  after(async () => {
    await api[Symbol.asyncDispose]()
    execFileSync('umount', [join(directory, 'mnt')])
    rmSync(directory, { recursive: true, force: true })
  })

  it('looking, ending and removing work; making fails and leaves nothing', async () => {
    const filler = await api.started(
      {
        Cmd: 'echo begun; dd if=/dev/zero of=/fill bs=64k; dd if=/dev/zero of=/fill2 bs=1; touch /dev/shm/full; exec sleep 1000',
      },
      'filler',
    )
    const other = await api.started({ Cmd: FOREVER }, 'other')
    // The probe takes what it is given: written anew, it would find its own room again.
    await api.until(
      'the disk to be full',
      async () =>
        (await exec(api, filler, 'test -e /dev/shm/full')).code === 0 &&
        (await exec(api, other, '! dd if=/dev/zero bs=4k count=1 >>/probe')).code === 0,
    )

    const images = (await api.call('GET', '/images/json')).text
    const imported = await api.daemon.call(
      'POST',
      '/images/create?fromSrc=-&repo=big',
      await tarOf(member({ path: 'x' }, Buffer.alloc(8 << 20, 'x'))),
    )
    assert.match(imported.text, /no space left on device/i)
    const created = await api.daemon.call('POST', '/containers/create', {
      Image: 'busybox',
      Cmd: ['true'],
      Volumes: { '/v': {} },
    })
    if (created.status !== 201)
      assert.match(created.text, /no space left on device|database or disk is full/i)
    else await api.remove(created.json<{ Id: string }>().Id)
    assert.equal((await api.call('GET', '/images/json')).text, images)
    assert.equal((await api.inspect('other')).State.Status, 'running')

    // The state of a container that ends is true even when it cannot be written down at once.
    await api.daemon.call('POST', `/containers/${other}/kill`)
    await api.until('the end', async () => (await api.inspect(other)).State.Status === 'exited')
    assert.equal((await api.inspect(other)).State.ExitCode, 137)
    await api.call('DELETE', '/containers/filler?force=1', undefined, 204)
    assert.equal((await api.once({ Cmd: 'echo works again' })).out, 'works again\n')
  })

  it('a daemon that is killed comes up again', async () => {
    const filler = await api.started(
      { Cmd: 'dd if=/dev/zero of=/fill bs=64k; touch /dev/shm/full; exec sleep 1000' },
      'filler2',
    )
    await api.until(
      'the disk to be full',
      async () => (await exec(api, filler, 'test -e /dev/shm/full')).code === 0,
    )
    await api.daemon.down('SIGKILL')
    await api.daemon.up()
    assert.equal((await api.inspect(filler)).State.Status, 'running')
    await api.remove(filler)
    assert.equal((await api.once({ Cmd: 'echo works again' })).out, 'works again\n')
  })
})
