/** Volumes and mounts on a real kernel: every kind of source, their lives, and what must not get through them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { member, tarOf } from '#test/support/busybox-image.ts'
import { EngineApi, exec } from '#test/support/engine-api.ts'

let api: EngineApi
let scratch: string

const FOREVER = 'trap "exit 0" TERM; while :; do sleep 0.05; done'

before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'berth-volumes-'))
  const shared = place('shared')
  execFileSync('mount', ['--bind', shared, shared])
  execFileSync('mount', ['--make-shared', shared])
  // Before the engine: where the host's root does not propagate, it sees no later mount.
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', place('recursive/below')])
  api = await EngineApi.start(
    {},
    member({ path: 'seed', type: 'directory', uid: 33, gid: 33, mode: 0o750 }),
    member({ path: 'seed/file', uid: 33, gid: 33, mode: 0o640 }, 'from the image\n'),
    member({ path: 'seed/out', link: '/etc' }),
  )
})
after(async () => {
  try {
    await api?.[Symbol.asyncDispose]()
  } finally {
    execFileSync('umount', [join(scratch, 'recursive/below')])
    execFileSync('umount', [join(scratch, 'shared')])
    rmSync(scratch, { recursive: true, force: true })
  }
})
afterEach(async () => {
  await api.daemon.removeAll()
  await api.call('POST', `/volumes/prune?filters=${encodeURIComponent('{"all":["true"]}')}`)
  await api.daemon.assertNoLeaks()
  assert.deepEqual(mountsOfHelper(), [])
})

/** Volumes that the engine has mounted where only it sees them. */
function mountsOfHelper(): string[] {
  const { execRoot } = api.daemon.marks
  const helper = readdirSync('/proc').find(
    (pid) => /^\d+$/.test(pid) && commandOf(pid).includes(`berth-helper\0${execRoot}\0`),
  )
  assert.ok(helper !== undefined)
  const mounts = readFileSync(`/proc/${helper}/mountinfo`, 'utf8').split('\n')
  return mounts.filter((line) => line.includes(`${execRoot}/mnt/volumes/`))
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return '' // ended meanwhile
  }
}

const mounted = (...Mounts: readonly object[]) => ({ HostConfig: { Mounts } })
const volume = (Source: string, Target = '/v', more: object = {}) => ({
  Type: 'volume',
  Source,
  Target,
  ...more,
})
const bind = (Source: string, Target = '/b', more: object = {}) => ({ Type: 'bind', Source, Target, ...more })

async function create(Name: string, more: object = {}): Promise<string> {
  const answer = await api.call('POST', '/volumes/create', { Name, ...more }, 201)
  return answer.json<{ Mountpoint: string }>().Mountpoint
}

async function out(wanted: Parameters<EngineApi['run']>[0]): Promise<string> {
  const ran = await api.run(wanted)
  assert.equal(ran.code, 0, ran.err)
  return ran.out
}

function place(name: string): string {
  const path = join(scratch, name)
  mkdirSync(path, { recursive: true })
  return path
}

describe('copying into an empty volume', () => {
  it('keeps owners, happens once, and not where it is not wanted', async () => {
    assert.match(
      await out({
        ...mounted(volume('first', '/seed')),
        Cmd: 'stat -c "%u %g %a" /seed /seed/file; cat /seed/file',
      }),
      /^33 33 750\n33 33 640\nfrom the image\n$/,
    )
    await out({ ...mounted(volume('first', '/seed')), Cmd: 'rm /seed/file' })
    assert.equal(await out({ ...mounted(volume('first', '/seed')), Cmd: 'ls /seed' }), 'out\n')
    const nocopy = volume('other', '/seed', { VolumeOptions: { NoCopy: true } })
    assert.equal(await out({ ...mounted(nocopy), Cmd: 'ls -A /seed' }), '')
    // An emptied volume is empty: it may be filled again, as with Docker, but one in use is not.
    assert.equal(await out({ ...mounted(bind(place('empty'), '/seed')), Cmd: 'ls -A /seed' }), '')
  })
})

