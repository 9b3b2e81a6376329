/** Volumes and mounts as people type them: Docker's client and ours, the same lines and the same answers. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { member } from '#test/support/busybox-image.ts'
import { EngineApi } from '#test/support/engine-api.ts'

let api: EngineApi
let scratch: string

before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'berth-volume-cli-'))
  api = await EngineApi.start({}, member({ path: 'seed/file', uid: 33, gid: 33 }, 'seed\n'))
})
after(async () => {
  await api[Symbol.asyncDispose]()
  rmSync(scratch, { recursive: true, force: true })
})
afterEach(async () => {
  await api.daemon.removeAll()
  await api.call('POST', `/volumes/prune?filters=${encodeURIComponent('{"all":["true"]}')}`)
  await api.daemon.assertNoLeaks()
})

const clients =
  spawnSync('docker', ['--version']).status === 0 ? (['docker', 'berth'] as const) : (['berth'] as const)

for (const client of clients) {
  const say = (...args: string[]): string => {
    const { code, stdout, stderr } = api.daemon[client](...args)
    assert.equal(code, 0, `${client} ${args.join(' ')}: ${stderr}`)
    return stdout
  }
  const refused = (...args: string[]): string => {
    const { code, stderr } = api.daemon[client](...args)
    assert.notEqual(code, 0, args.join(' '))
    return stderr
  }
  const run = (...args: string[]): string => say('run', '--rm', ...args)

  describe(`${client} volume`, () => {
    it('create, ls, inspect, rm, prune', () => {
      assert.equal(say('volume', 'create', '--label', 'a=1', 'one'), 'one\n')
      assert.equal(say('volume', 'create', 'two'), 'two\n')
      const anonymous = say('volume', 'create').trim()
      assert.match(anonymous, /^[0-9a-f]{64}$/)
      say('create', '-v', 'two:/v', 'busybox', 'true')
      assert.equal(say('volume', 'ls', '--format', '{{.Driver}} {{.Name}}', '-f', 'label=a=1'), 'local one\n')
      assert.equal(say('volume', 'ls', '-q', '-f', 'dangling=false'), 'two\n')
      assert.deepEqual(
        say('volume', 'ls', '-q', '-f', 'dangling=1').trim().split('\n').toSorted(),
        [anonymous, 'one'].toSorted(),
      )
      assert.equal(say('volume', 'ls', '-q', '-f', 'driver=none'), '')
      assert.equal(
        say('volume', 'inspect', '--format', '{{.Name}} {{.Driver}} {{.Scope}} {{json .Labels}}', 'one'),
        'one local local {"a":"1"}\n',
      )
      assert.match(refused('volume', 'inspect', 'none'), /no such volume/)
      assert.match(refused('volume', 'rm', 'two'), /remove two: volume is in use - \[[0-9a-f]{64}\]/)
      assert.match(refused('volume', 'ls', '-f', 'dangling=maybe'), /invalid filter 'dangling=\[?maybe\]?'/)
      assert.match(say('volume', 'prune', '-f'), new RegExp(`Deleted Volumes:\\n${anonymous}\\n`))
      assert.match(say('volume', 'prune', '-a', '-f', '--filter', 'label!=b'), /Deleted Volumes:\none\n/)
      assert.equal(say('volume', 'ls', '-q'), 'two\n')
      assert.match(refused('volume', 'create', 'a/b'), /includes invalid characters for a local volume name/)
      assert.match(
        refused('volume', 'create', '-d', 'nosuch', 'x1'),
        /error looking up volume plugin nosuch: plugin "nosuch" not found/,
      )
      assert.equal(say('volume', 'rm', '-f', 'none'), 'none\n')
    })

    it('create with options of the local driver', () => {
      say('volume', 'create', '-o', 'type=tmpfs', '-o', 'device=tmpfs', '-o', 'o=size=2m,uid=33', 'memory')
      assert.equal(
        run(
          '-v',
          'memory:/v',
          'busybox',
          'sh',
          '-c',
          'stat -c %u /v; df -k /v | tail -1 | awk "{print \\$2}"',
        ),
        '33\n2048\n',
      )
      assert.match(refused('volume', 'create', '-o', 'x=y', 'bad'), /create bad: invalid option: "x"/)
      const mount = `type=volume,src=opt,dst=/v,volume-driver=local,volume-opt=type=tmpfs,volume-opt=device=tmpfs,volume-label=k=v`
      assert.match(run('--mount', mount, 'busybox', 'grep', ' /v ', '/proc/mounts'), /^tmpfs \/v tmpfs/)
      assert.equal(say('volume', 'inspect', '-f', '{{.Labels.k}} {{.Options.type}}', 'opt'), 'v tmpfs\n')
    })
  })

  describe(`${client} run -v and --mount`, () => {
    it('binds, with their modes', () => {
      const own = join(scratch, `${client}-bind`)
      assert.equal(
        run('-v', `${own}:/b:z,cached`, 'busybox', 'sh', '-c', 'echo made > /b/f; cat /b/f'),
        'made\n',
      )
      assert.equal(readFileSync(join(own, 'f'), 'utf8'), 'made\n')
      assert.match(
        refused('run', '--rm', '-v', `${own}:/b:ro`, 'busybox', 'touch', '/b/x'),
        /Read-only file system/,
      )
      assert.match(
        refused('run', '--rm', '--mount', `type=bind,src=${own},dst=/b,readonly`, 'busybox', 'touch', '/b/x'),
        /Read-only file system/,
      )
      assert.match(
        run(
          '--mount',
          `type=bind,src=${own},dst=/b,bind-propagation=rslave,consistency=cached`,
          'busybox',
          'cat',
          '/b/f',
        ),
        /made/,
      )
      assert.match(
        refused('run', '--rm', '--mount', `type=bind,src=${own}-none,dst=/b`, 'busybox', 'true'),
        /bind source path does not exist/,
      )
      assert.match(
        refused('run', '--rm', '-v', `${own}:/b:sideways`, 'busybox', 'true'),
        /invalid mode: sideways|invalid volume specification/,
      )
      assert.match(
        refused('run', '--rm', '-v', `${own}:b`, 'busybox', 'true'),
        /mount path must be absolute|invalid volume spec/,
      )
      assert.match(
        refused('run', '--rm', '-v', `${own}:/b`, '-v', `${scratch}:/b`, 'busybox', 'true'),
        /Duplicate mount point: \/b/,
      )
    })

    it('volumes: filled, not filled, in part, lent', () => {
      assert.equal(
        run(
          '-v',
          'data:/seed',
          'busybox',
          'sh',
          '-c',
          'stat -c %u /seed/file; mkdir /seed/sub; echo deep > /seed/sub/f',
        ),
        '33\n',
      )
      assert.equal(run('-v', 'plain:/seed:nocopy', 'busybox', 'ls', '/seed'), '')
      assert.equal(run('--mount', 'src=plain2,dst=/seed,volume-nocopy', 'busybox', 'ls', '/seed'), '')
      assert.equal(
        run('--mount', 'type=volume,src=data,dst=/v,volume-subpath=sub', 'busybox', 'cat', '/v/f'),
        'deep\n',
      )
      assert.match(
        refused(
          'run',
          '--rm',
          '--mount',
          'type=volume,src=data,dst=/v,volume-subpath=none',
          'busybox',
          'true',
        ),
        /cannot access path/,
      )
      say('create', '--name', 'donor', '-v', 'data:/data', '-v', '/own', 'busybox', 'true')
      assert.equal(
        run('--volumes-from', 'donor', 'busybox', 'sh', '-c', 'cat /data/sub/f; echo x > /own/y; ls /own'),
        'deep\ny\n',
      )
      assert.match(
        refused('run', '--rm', '--volumes-from', 'donor:ro', 'busybox', 'touch', '/data/x'),
        /Read-only file system/,
      )
      assert.match(
        refused('run', '--rm', '--volumes-from', 'nobody', 'busybox', 'true'),
        /No such container: nobody/,
      )
      // What is lent outlives the borrower, anonymous or not.
      assert.equal(run('--volumes-from', 'donor', 'busybox', 'ls', '/own'), 'y\n')
    })

    it('tmpfs and a read-only root', () => {
      const shown = run(
        '--read-only',
        '--tmpfs',
        '/t:size=1m,mode=1700',
        '--mount',
        'type=tmpfs,dst=/m,tmpfs-size=2m,tmpfs-mode=0711',
        'busybox',
        'sh',
        '-c',
        'touch /x 2>/dev/null || echo no; touch /t/x /m/x; stat -c "%a" /t /m; df -k /t /m | awk "NR > 1 {print \\$2}"',
      )
      assert.equal(shown, 'no\n1700\n711\n1024\n2048\n')
      assert.equal(run('--read-only', '-v', 'rw:/v', 'busybox', 'sh', '-c', 'touch /v/x && ls /v'), 'x\n')
    })

    it('anonymous volumes go with --rm and rm -v, and not without', () => {
      run('-v', '/a', 'busybox', 'touch', '/a/x')
      assert.equal(say('volume', 'ls', '-q'), '')
      const kept = say('create', '-v', '/a', '-v', 'named:/n', 'busybox', 'true').trim()
      say('rm', kept)
      assert.equal(say('volume', 'ls', '-q').trim().split('\n').length, 2)
      const gone = say('create', '-v', '/a', '-v', 'named:/n', 'busybox', 'true').trim()
      say('rm', '-v', gone)
      assert.equal(say('volume', 'ls', '-q').trim().split('\n').length, 2)
      assert.ok(say('volume', 'ls', '-q').includes('named'))
    })
  })
}

describe('an image as a mount', () => {
  it('whole and in part, with the client that knows it', () => {
    const run = (...args: string[]) => api.daemon.berth('run', '--rm', ...args)
    assert.equal(
      run('--mount', 'type=image,src=busybox,dst=/i', 'busybox', 'cat', '/i/seed/file').stdout,
      'seed\n',
    )
    assert.equal(
      run('--mount', 'type=image,src=busybox,dst=/i,image-subpath=seed', 'busybox', 'cat', '/i/file').stdout,
      'seed\n',
    )
    assert.match(
      run('--mount', 'type=image,src=busybox,dst=/i', 'busybox', 'touch', '/i/x').stderr,
      /Read-only file system/,
    )
  })
})

describe('what is ours', () => {
  const berth = (...args: string[]): string => {
    const { code, stdout, stderr } = api.daemon.berth(...args)
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
    return stdout
  }

  it('volume rename, clone, export, import', () => {
    berth('run', '--rm', '-v', 'one:/v', 'busybox', 'sh', '-c', 'echo kept > /v/f')
    berth('volume', 'rename', 'one', 'two')
    assert.equal(berth('volume', 'clone', '--label', 'l=1', 'two', 'three'), 'three\n')
    assert.equal(berth('volume', 'inspect', '-f', '{{.Labels.l}} {{.Berth.ClonedFrom}}', 'three'), '1 two\n')
    const file = join(scratch, 'three.tar')
    berth('volume', 'export', '-o', file, 'three')
    assert.equal(berth('volume', 'import', 'four', file), 'four\n')
    assert.equal(berth('run', '--rm', '-v', 'four:/v', 'busybox', 'cat', '/v/f'), 'kept\n')
    const again = api.daemon.berth('volume', 'import', 'four', file)
    assert.notEqual(again.code, 0)
    assert.match(again.stderr, /create four: a volume of this name exists already/)
  })

  it('idmap=host', () => {
    const own = join(scratch, 'mapped')
    mkdirSync(own)
    chownSync(own, 4711, 4712)
    berth('run', '--rm', '--mount', `type=bind,src=${own},dst=/b,idmap=host`, 'busybox', 'touch', '/b/f')
    const { uid, gid } = statSync(join(own, 'f'))
    assert.deepEqual([uid, gid], [4711, 4712])
    writeFileSync(join(own, 'plain'), '')
    assert.ok(existsSync(join(own, 'plain')))
  })
})
