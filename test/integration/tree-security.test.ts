/** Negative tests, each named after what it guards against: native/PROTOCOL.md §3, "Resolution". */
import assert from 'node:assert/strict'
import { mkdir, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { startHelper } from '#os/native-helper.ts'
import { NativeTrees } from '#os/native-trees.ts'
import { listing, sketchOf, stream } from '#os/tree.suite.ts'
import type { TreeRoot } from '#os/tree.ts'
import { silentLogger } from '#base/logger.ts'
import { attacker, buildExchange, container } from '#test/support/hostile-container.ts'
import { nativeBuild, temporaryDirectory } from '#test/support/native.ts'

const ROUNDS = 300

interface Arena extends AsyncDisposable {
  /** The container's root; /work/a is a directory, /work/b a symlink to the host's `outside`. */
  readonly rootfs: string
  /** A directory of the host that nothing may reach; holds `canary`. */
  readonly outside: string
  unharmed(): Promise<void>
}

async function arena(): Promise<Arena> {
  const home = await temporaryDirectory('arena')
  const rootfs = join(home.path, 'rootfs')
  const outside = join(home.path, 'outside')
  await mkdir(join(rootfs, 'work/a'), { recursive: true })
  await mkdir(outside, { mode: 0o700 })
  await writeFile(join(outside, 'canary'), 'outside', { mode: 0o600 })
  await writeFile(join(rootfs, 'work/a/canary'), 'inside')
  await symlink(outside, join(rootfs, 'work/b'))
  const state = async (): Promise<unknown> => [
    await readdir(outside),
    await readFile(join(outside, 'canary'), 'utf8'),
    ...(await Promise.all(
      [outside, join(outside, 'canary')].map(async (path) => {
        const { mode, uid, gid, mtimeMs, ctimeMs } = await stat(path)
        return { mode, uid, gid, mtimeMs, ctimeMs }
      }),
    )),
  ]
  const before = await state()
  return {
    rootfs,
    outside,
    unharmed: async () => assert.deepEqual(await state(), before),
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
  }
}

describe('berth-tree', () => {
  const trees = new NativeTrees(nativeBuild)
  const build: { home?: Awaited<ReturnType<typeof temporaryDirectory>>; exchange: string } = { exchange: '' }

  before(async () => {
    build.home = await temporaryDirectory('exchange')
    build.exchange = join(build.home.path, 'exchange')
    await buildExchange(build.exchange)
  })
  after(() => build.home?.[Symbol.asyncDispose]())

  /** `outside` is no path inside the root, so what a lost race finds there is nothing, never the host's. */
  async function readRace(root: TreeRoot, inside: string): Promise<number> {
    let found = 0
    for (let i = 0; i < ROUNDS; i++) {
      try {
        const entries = await listing(trees.read(root, '/work/a/canary'))
        assert.deepEqual(
          entries.map(({ content }) => content),
          [inside],
        )
        found++
      } catch (error) {
        assert.ok(isKind(error, 'not_found'), String(error))
      }
    }
    return found
  }

  async function writeRace(root: TreeRoot): Promise<void> {
    for (let i = 0; i < ROUNDS; i++) {
      const names = [`f${i}`, 'same'].map((name) => ({
        path: name,
        content: 'x',
        mode: 0o777,
        uid: 12,
        gid: 13,
      }))
      const [target, prefix] = i % 2 === 0 ? ['/work/a', ''] : ['/', 'work/a/']
      try {
        await trees.write(
          root,
          target,
          stream(...names.map((name) => ({ ...name, path: prefix + name.path }))),
        )
      } catch (error) {
        // Whoever loses the race finds the symlink dangling, or another entry than the one it has just made.
        assert.ok(
          isKind(error, 'not_found') || isKind(error, 'invalid_argument') || isKind(error, 'conflict'),
          String(error),
        )
      }
    }
  }

  it('CVE-2018-15664: reads nothing of the host while a directory and a symlink are exchanged', async () => {
    await using at = await arena()
    await using _ = await attacker([build.exchange, join(at.rootfs, 'work/a'), join(at.rootfs, 'work/b')])

    const found = await readRace({ directory: at.rootfs }, 'inside')

    assert.ok(found > 0 && found < ROUNDS, `the race was no race: ${found} of ${ROUNDS}`)
    await at.unharmed()
  })

  it('CVE-2018-15664, CVE-2021-41089: writes and changes nothing of the host in the same race', async () => {
    await using at = await arena()
    {
      await using _ = await attacker([build.exchange, join(at.rootfs, 'work/a'), join(at.rootfs, 'work/b')])
      await writeRace({ directory: at.rootfs })
    }

    // Looked at in peace: a walk may miss a directory that is exchanged under it.
    await at.unharmed()
    assert.ok(
      (await sketchOf(trees.read({ directory: at.rootfs }, '/work', { name: '' }))).some((line) =>
        line.endsWith('/same=x'),
      ),
    )
  })

  it('CVE-2018-15664: stays inside when the names belong to a directory that is written or read as a whole', async () => {
    await using at = await arena()
    await using _ = await attacker([build.exchange, join(at.rootfs, 'work/a'), join(at.rootfs, 'work/b')])
    const root = { directory: at.rootfs }

    for (let i = 0; i < ROUNDS; i++) {
      const lines = await sketchOf(trees.read(root, '/work', { name: '' }))
      assert.ok(!lines.some((line) => line.endsWith('=outside')), lines.join())
      await trees
        .write(
          root,
          '/work',
          stream({ path: 'a' }, { path: 'a/y', content: '' }, { path: 'b/y', content: '' }),
          { layer: true },
        )
        .catch((error: unknown) => assert.ok(error instanceof Error))
      if (i % 10 === 0)
        await trees
          .write(root, '/work', stream({ path: 'b', type: 'symlink', link: at.outside }))
          .catch(() => undefined)
    }

    await at.unharmed()
  })

  it('CVE-2018-15664: stays inside a running container that exchanges names', async () => {
    await using at = await arena()
    await buildExchange(join(at.rootfs, 'exchange'))
    await using running = await container(at.rootfs, ['/exchange', '/work/a', '/work/b'])
    const root = { join: running.pid, root: '/' }

    await readRace(root, 'inside')
    await writeRace(root)

    await at.unharmed()
  })

  it('CVE-2019-14271, CVE-2026-41567: loads and runs nothing of the container', async (test) => {
    await using at = await arena()
    const trap = '#!/bin/busybox sh\n/bin/busybox touch /sprung\n'
    const names = [
      'usr/bin/xz',
      'usr/bin/gzip',
      'usr/bin/zstd',
      'usr/bin/tar',
      'bin/sh',
      'usr/bin/unpigz',
      'sbin/modprobe',
    ]
    for (const name of [
      ...names,
      'lib64/ld-linux-x86-64.so.2',
      'lib/x86_64-linux-gnu/libnss_files.so.2',
      'lib/x86_64-linux-gnu/libc.so.6',
    ]) {
      await mkdir(join(at.rootfs, name, '..'), { recursive: true })
      await writeFile(join(at.rootfs, name), trap, { mode: 0o755 })
    }
    await mkdir(join(at.rootfs, 'etc'))
    await writeFile(join(at.rootfs, 'etc/nsswitch.conf'), 'passwd: files\ngroup: files\n')
    await writeFile(join(at.rootfs, 'etc/ld.so.preload'), '/lib/x86_64-linux-gnu/libnss_files.so.2\n')
    await using running = await container(at.rootfs, [
      '/bin/busybox',
      'sh',
      '-c',
      'echo ready; exec /bin/busybox cat',
    ])
    const root = { join: running.pid, root: '/' }

    await trees.write(root, '/', stream({ path: 'new', content: 'x', uid: 1000, gid: 1000 }))
    assert.equal((await listing(trees.read(root, '/new')))[0]?.content, 'x')

    assert.ok(!(await readdir(at.rootfs)).includes('sprung'))
    if (process.env['BERTH_NATIVE_BUILD']?.includes('sanitize'))
      return test.diagnostic('the sanitizer build is dynamic')
    assert.ok(
      !hasInterpreter(await readFile(join(nativeBuild, 'berth-tree'))),
      'berth-tree is a static program',
    )
  })

  it('has its own /proc when that of the container is missing or forged', async () => {
    await using at = await arena()
    await mkdir(join(at.rootfs, 'proc'))
    await symlink('/work', join(at.rootfs, 'proc/self'))
    await mkdir(join(at.rootfs, 'work/fd'))
    await using running = await container(at.rootfs, [
      '/bin/busybox',
      'sh',
      '-c',
      'echo ready; exec /bin/busybox cat',
    ])
    const root = { join: running.pid, root: '/' }

    await trees.write(
      root,
      '/',
      stream({ path: 'new', content: 'x', mode: 0o4711, xattrs: new Map([['user.a', Buffer.from('b')]]) }),
    )

    const [entry] = await listing(trees.read(root, '/new'))
    assert.deepEqual([entry?.content, entry?.record.mode, entry?.record.xattrs?.size], ['x', 0o4711, 1])
  })

  it('GHSA-vp62-88p7-qqf5, CVE-2026-42306: mounts and makes mount points inside only', async () => {
    await using at = await arena()
    await using home = await temporaryDirectory('tree-helper')
    await using helper = await startHelper({
      execRoot: home.path,
      buildDir: nativeBuild,
      logger: silentLogger,
    })
    for (const name of ['volume', 'work']) await mkdir(join(home.path, name))
    await writeFile(join(home.path, 'volume/data'), 'volume')
    const overlay = { lower: [join(home.path, 'volume')], upper: at.rootfs, work: join(home.path, 'work') }
    const binds = ['/work/a/mount', '/work/a/made/here'].map((destination) => ({
      source: join(home.path, 'volume'),
      destination,
      readOnly: false,
    }))
    const root = { join: helper.pid, overlay, binds }
    await trees.write(root, '/', stream({ path: 'work/a/mount/first', content: 'x' }))
    assert.deepEqual(await readdir(join(home.path, 'volume')), ['data', 'first'])
    await using _ = await attacker([build.exchange, join(at.rootfs, 'work/a'), join(at.rootfs, 'work/b')])

    for (let i = 0; i < ROUNDS / 3; i++) {
      // The overlay may be torn by what happens below it; what counts is the host.
      await trees

        .write(root, '/', stream({ path: 'work/a/mount/new', content: 'x' }))
        .catch((error: unknown) => assert.ok(error instanceof Error))
    }

    await at.unharmed()
    const mounts = await readFile('/proc/self/mountinfo', 'utf8')
    assert.ok(!mounts.includes(home.path) && !mounts.includes(at.outside) && !mounts.includes(at.rootfs))
  })

  it('CVE-2014-9356: a symlink of the archive leads nowhere', async () => {
    await using at = await arena()
    const root = { directory: at.rootfs }
    const hostile = (): ReturnType<typeof stream> =>
      stream(
        { path: 'a', type: 'symlink', link: '/' },
        { path: 'a/etc/x', content: 'planted' },
        { path: 'up', type: 'symlink', link: '../../../../../../../../..' },
        { path: 'up/tmp/y', content: 'planted' },
        { path: 'out', type: 'symlink', link: at.outside },
      )

    await trees.write(root, '/work', hostile())
    assert.deepEqual(await sketchOf(trees.read(root, '/etc')), ['etc', 'etc/x=planted'])
    assert.deepEqual(await sketchOf(trees.read(root, '/tmp')), ['tmp', 'tmp/y=planted'])
    await mkdir(join(at.rootfs, 'layer'))
    await trees.write({ directory: join(at.rootfs, 'layer') }, '/', hostile(), { layer: true })
    await trees.write(
      { directory: join(at.rootfs, 'layer') },
      '/',
      stream({ path: 'out/canary', content: 'planted' }),
      { layer: true },
    )

    assert.deepEqual(await sketchOf(trees.read(root, '/layer', { name: '' })), [
      'a',
      'a/etc',
      'a/etc/x=planted',
      'out',
      'out/canary=planted',
      'up',
      'up/tmp',
      'up/tmp/y=planted',
    ])
    await at.unharmed()
  })

  it('CVE-2026-17106: hard links, whiteouts and opaque directories do not pass symlinks', async () => {
    await using at = await arena()
    await writeFile(join(at.outside, 'canary'), 'outside')
    const root = { directory: at.rootfs }
    for (const options of [{ layer: true }, { layer: false }]) {
      const link = { path: 'l', type: 'symlink', link: at.outside } as const
      await assert.rejects(
        trees.write(root, '/work', stream(link, { path: 'h', type: 'hardlink', link: 'l/canary' }), options),
        /hard link to l\/canary/,
      )
      await trees.write(root, '/work', stream(link, { path: 'l', opaque: true }), options)
      await trees.write(root, '/work', stream(link, { path: 'l/canary', type: 'whiteout' }), options)
      await assert.rejects(
        trees.write(root, '/work', stream({ path: '..', type: 'whiteout' }), options),
        (error) => isKind(error, 'invalid_argument'),
      )
    }
    assert.equal(await readFile(join(at.outside, 'canary'), 'utf8'), 'outside')
    assert.deepEqual(await readdir(at.outside), ['canary'])
  })

  it('does not open devices, fifos or sockets that it reads', async () => {
    await using at = await arena()
    const root = { directory: at.rootfs }
    // Opening a fifo without a writer would hang; the device has no driver.
    await trees.write(
      root,
      '/work',
      stream({ path: 'fifo', type: 'fifo' }, { path: 'dev', type: 'char', major: 4000, minor: 1 }),
    )

    const lines = await sketchOf(trees.read(root, '/work', { name: '' }))

    assert.ok(lines.includes('fifo') && lines.includes('dev'))
  })
})

/** Whether an ELF program names a dynamic loader: a program header of type PT_INTERP. */
function hasInterpreter(elf: Buffer): boolean {
  const at = Number(elf.readBigUInt64LE(32))
  const size = elf.readUInt16LE(54)
  const count = elf.readUInt16LE(56)
  return Array.from({ length: count }, (_, i) => elf.readUInt32LE(at + i * size)).includes(3)
}