describe('a part of a volume', () => {
  it('is mounted alone, and must be there', async () => {
    await out({
      ...mounted(volume('data')),
      Cmd: 'mkdir -p /v/a/b && echo deep > /v/a/b/f && echo no > /v/secret; ln -s a/b /v/inside',
    })
    const part = (Subpath: string) => mounted(volume('data', '/p', { VolumeOptions: { Subpath } }))
    assert.equal(await out({ ...part('a/b'), Cmd: 'cat /p/f; ls /p; echo more > /p/g' }), 'deep\nf\n')
    assert.equal(await out({ ...part('a/b/f'), Cmd: 'cat /p' }), 'deep\n')
    assert.equal(await out({ ...part('inside'), Cmd: 'cat /p/g' }), 'more\n')
    const id = await api.create({ ...part('nowhere'), Cmd: 'true' })
    assert.match(
      await api.refused(404, 'POST', `/containers/${id}/start`),
      /^cannot access path (.*nowhere): lstat \1: no such file or directory$/,
    )
  })

  it('gets what the image has at its place, while it is empty', async () => {
    await out({ ...mounted(volume('parts')), Cmd: 'mkdir /v/bin /v/full; echo mine > /v/full/f' })
    const part = (Subpath: string) => mounted(volume('parts', '/bin', { VolumeOptions: { Subpath } }))
    assert.equal(await out({ ...part('bin'), Cmd: 'ls /bin/busybox' }), '/bin/busybox\n')
    assert.equal(
      await out({ ...mounted(volume('parts')), Cmd: 'ls -d /v/full/* /v/bin/busybox' }),
      '/v/bin/busybox\n/v/full/f\n',
    )
    await api.create({ ...part('full'), Cmd: 'true' })
    assert.equal(await out({ ...mounted(volume('parts')), Cmd: 'ls /v/full' }), 'f\n')
  })

  it('does not lead out of it: .., an absolute path (CVE-2024-23651-class)', async () => {
    for (const Subpath of ['../x', '/etc', 'a/../../b']) {
      const body = {
        Image: 'busybox',
        Cmd: ['true'],
        ...mounted(volume('data', '/p', { VolumeOptions: { Subpath } })),
      }
      assert.match(
        await api.refused(400, 'POST', '/containers/create', body),
        /subpath must be a relative path within the volume/,
      )
    }
  })

  it('does not lead out through symlinks (CVE-2023-0778, CVE-2024-23652-class)', async () => {
    await out({
      ...mounted(volume('data')),
      Cmd: 'ln -s / /v/root; ln -s ../../.. /v/up; mkdir /v/d; ln -s /etc /v/d/abs',
    })
    for (const Subpath of ['root', 'root/etc', 'up', 'd/abs', 'd/abs/passwd']) {
      const id = await api.create({
        ...mounted(volume('data', '/p', { VolumeOptions: { Subpath } })),
        Cmd: 'ls /p',
      })
      assert.match(
        await api.refused(400, 'POST', `/containers/${id}/start`),
        /^path concatenation escapes the base directory/,
      )
    }
  })

  it('does not lead out while somebody exchanges it for a symlink (CVE-2024-23651-class)', async () => {
    const canary = place('canary')
    writeFileSync(join(canary, 'host'), 'of the host')
    await out({
      ...mounted(volume('race')),
      Cmd: `mkdir /v/dir; ln -s ${canary} /v/link; echo own > /v/dir/f`,
    })
    const script = 'cd /v; while :; do mv dir t; mv link dir; mv dir link; mv t dir; done'
    await api.started({ ...mounted(volume('race')), Cmd: script })
    for (let i = 0; i < 15; i++) {
      const id = await api.create({
        ...mounted(volume('race', '/p', { VolumeOptions: { Subpath: 'dir' } })),
        Cmd: 'ls /p; touch /p/made',
      })
      const { status } = await api.daemon.call('POST', `/containers/${id}/start`)
      if (status !== 204) continue
      await api.wait(id)
      assert.doesNotMatch((await api.logs(id)).out, /host/)
    }
    assert.ok(!existsSync(join(canary, 'made')))
  })
})

describe('an image as a mount', () => {
  it('is read-only, also in part, and cannot be removed meanwhile', async () => {
    const image = (more: object = {}) => mounted({ Type: 'image', Source: 'busybox', Target: '/i', ...more })
    const tried = 'cat /i/seed/file; touch /i/x 2>/dev/null || echo refused'
    assert.equal(await out({ ...image(), Cmd: tried }), 'from the image\nrefused\n')
    const part = image({ ImageOptions: { Subpath: 'seed' } })
    assert.equal(await out({ ...part, Cmd: 'cat /i/file' }), 'from the image\n')
    assert.equal(
      await out({ ...image({ ImageOptions: { Subpath: 'seed/file' } }), Cmd: 'cat /i' }),
      'from the image\n',
    )
    const escaping = await api.create({ ...image({ ImageOptions: { Subpath: 'seed/out' } }), Cmd: 'ls /i' })
    assert.match(
      await api.refused(400, 'POST', `/containers/${escaping}/start`),
      /escapes the base directory/,
    )
    const missing = {
      Image: 'busybox',
      Cmd: ['true'],
      ...mounted({ Type: 'image', Source: 'nowhere', Target: '/i' }),
    }
    assert.match(await api.refused(400, 'POST', '/containers/create', missing), /No such image: nowhere/)
    const { Mounts } = (await api.inspect(await api.create({ ...image(), Cmd: 'true' }))) as {
      Mounts?: { Type: string; RW: boolean }[]
    }
    assert.deepEqual([Mounts?.[0]?.Type, Mounts?.[0]?.RW], ['image', false])
  })
})

