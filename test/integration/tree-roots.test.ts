/** Where trees are seen from, and what only a real filesystem has. */
import assert from 'node:assert/strict'
import { lstat, mkdir, readFile, readdir, rename, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { silentLogger } from '#base/logger.ts'
import { startHelper } from '#os/native-helper.ts'
import { NativeTrees } from '#os/native-trees.ts'
import { runProcess } from '#os/process.ts'
import { entry, listing, sketchOf, stream } from '#os/tree.suite.ts'
import type { TreeEntry } from '#os/tree.ts'
import { container } from '#test/support/hostile-container.ts'
import { nativeBuild, temporaryDirectory } from '#test/support/native.ts'

const trees = new NativeTrees(nativeBuild)
const all = { name: '' }

/** A stopped container with two layers below `path`, and the volume `path/volume`. */
async function stopped() {
  const owned = new AsyncDisposableStack()
  const { path } = owned.use(await temporaryDirectory('roots'))
  for (const name of ['exec', 'top', 'bottom/etc', 'upper', 'work', 'volume']) {
    await mkdir(join(path, name), { recursive: true })
  }
  await writeFile(join(path, 'bottom/etc/hosts'), 'hosts')
  await writeFile(join(path, 'bottom/gone'), 'old')
  await writeFile(join(path, 'top/new'), 'new')
  await writeFile(join(path, 'volume/data'), 'kept')
  const helper = owned.use(
    await startHelper({ execRoot: join(path, 'exec'), buildDir: nativeBuild, logger: silentLogger }),
  )
  const lower = [join(path, 'top'), join(path, 'bottom')]
  const overlay = { lower, upper: join(path, 'upper'), work: join(path, 'work') }
  return {
    path,
    upper: { directory: overlay.upper },
    root: { join: helper.pid, overlay, binds: [] },
    mounted: (destination: string, readOnly = false) => ({
      join: helper.pid,
      overlay,
      binds: [{ source: join(path, 'volume'), destination, readOnly }],
    }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

describe('a stopped container', () => {
  it('is read without changing anything, even if its overlay was volatile', async () => {
    await using at = await stopped()
    await mkdir(join(at.path, 'work/work/incompat/volatile'), { recursive: true })
    const before = await sketchOf(trees.read({ directory: at.path }, '/', all))

    assert.deepEqual(await sketchOf(trees.read(at.mounted('/srv/volume'), '/', all)), [
      'etc',
      'etc/hosts=hosts',
      'gone=old',
      'new=new',
      'srv',
      'srv/volume',
      'srv/volume/data=kept',
    ])
    assert.equal((await trees.stat(at.mounted('/etc'), '/etc/data')).size, 4)

    assert.deepEqual(await sketchOf(trees.read({ directory: at.path }, '/', all)), before)
    assert.ok(!(await readFile('/proc/self/mountinfo', 'utf8')).includes(at.path))
  })

  it('keeps what is written in its upper directory and in its volumes', async () => {
    await using at = await stopped()

    await trees.write(
      at.mounted('/data'),
      '/',
      stream(
        { path: 'etc/hosts', content: 'mine' },
        { path: 'gone', type: 'whiteout' },
        { path: 'data/more', content: 'written' },
      ),
    )

    assert.equal(await readFile(join(at.path, 'volume/more'), 'utf8'), 'written')
    assert.deepEqual(
      (await listing(trees.read(at.upper, '/', { ...all, upperDir: true }))).map(
        ({ record, content }) => `${record.type} ${record.path} ${content}`,
      ),
      ['directory data ', 'directory etc ', 'file etc/hosts mine', 'whiteout gone '],
    )
    assert.deepEqual(await sketchOf(trees.read(at.root, '/', all)), [
      'data',
      'etc',
      'etc/hosts=mine',
      'new=new',
    ])
  })

  it('honours read-only volumes', async () => {
    await using at = await stopped()

    await assert.rejects(
      trees.write(at.mounted('/data', true), '/data', stream({ path: 'x', content: '' })),
      (error) => isKind(error, 'permission_denied'),
    )

    assert.deepEqual(await readdir(join(at.path, 'volume')), ['data'])
  })

  it('appears without its volumes when reading stays on one filesystem', async () => {
    await using at = await stopped()

    const lines = await sketchOf(trees.read(at.mounted('/etc'), '/', { ...all, oneFileSystem: true }))

    assert.deepEqual(lines, ['etc', 'gone=old', 'new=new'])
  })

  it('may have no layers at all', async () => {
    await using at = await stopped()
    const root = { ...at.root, overlay: { ...at.root.overlay, lower: [] } }

    await trees.write(root, '/', stream({ path: 'f', content: '1' }))

    assert.deepEqual(await sketchOf(trees.read(root, '/', all)), ['f=1'])
  })
})

describe('a running container', () => {
  const idle = ['/bin/busybox', 'sh', '-c', 'echo ready; exec /bin/busybox cat']

  it('is read and written as its processes see it', async () => {
    await using home = await temporaryDirectory('roots')
    await using running = await container(home.path, idle)
    const root = { join: running.pid, root: '/' }

    await trees.write(root, '/', stream({ path: 'etc/motd', content: 'hello' }))

    assert.equal(await readFile(join(home.path, 'etc/motd'), 'utf8'), 'hello')
    assert.deepEqual(await sketchOf(trees.read(root, '/etc')), ['etc', 'etc/motd=hello'])
    assert.equal((await trees.stat(root, '/bin/busybox')).type, 'file')
    await assert.rejects(trees.stat(root, home.path), (error) => isKind(error, 'not_found'))
  })

  it('is not mistaken for another process that has its pid', async () => {
    await using home = await temporaryDirectory('roots')
    await using running = await container(home.path, idle)
    const line = await readFile(`/proc/${running.pid}/stat`, 'utf8')
    const startTime = line.slice(line.lastIndexOf(')') + 2).split(' ')[19] as string

    await trees.stat({ join: running.pid, startTime, root: '/' }, '/bin')
    await assert.rejects(
      trees.stat({ join: running.pid, startTime: `${Number(startTime) - 1}`, root: '/' }, '/bin'),
      /process \d+: No such process/,
    )
  })
})

describe('a layer', () => {
  it('keeps whiteouts and opaque directories as overlayfs wants them', async () => {
    await using home = await temporaryDirectory('roots')
    const root = { directory: home.path }

    await trees.write(
      root,
      '/',
      stream(
        { path: 'gone', type: 'whiteout' },
        { path: 'opaque', opaque: true },
        // A whiteout is about lower layers: the directory beside it hides them, a file does so anyway.
        { path: 'dir/x', content: '1' },
        { path: 'dir', type: 'whiteout' },
        { path: 'late', type: 'whiteout' },
        { path: 'late' },
        { path: 'file', content: '2' },
        { path: 'file', type: 'whiteout' },
        { path: 'whited/y', content: '3' },
        { path: '', mode: 0o711 },
      ),
      { layer: true },
    )

    const gone = await lstat(join(home.path, 'gone'))
    assert.deepEqual([gone.isCharacterDevice(), gone.rdev], [true, 0])
    assert.equal((await stat(home.path)).mode & 0o777, 0o711)
    assert.deepEqual(
      (await listing(trees.read(root, '/', { ...all, upperDir: true }))).map(
        ({ record }) => `${record.type} ${record.path}${record.opaque === true ? ' opaque' : ''}`,
      ),
      [
        'directory dir opaque',
        'file dir/x',
        'file file',
        'whiteout gone',
        'directory late opaque',
        'directory opaque opaque',
        'directory whited',
        'file whited/y',
      ],
    )
  })
})

describe('a real filesystem', () => {
  it('keeps setuid, capabilities, attributes and times, and gives directories theirs last', async () => {
    await using home = await temporaryDirectory('roots')
    const root = { directory: home.path }
    // VFS_CAP_REVISION_2 with cap_net_bind_service, permitted and effective: struct vfs_cap_data.
    const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex')
    const xattrs = new Map([
      ['security.capability', capability],
      ['user.note', Buffer.from('kept')],
      ['trusted.overlay.opaque', Buffer.from('y')],
    ])
    const written = [
      entry({ path: 'd', mtime: { seconds: -5, nanoseconds: 999_999_999 } }),
      entry({ path: 'd/f', content: 'x', mode: 0o6755, uid: 1000, gid: 1000, xattrs }),
      entry({ path: 'd/l', type: 'symlink', link: 'f', mode: 0o777, mtime: { seconds: 1, nanoseconds: 2 } }),
    ]

    await trees.write(root, '/', from(written))

    const [d, f, l] = (await listing(trees.read(root, '/', all))).map(({ record }) => record)
    assert.deepEqual(d, written[0]?.record)
    assert.deepEqual(l, written[2]?.record)
    assert.deepEqual([f?.mode, f?.uid, f?.mtime], [0o6755, 1000, written[1]?.record.mtime])
    assert.deepEqual(
      [...(f?.xattrs ?? [])]
        .map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`)
        .toSorted(),
      [
        `security.capability=${capability.toString('hex')}`,
        `user.note=${Buffer.from('kept').toString('hex')}`,
      ],
    )
  })

  it('reads holes as zeros, leaves sockets out and refuses to describe them', async () => {
    await using home = await temporaryDirectory('roots')
    const root = { directory: home.path }
    await writeFile(join(home.path, 'sparse'), 'x')
    await truncate(join(home.path, 'sparse'), 10_000_000)
    await using server = createServer().listen(join(home.path, 'socket'))

    const [sparse, ...rest] = await listing(trees.read(root, '/', all))

    assert.deepEqual([sparse?.content.length, sparse?.content.slice(0, 3)], [10_000_000, 'x\0\0'])
    assert.deepEqual(rest, [])
    assert.ok(server.listening)
    await assert.rejects(trees.stat(root, '/socket'), (error) => isKind(error, 'invalid_argument'))
  })

  it('has names that are not UTF-8, and paths longer than the kernel takes at once', async () => {
    await using home = await temporaryDirectory('roots')
    const root = { directory: home.path }
    const name = 'n'.repeat(200)
    const half = Array.from({ length: 15 }, () => name).join('/')
    for (const top of ['', 'other']) await mkdir(join(home.path, top, half), { recursive: true })
    await writeFile(join(home.path, 'other', half, 'end'), '')
    await rename(join(home.path, 'other', name), join(home.path, half, name))
    // Node's own rm() cannot go that deep.
    await using _ = {
      [Symbol.asyncDispose]: async () => void (await runProcess(['rm', '-r', join(home.path, name)])),
    }

    await trees.write(root, '/', stream({ path: 'a\udcff', content: 'bytes' }))

    const lines = await sketchOf(trees.read(root, '/', all))
    assert.equal(lines[0], 'a\udcff=bytes')
    assert.equal(lines.at(-2)?.length, 30 * 201 + 'end='.length)
    assert.deepEqual((await readdir(home.path, { encoding: 'buffer' }))[0], Buffer.from([0x61, 0xff]))
  })

  it('resolves symlinks inside the root, not where the host would go', async () => {
    await using home = await temporaryDirectory('roots')
    const root = { directory: home.path }
    await symlink('/etc/hostname', join(home.path, 'absolute'))
    await symlink('../../../../etc/hostname', join(home.path, 'climbing'))

    for (const name of ['absolute', 'climbing']) {
      await assert.rejects(trees.stat(root, `/${name}`, { follow: true }), (error) =>
        isKind(error, 'not_found'),
      )
    }
  })
})

describe('NativeTrees', () => {
  it('leaves no process and no descriptor behind, however an operation ends', async () => {
    await using home = await temporaryDirectory('roots')
    const root = { directory: home.path }
    await trees.write(
      root,
      '/',
      stream({ path: 'big', content: 'x'.repeat(5_000_000) }, { path: 'other', content: '' }),
    )
    const before = await readdir('/proc/self/fd')

    for (let i = 0; i < 5; i++) {
      for await (const _ of trees.read(root, '/', all)) break
      for await (const { data } of trees.read(root, '/', all)) for await (const _ of data) break
      await assert.rejects(trees.stat(root, '/nope'))
      const controller = new AbortController()
      await assert.rejects(async () => {
        for await (const { data } of trees.read(root, '/', { ...all, signal: controller.signal })) {
          controller.abort(new Error('stop'))
          for await (const _ of data);
        }
      }, /stop/)
      await assert.rejects(trees.write(root, '/', stuckAfterError()), /bad path/)
    }

    assert.deepEqual(await readdir('/proc/self/fd'), before)
    assert.equal(await readFile(`/proc/self/task/${process.pid}/children`, 'utf8'), '')
  })

  it('names operation, path and cause', async () => {
    await assert.rejects(
      trees.stat({ directory: '/nope' }, '/x'),
      /^EngineError: stat \/nope: No such file or directory$/,
    )
    await assert.rejects(new NativeTrees('/nope').stat({ directory: '/' }, '/'), /start \/nope\/berth-tree/)
  })
})

async function* from(entries: readonly TreeEntry[]): AsyncGenerator<TreeEntry> {
  yield* entries
}

/** A source that has gone silent must not keep the error of the other end from arriving. */
async function* stuckAfterError(): AsyncGenerator<TreeEntry> {
  yield entry({ path: '../up', content: 'x'.repeat(100_000) })
  await new Promise(() => undefined)
}