describe('binds', () => {
  it('a file read-only', async () => {
    const file = join(place('files'), 'one')
    writeFileSync(file, 'content')
    const ran = await api.run({
      ...mounted(bind(file, '/one', { ReadOnly: true })),
      Cmd: 'cat /one; echo more >> /one',
    })
    assert.equal(ran.out, 'content')
    assert.match(ran.err, /Read-only file system/)
  })

  it('read-only goes for everything below, unless it is said otherwise', async () => {
    const top = place('recursive')
    const tried = 'touch /b/x 2>/dev/null || echo no; touch /b/below/x 2>/dev/null || echo no'
    const options = (BindOptions: object) => mounted(bind(top, '/b', { ReadOnly: true, BindOptions }))
    assert.equal(await out({ ...options({}), Cmd: tried }), 'no\nno\n')
    assert.equal(
      await out({ ...options({ ReadOnlyForceRecursive: true, Propagation: 'rprivate' }), Cmd: tried }),
      'no\nno\n',
    )
    assert.equal(await out({ ...options({ ReadOnlyNonRecursive: true }), Cmd: tried }), 'no\n')
    assert.equal(await out({ ...options({ NonRecursive: true }), Cmd: 'ls -A /b/below' }), '')
  })

  it('hear of mounts as their propagation says, and tell of them when they are shared', async () => {
    const shared = join(scratch, 'shared')
    const with_ = (Propagation: string) => ({
      HostConfig: { Privileged: true, Mounts: [bind(shared, '/b', { BindOptions: { Propagation } })] },
    })
    const deaf = await api.started({ ...with_('rprivate'), Cmd: FOREVER })
    const slave = await api.started({ ...with_('rslave'), Cmd: FOREVER })
    const peer = await api.started({ ...with_('rshared'), Cmd: FOREVER })
    const below = place('shared/of-host')
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', below])
    writeFileSync(join(below, 'seen'), '')
    const seen = async (id: string) => (await exec(api, id, 'ls /b/of-host')).out
    assert.deepEqual([await seen(deaf), await seen(slave), await seen(peer)], ['', 'seen\n', 'seen\n'])
    await exec(api, peer, 'mkdir /b/of-peer; mount -t tmpfs tmpfs /b/of-peer; touch /b/of-peer/told')
    assert.ok(existsSync(join(shared, 'of-peer/told')))
    await exec(api, slave, 'mkdir /b/of-slave; mount -t tmpfs tmpfs /b/of-slave; touch /b/of-slave/told')
    assert.ok(!existsSync(join(shared, 'of-slave/told')))
    await exec(api, peer, 'umount /b/of-peer')
    execFileSync('umount', [below])
  })

  it('follow what was made shared after the engine began', async () => {
    const late = place('late')
    const below = place('late/of-host')
    // Out of every group that was there before, and into one of its own.
    execFileSync('mount', ['--bind', late, late])
    execFileSync('mount', ['--make-private', late])
    execFileSync('mount', ['--make-shared', late])
    const options = { BindOptions: { Propagation: 'slave' } }
    const id = await api.started({ ...mounted(bind(late, '/b', options)), Cmd: FOREVER })
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', below])
    writeFileSync(join(below, 'seen'), '')
    assert.equal((await exec(api, id, 'ls /b/of-host')).out, 'seen\n')
    execFileSync('umount', [below])
    assert.equal((await exec(api, id, 'ls /b/of-host')).out, '')
    await api.remove(id)
    execFileSync('umount', [late])
  })

  it('with idmap=host give what the container makes to the owner of the source', async () => {
    const own = place('own')
    chownSync(own, 4711, 4712)
    writeFileSync(join(own, 'given'), 'x')
    chownSync(join(own, 'given'), 4711, 4712)
    const mapped = mounted(bind(own, '/b', { BindOptions: { IDMap: 'host' } }))
    assert.equal(await out({ ...mapped, Cmd: 'stat -c "%u %g" /b /b/given; touch /b/root' }), '0 0\n0 0\n')
    await out({ ...mapped, User: '1000:1000', Cmd: 'stat -c "%u" /b/given; touch /b/user' })
    for (const name of ['root', 'user']) {
      const { uid, gid } = statSync(join(own, name))
      assert.deepEqual([name, uid, gid], [name, 4711, 4712])
    }
    // What belonged to root before is nobody's, so that nothing of root's can be made or changed through the mount.
    writeFileSync(join(own, 'of-root'), 'x')
    assert.equal(await out({ ...mapped, Cmd: 'stat -c "%u" /b/of-root' }), '65534\n')
    const body = {
      Image: 'busybox',
      Cmd: ['true'],
      ...mounted(bind(own, '/b', { BindOptions: { IDMap: 'root' } })),
    }
    assert.match(await api.refused(400, 'POST', '/containers/create', body), /invalid idmap "root"/)
  })

  it('refuse a source that is missing or relative, and make it for -v and bind-create-src', async () => {
    const missing = join(scratch, 'missing')
    const body = { Image: 'busybox', Cmd: ['true'], ...mounted(bind(missing)) }
    assert.match(
      await api.refused(400, 'POST', '/containers/create', body),
      /invalid mount config for type "bind": bind source path does not exist: /,
    )
    const relative = { Image: 'busybox', Cmd: ['true'], ...mounted(bind('some/where')) }
    assert.match(
      await api.refused(400, 'POST', '/containers/create', relative),
      /mount path must be absolute/,
    )
    assert.ok(!existsSync(missing))
    await api.create({
      ...mounted(bind(missing, '/b', { BindOptions: { CreateMountpoint: true } })),
      Cmd: 'true',
    })
    assert.ok(existsSync(missing))
  })
})

describe('copies out of and into a container that does not run', () => {
  it('see what it would mount: parts of volumes, images, and volumes with options', async () => {
    const elsewhere = place('copied')
    await create('bound', { DriverOpts: { type: 'none', o: 'bind', device: elsewhere } })
    await out({ ...mounted(volume('data')), Cmd: 'mkdir /v/in; echo deep > /v/in/f; ln -s /etc /v/out' })
    const Mounts = [
      volume('bound', '/bound'),
      volume('data', '/part', { VolumeOptions: { Subpath: 'in' } }),
      { Type: 'image', Source: 'busybox', Target: '/image' },
    ]
    const id = await api.create({ HostConfig: { Mounts }, Cmd: 'true' })
    await api.call('PUT', `/containers/${id}/archive?path=/bound`, await tarOf(member({ path: 'put' }, 'x')))
    assert.equal(readFileSync(join(elsewhere, 'put'), 'utf8'), 'x')
    for (const path of ['/bound/put', '/part/f', '/image/seed/file']) {
      await api.call('GET', `/containers/${id}/archive?path=${path}`)
      await api.call('HEAD', `/containers/${id}/archive?path=${path}`)
    }
    const escaping = [volume('data', '/part', { VolumeOptions: { Subpath: 'out' } })]
    const other = await api.create({ HostConfig: { Mounts: escaping }, Cmd: 'true' })
    const answer = await api.daemon.call('GET', `/containers/${other}/archive?path=/part/passwd`)
    assert.ok(answer.status >= 400, String(answer.status))
  })
})

describe('volumes with options', () => {
  const tmpfs = { DriverOpts: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,uid=33,mode=0750' } }

  it('a tmpfs is shared by those who run, and ends with the last of them', async () => {
    const place = await create('shared', tmpfs)
    const first = await api.started({ ...mounted(volume('shared')), Cmd: FOREVER })
    await exec(api, first, 'echo hello > /v/f; stat -c "%u %a" /v')
    const second = await api.started({ ...mounted(volume('shared')), Cmd: FOREVER })
    assert.equal(
      (await exec(api, second, 'cat /v/f; stat -c "%u %a" /v; df -k /v | tail -1 | awk "{print \\$2}"')).out,
      'hello\n33 750\n1024\n',
    )
    assert.ok(!existsSync(join(place, 'f')))
    await api.call('DELETE', `/containers/${first}?force=1`)
    assert.equal((await exec(api, second, 'cat /v/f')).out, 'hello\n')
    await api.call('DELETE', `/containers/${second}?force=1`)
    assert.equal(await out({ ...mounted(volume('shared')), Cmd: 'ls -A /v' }), '')
  })

  it('a tmpfs keeps its files when the daemon is killed, also for who comes later', async () => {
    await create('kept', tmpfs)
    const first = await api.started({ ...mounted(volume('kept')), Cmd: FOREVER })
    await exec(api, first, 'echo before > /v/f')
    await api.daemon.down('SIGKILL')
    await api.daemon.up()
    const second = await api.started({ ...mounted(volume('kept')), Cmd: FOREVER })
    assert.equal((await exec(api, second, 'cat /v/f; echo after > /v/g')).out, 'before\n')
    assert.equal((await exec(api, first, 'cat /v/g')).out, 'after\n')
    assert.match(await api.refused(409, 'DELETE', '/volumes/kept?force=1'), /volume is in use/)
  })

  it('a bind is filled like any volume, and its files stay when it is removed', async () => {
    const elsewhere = place('elsewhere')
    await create('link', { DriverOpts: { type: 'none', o: 'bind,ro', device: elsewhere } })
    await create('bound', { DriverOpts: { type: 'none', o: 'bind', device: elsewhere } })
    assert.equal(
      await out({ ...mounted(volume('bound', '/seed')), Cmd: 'cat /seed/file' }),
      'from the image\n',
    )
    assert.equal(readFileSync(join(elsewhere, 'file'), 'utf8'), 'from the image\n')
    assert.equal(
      await out({ ...mounted(volume('link')), Cmd: 'touch /v/x 2>/dev/null || cat /v/file' }),
      'from the image\n',
    )
    await api.daemon.removeAll()
    await api.call('DELETE', '/volumes/bound', undefined, 204)
    await api.call('DELETE', '/volumes/link', undefined, 204)
    assert.equal(readlinkSync(join(elsewhere, 'out')), '/etc')
  })

  it('what cannot be mounted is said in Docker’s words when it is first used, and nothing is left', async () => {
    await create('broken', { DriverOpts: { type: 'none', o: 'bind', device: join(scratch, 'not-there') } })
    const body = { Image: 'busybox', Cmd: ['true'], ...mounted(volume('broken')) }
    const message = await api.refused(500, 'POST', '/containers/create', body)
    assert.match(
      message,
      /^error while mounting volume '.*\/broken\/_data': failed to mount local volume: mount .*not-there:.*, flags: 0x1000: no such file or directory$/,
    )
    await api.call('DELETE', '/volumes/broken', undefined, 204)
    await create('odd', { DriverOpts: { type: 'nosuchfs', device: '/dev/null' } })
    assert.match(
      await api.refused(500, 'POST', '/containers/create', {
        Image: 'busybox',
        Cmd: ['true'],
        ...mounted(volume('odd')),
      }),
      /no such device/,
    )
  })

  it('bad options get Docker’s words, and change nothing', async () => {
    const refused = (DriverOpts: object) =>
      api.refused(400, 'POST', '/volumes/create', { Name: 'bad', DriverOpts })
    assert.equal(await refused({ foo: 'bar' }), 'create bad: invalid option: "foo"')
    assert.equal(await refused({ type: 'tmpfs' }), 'create bad: missing required option: "device"')
    assert.equal(await refused({ o: 'ro' }), 'create bad: missing required option: "device"')
    await api.call('GET', '/volumes/bad', undefined, 404)
  })

  it('events tell of mounting and unmounting', async () => {
    const since = Math.floor(Date.now() / 1000)
    await create('told')
    const id = await api.started({ ...mounted(volume('told', '/v', { ReadOnly: true })), Cmd: 'true' })
    await api.wait(id)
    await api.call('DELETE', `/containers/${id}`)
    await api.call('DELETE', '/volumes/told')
    const until = Math.floor(Date.now() / 1000) + 1
    const filters = encodeURIComponent('{"type":["volume"],"volume":["told"]}')
    const { text } = await api.call('GET', `/events?since=${since}&until=${until}&filters=${filters}`)
    const events = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { Action: string; Actor: { Attributes: Record<string, string> } })
    assert.deepEqual(
      events.map(({ Action }) => Action),
      ['create', 'mount', 'unmount', 'destroy'],
    )
    assert.deepEqual(events[1]?.Actor.Attributes, {
      driver: 'local',
      container: id,
      destination: '/v',
      'read/write': 'false',
      propagation: '',
    })
  })
})
