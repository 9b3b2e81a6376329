import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmod,
  link,
  lutimes,
  mkdir,
  readdir,
  readFile,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { systemClock } from '#base/clock.ts'
import type { Digest } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import { parseFileMode } from '#build/dockerfile/file-mode.ts'
import { openBelow } from '#build/files/files-below.ts'
import { LayerFiles } from '#build/files/layer-files.ts'
import type { CopySource, CopyStep } from '#build/graph/operations.ts'
import type { Ready } from '#build/solve/ports.ts'
import { openDirectory } from '#build/sources/directory-source.ts'
import type { FileSource } from '#build/sources/file-source.ts'
import { LayerDigests } from '#build/sources/layer-digests.ts'
import { openLayers } from '#build/sources/layers-source.ts'
import { Spool } from '#build/sources/source-copies.ts'
import * as tar from '#test/fixtures/archives/archive.ts'
import { temporaryDirectory } from '#test/support/native.ts'
import { listing } from './snapshots-listing.ts'
import { startStore, type Store } from './snapshots-store.ts'

const context = { kind: 'context', name: 'context' } as const
const stage = { kind: 'context', name: 'stage' } as const
const label = { name: '', stage: '', instruction: '', line: 1, args: {}, uncached: false }
const drivers = ['erofs', 'directory'] as const

interface Options {
  readonly chown?: string
  readonly chmod?: string
  readonly link?: boolean
  readonly parents?: boolean
  readonly exclude?: readonly string[]
  readonly signal?: AbortSignal
  /** Called in the middle of each file of the context. */
  readonly onRead?: () => void
  /** Layers that sources of `stage` are taken from. */
  readonly stage?: readonly Digest[]
}

/** Steps on a store and a context of their own. */
class World implements AsyncDisposable {
  readonly store: Store
  readonly context: string
  readonly root: string
  readonly layers: Digest[] = []
  readonly #files: LayerFiles
  readonly #owned: AsyncDisposableStack

  private constructor(store: Store, root: string, owned: AsyncDisposableStack) {
    const { snapshots, helper, trees } = store
    this.store = store
    this.root = root
    this.context = join(root, 'context')
    this.#owned = owned
    const deps = { snapshots, helper, trees, clock: systemClock }
    this.#files = new LayerFiles({
      snapshots,
      below: (layers) => openBelow(layers, deps),
      spool: new Spool({ dataRoot: store.dataRoot, helper, trees }),
    })
  }

  static async start(driver: 'erofs' | 'directory', dataRoot?: string): Promise<World> {
    await using owned = new AsyncDisposableStack()
    const store = owned.use(await startStore(driver, dataRoot === undefined ? {} : { dataRoot }))
    const { path } = owned.use(await temporaryDirectory('build-files'))
    await mkdir(join(path, 'context'))
    return new World(store, path, owned.move())
  }

  async base(...pieces: readonly tar.Piece[]): Promise<void> {
    const { diffId } = await this.store.snapshots.ingest(tar.stream(tar.archive(...pieces)))
    this.layers.push(diffId)
  }

  async copy(
    sources: readonly (string | CopySource)[],
    destination: string,
    options: Options = {},
  ): Promise<Digest | undefined> {
    const { layer } = await this.#files.copy(
      this.#ready(step(sources, destination, options), options),
      () => undefined,
    )
    if (layer !== undefined) this.layers.push(layer)
    return layer
  }

  async workdir(path: string, user: string): Promise<Digest | undefined> {
    const on = { kind: 'scratch' } as const
    const { layer } = await this.#files.directory(
      this.#ready({ kind: 'directory', on, label, path, user }),
      () => undefined,
    )
    if (layer !== undefined) this.layers.push(layer)
    return layer
  }

  /** What the layers amount to, as the kernel shows it. */
  async listing(layers: readonly Digest[] = this.layers): Promise<readonly string[]> {
    const { snapshots, helper, trees } = this.store
    await using view = await snapshots.view(layers)
    return await listing(trees, { join: helper.pid, root: view.path })
  }

  /** A plain directory with the files of the layers. */
  async unpacked(name: string): Promise<string> {
    const { snapshots, helper, trees } = this.store
    const path = join(this.root, name)
    await mkdir(path)
    await using view = await snapshots.view(this.layers)
    await trees.write(
      { directory: path },
      '/',
      trees.read({ join: helper.pid, root: view.path }, '/', { name: '' }),
    )
    return path
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync()
  }

  #ready<S>(of: S, { signal, onRead, stage: layers = [] }: Options = {}): Ready<S> {
    const { snapshots, helper, trees } = this.store
    const copies = { copy: () => Promise.reject(new Error('nothing is mounted')) }
    return {
      step: of,
      layers: this.layers,
      open: async (origin): Promise<FileSource> =>
        origin === stage
          ? openLayers(layers, 'stage x', {
              snapshots,
              helper,
              trees,
              digests: new LayerDigests(),
              clock: systemClock,
            })
          : watched(
              await openDirectory(this.context, { name: 'build context', clock: systemClock, copies }),
              onRead,
            ),
      signal: signal ?? new AbortController().signal,
    }
  }
}

function watched(source: FileSource, onRead: (() => void) | undefined): FileSource {
  if (onRead === undefined) return source
  return {
    name: source.name,
    walk: (path, options) => source.walk(path, options),
    root: () => source.root(),
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
    find: async (path) => {
      const file = await source.find(path)
      if (file === undefined) return undefined
      return {
        attributes: file.attributes,
        digest: () => file.digest(),
        async *read() {
          for await (const chunk of file.read()) {
            yield chunk
            onRead()
          }
        },
      }
    },
  }
}

function step(sources: readonly (string | CopySource)[], destination: string, options: Options): CopyStep {
  const { chown, chmod: mode, link: linked = false, parents = false, exclude = [] } = options
  return {
    kind: 'copy',
    on: { kind: 'scratch' },
    label,
    sources: sources.map((source) =>
      typeof source === 'string'
        ? { type: 'files', from: context, pattern: source, unpack: 'never' }
        : source,
    ),
    destination,
    owner: chown,
    mode: mode === undefined ? undefined : parseFileMode(mode),
    link: linked,
    parents,
    exclude,
  }
}

const add = (pattern: string): CopySource => ({ type: 'files', from: context, pattern, unpack: 'auto' })
const fromStage = (pattern: string): CopySource => ({ type: 'files', from: stage, pattern, unpack: 'never' })

/** Files of every kind. */
async function fillContext(at: string): Promise<void> {
  await mkdir(join(at, 'etc/sub'), { recursive: true })
  await mkdir(join(at, 'bin'))
  await writeFile(join(at, 'etc/conf'), 'conf')
  await writeFile(join(at, 'etc/sub/näme \n'), 'odd')
  await writeFile(join(at, 'bin/su'), 'su')
  await chmod(join(at, 'bin/su'), 0o4755)
  await link(join(at, 'bin/su'), join(at, 'bin/su2'))
  await chmod(join(at, 'etc/sub'), 0o2710)
  await symlink('../../etc/passwd', join(at, 'bin/link'))
  await writeFile(join(at, 'big'), 'end')
  await truncate(join(at, 'big'), 3_000_000)
  for (const args of [
    ['mknod', join(at, 'null'), 'c', '1', '3'],
    ['mkfifo', join(at, 'pipe')],
  ]) {
    assert.equal(spawnSync(args[0] ?? '', args.slice(1)).status, 0)
  }
  const bytes = Buffer.concat([Buffer.from(join(at, 'etc/x')), Buffer.from([0xff, 0xfe])])
  await writeFile(bytes, 'bytes')
  const time = new Date(1_600_000_000_000)
  for (const entry of await readdir(at, { recursive: true, encoding: 'buffer' })) {
    await lutimes(Buffer.concat([Buffer.from(`${at}/`), entry]), time, time)
  }
}

/** Without the times of directories, which a copy changes. */
function timeless(lines: readonly string[]): readonly string[] {
  return lines.map((line) => (line.startsWith('directory') ? line.replace(/ \d+\.\d+ /, ' ') : line))
}

const base: readonly tar.Piece[] = [
  tar.directory('etc', { mode: 0o751, uid: 3 }),
  tar.file('etc/passwd', 'joe:x:12:34::/:/bin/sh\n'),
  tar.file('etc/conf', 'before', { mode: 0o600 }),
  tar.pax([['SCHILY.xattr.user.note', 'kept']]),
  tar.directory('srv', { mode: 0o1770, uid: 9, gid: 9, mtime: 1_500_000_000 }),
  tar.file('srv/data/old', 'old'),
  tar.symlink('to-srv', '/srv/data'),
  tar.directory('bin'),
]

for (const driver of drivers) {
  describe(`COPY, ADD and WORKDIR on layers of the kernel (${driver})`, () => {
    it('give what cp gives on a plain directory', async () => {
      await using world = await World.start(driver)
      await fillContext(world.context)
      await world.base(...base)
      const plain = await world.unpacked('plain')
      await world.copy(['.'], '/')
      // cp also changes the directory that it copies to; COPY does not.
      const { status } = spawnSync('cp', ['-a', '--no-target-directory', world.context, plain])
      assert.equal(status, 0)
      await chmod(plain, 0o755)
      assert.deepEqual(
        timeless(await world.listing()),
        timeless(await listing(world.store.trees, { directory: plain })),
      )
    })

    it('leave directories below as they are, with times and extended attributes', async () => {
      await using world = await World.start(driver)
      await writeFile(join(world.context, 'f'), 'f')
      await world.base(...base)
      const before = await world.listing()
      await world.copy(['f'], '/srv/new', { chown: '5', chmod: '700' })
      const after = await world.listing()
      assert.deepEqual(
        after.filter((line) => !line.includes('srv/new')),
        before,
      )
      assert.ok(
        before.some(
          (line) => line.startsWith('directory "srv" 1770 9:9 1500000000.0') && line.includes('user.note='),
        ),
      )
    })

    it('give many directories below what those that are copied have, and their files no other', async () => {
      await using world = await World.start(driver)
      const names = Array.from({ length: 40 }, (_, i) => `d${i}`)
      await world.base(
        ...names.flatMap((name, i) => [
          tar.pax([['SCHILY.xattr.user.n', `${i}`]]),
          tar.directory(name, { mode: 0o700 + i, uid: i, mtime: 1_500_000_000 + i }),
          tar.file(`${name}/below`, 'below', { mode: 0o600 + i }),
        ]),
      )
      const before = await world.listing()
      for (const name of names) {
        await mkdir(join(world.context, name))
        await writeFile(join(world.context, name, 'f'), name)
      }
      await world.copy(['.'], '/')
      const after = await world.listing()
      assert.deepEqual(
        after.filter((line) => line.includes('/below"')),
        before.filter((line) => line.includes('/below"')),
      )
      assert.equal(after.filter((line) => /^directory "d\d+" 755 0:0 /.test(line)).length, 40)
      assert.equal(after.length, 120)
    })

    it('follow symlinks of the layers below, and look names up there', async () => {
      await using world = await World.start(driver)
      await writeFile(join(world.context, 'f'), 'f')
      await world.base(...base)
      await world.copy(['f'], '/to-srv/', { chown: 'joe' })
      await world.workdir('/to-srv/w/x', 'joe')
      const lines = await world.listing()
      assert.ok(lines.some((line) => line.startsWith('file "srv/data/f" 644 12:34')))
      assert.ok(lines.some((line) => line.startsWith('directory "srv/data/w/x" 755 12:34')))
      assert.equal(await world.workdir('/to-srv/w', 'joe'), undefined)
    })

    it('take from a stage with owners and extended attributes', async () => {
      await using world = await World.start(driver)
      const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex')
      const { diffId } = await world.store.snapshots.ingest(
        tar.stream(
          tar.archive(
            tar.pax([['SCHILY.xattr.security.capability', capability]]),
            tar.file('out/ping', 'ping', { mode: 0o755, uid: 7, gid: 8 }),
            tar.hardlink('out/pong', 'out/ping'),
            tar.file('out/gone', 'gone'),
            tar.symlink('to-out', 'out'),
          ),
        ),
      )
      const upper = await world.store.snapshots.ingest(tar.stream(tar.archive(tar.whiteout('out/gone'))))
      await world.copy([fromStage('to-out')], '/usr/bin/', { stage: [diffId, upper.diffId] })
      assert.deepEqual(
        (await world.listing())
          .filter((line) => !line.startsWith('directory'))
          .map((line) => line.split(' ')[1]),
        ['"usr/bin/ping"', '"usr/bin/pong"'],
      )
      const found = (await world.listing()).find((line) => line.includes('usr/bin/ping"'))
      assert.match(found ?? '', /755 7:8 .* security\.capability=0100000200040000/)
    })

    it('do what each flag says', async () => {
      await using world = await World.start(driver)
      await world.base(...base)
      await mkdir(join(world.context, 'a/b/c'), { recursive: true })
      await chmod(join(world.context, 'a'), 0o711)
      for (const name of ['a/x.md', 'a/b/x.txt', 'a/b/c/y.txt', 'top.txt', 'run.sh']) {
        await writeFile(join(world.context, name), name)
      }
      const lines = async (below: string): Promise<readonly string[]> =>
        (await world.listing())
          .map((line) => line.split(' '))
          .filter(([, path = '']) => path.startsWith(`"${below}/`))
          .map(([type, path, mode, owner]) => `${type} ${path} ${mode} ${owner}`)
      await world.copy(['a/b/*.txt', 'a/./b/c'], '/parents', { parents: true, chown: ':7' })
      assert.deepEqual(await lines('parents'), [
        'directory "parents/a" 711 0:7',
        'directory "parents/a/b" 755 0:7',
        'directory "parents/b" 755 0:7',
        'directory "parents/b/c" 755 0:7',
        'file "parents/a/b/x.txt" 644 0:7',
        'file "parents/b/c/y.txt" 644 0:7',
      ])
      await world.copy(['.'], '/rest/', { exclude: ['**/*.txt', '!top.txt', 'run.sh'] })
      assert.deepEqual(await lines('rest'), [
        'directory "rest/a" 711 0:0',
        'directory "rest/a/b" 755 0:0',
        'directory "rest/a/b/c" 755 0:0',
        'file "rest/a/x.md" 644 0:0',
        'file "rest/top.txt" 644 0:0',
      ])
      const documents: readonly CopySource[] = [
        { type: 'document', name: 'one', content: '1' },
        { type: 'document', name: 'two', content: '2' },
      ]
      await world.copy([...documents, 'run.sh'], '/chmod/', { chmod: 'u+x,g=u,o=' })
      assert.deepEqual(await lines('chmod'), [
        'file "chmod/one" 770 0:0',
        'file "chmod/run.sh" 770 0:0',
        'file "chmod/two" 770 0:0',
      ])
    })

    it('unpack archives over layers: directories that went and came again hide what was in them', async () => {
      await using world = await World.start(driver)
      await world.base(...base)
      const archive = tar.archive(
        tar.file('srv/data'),
        tar.directory('srv/data', { mode: 0o700 }),
        tar.file('srv/data/new', 'new'),
        tar.directory('to-srv'),
        tar.file('to-srv/x', 'x'),
        tar.hardlink('etc/passwd-', 'etc/passwd'),
        tar.file('etc/conf/x').subarray(0, 0),
      )
      await writeFile(join(world.context, 'a.tgz'), gzipSync(archive))
      await world.copy([add('a.tgz')], '/')
      const names = (await world.listing()).map((line) => line.split(' ').slice(0, 2).join(' '))
      assert.ok(names.includes('file "srv/data/new"') && !names.includes('file "srv/data/old"'))
      assert.ok(names.includes('directory "to-srv"') && names.includes('file "to-srv/x"'))
      const linked = (await world.listing()).find((line) => line.startsWith('hardlink'))
      assert.match(linked ?? '', /"etc\/passwd-".* etc\/passwd /)
    })

    it('leave nothing of a copy that is cancelled or fails', async () => {
      await using world = await World.start(driver)
      await writeFile(join(world.context, 'f'), Buffer.alloc(8 << 20))
      const layers = async (): Promise<number> =>
        (await Array.fromAsync(world.store.snapshots.layers())).length
      const abort = new AbortController()
      const copied = world.copy(['f'], '/d/', {
        signal: abort.signal,
        onRead: () => abort.abort(new Error('enough')),
      })
      await assert.rejects(copied, /enough/)
      await assert.rejects(world.copy(['f', 'nope'], '/d/'), /"\/nope": not found/)
      await writeFile(
        join(world.context, 'cut.tgz'),
        gzipSync(tar.archive(tar.file('f', 'x'.repeat(9000)))).subarray(0, -20),
      )
      await assert.rejects(world.copy([add('cut.tgz')], '/d/'), /corrupt gzip stream/)
      assert.equal(await layers(), 0)
      assert.deepEqual(await world.store.leftovers(), [])
      assert.deepEqual(await readdir(join(world.store.dataRoot, 'build/contexts')), [])
    })
  })
}

describe('a disk that is full', () => {
  it('is said, and nothing of the layer is left', async () => {
    await using small = await smallDisk('6m')
    await using world = await World.start('erofs', small.path)
    const bytes = randomBytes(8 << 20)
    await writeFile(join(world.context, 'file'), bytes)
    await writeFile(join(world.context, 'a.tgz'), gzipSync(tar.archive(tar.file('file', bytes))))
    await writeFile(
      join(world.context, 'twice.tgz'),
      gzipSync(tar.archive(tar.file('f', randomBytes(4 << 20)))),
    )
    for (const source of ['file', 'a.tgz', 'twice.tgz']) {
      await assert.rejects(world.copy([add(source)], '/d/'), (error) => {
        assert.ok(error instanceof EngineError && error.code === 'DISK_FULL', String(error))
        assert.match(error.message, /no space left on device/)
        return true
      })
      assert.deepEqual(await world.store.leftovers(), [])
    }
    assert.deepEqual(await readdir(join(small.path, 'build/contexts')), [])
    assert.deepEqual(await Array.fromAsync(world.store.snapshots.layers()), [])
  })
})

describe('layers of COPY', () => {
  it('are the same whatever stores them', async () => {
    const made: (Digest | undefined)[] = []
    for (const driver of drivers) {
      await using world = await World.start(driver)
      await fillContext(world.context)
      await world.base(...base)
      made.push(await world.copy(['.'], '/srv/'))
    }
    assert.equal(made[0], made[1])
  })

  it('depend on nothing below with --link', async () => {
    await using world = await World.start('erofs')
    await fillContext(world.context)
    const alone = await world.copy(['.'], '/to-srv/', { link: true })
    await world.base(...base)
    assert.equal(await world.copy(['.'], '/to-srv/', { link: true }), alone)
  })

  it('have no sockets', async () => {
    await using world = await World.start('erofs')
    await using server = createServer()
    await new Promise<void>((resolve) => server.listen(join(world.context, 'socket'), resolve))
    await writeFile(join(world.context, 'f'), 'f')
    await world.copy(['.'], '/')
    assert.deepEqual(
      (await world.listing()).map((line) => line.split(' ')[1]),
      ['"f"'],
    )
  })
})

describe('hostile sources', () => {
  /** A file of the host that must neither be read nor written. */
  async function canary(world: World): Promise<string> {
    await mkdir(join(world.root, 'host'))
    await writeFile(join(world.root, 'host/secret'), 'secret')
    await utimes(join(world.root, 'host'), 1, 1)
    return join(world.root, 'host')
  }

  async function untouched(host: string): Promise<void> {
    assert.deepEqual(await readdir(host), ['secret'])
    assert.equal(await readFile(join(host, 'secret'), 'utf8'), 'secret')
  }

  it('GHSA-32pv-7hq5-qhwq: neither names nor symlinks of a step reach the host', async () => {
    await using world = await World.start('erofs')
    const host = await canary(world)
    await symlink(host, join(world.context, 'absolute'))
    await symlink('../host', join(world.context, 'relative'))
    await symlink('..', join(world.context, 'up'))
    await mkdir(join(world.context, 'd'))
    await symlink(host, join(world.context, 'd/inside'))
    const sources = [
      'absolute',
      'relative',
      'absolute/secret',
      'relative/*',
      'up/host',
      '../host',
      '../../host/secret',
    ]
    for (const pattern of [...sources, ...sources.map((each) => `d/../${each}`)]) {
      for (const parents of [false, true]) {
        const copied = world.copy([pattern], '/x/', { parents })
        await copied.catch((error: unknown) => assert.ok(error instanceof EngineError, String(error)))
      }
    }
    await world.copy(['d'], '/y/')
    await world.copy(['up'], '/z/')
    const lines = await world.listing()
    assert.ok(!lines.some((line) => line.startsWith('file')), lines.join('\n'))
    await untouched(host)
  })

  it('symlinks of the layers below lead to the layers, not to the host', async () => {
    await using world = await World.start('erofs')
    const host = await canary(world)
    await world.base(
      tar.symlink('absolute', host),
      tar.symlink('relative', `../../../../../../../..${host}`),
      tar.symlink('etc', '../../../../etc-of-image'),
    )
    await writeFile(join(world.context, 'secret'), 'mine')
    for (const at of ['/absolute/', '/relative/', '/absolute/secret', '/etc/x'])
      await world.copy(['secret'], at)
    // The host's /etc/passwd has a user of this name, but that is not the one below.
    await world.copy(['secret'], '/of-daemon', { chown: 'daemon' })
    assert.ok((await world.listing()).some((line) => line.startsWith('file "of-daemon" 644 0:0')))
    await world.workdir('/relative/w', '')
    const names = (await world.listing()).map((line) => line.split(' ')[1])
    assert.ok(names.includes(JSON.stringify(`${host.slice(1)}/secret`)))
    assert.ok(names.includes(JSON.stringify(`${host.slice(1)}/w`)))
    await untouched(host)
  })

  it('archives reach neither the host nor what is outside of the destination', async () => {
    await using world = await World.start('erofs')
    const host = await canary(world)
    await world.base(...base, tar.symlink('app/out', host), tar.symlink('app/etc', '/etc'))
    const before = await world.listing()
    const archives: Record<string, readonly tar.Piece[]> = {
      dots: [tar.file(`..${host}/secret`, 'evil')],
      deep: [tar.file(`${'../'.repeat(12)}${host.slice(1)}/secret`, 'evil')],
      absolute: [tar.file(`${host}/secret`, 'evil')],
      symlink: [tar.symlink('s', host), tar.file('s/secret', 'evil')],
      climbing: [tar.symlink('s', '../../etc'), tar.file('s/passwd', 'evil')],
      existing: [tar.file('out/secret', 'evil'), tar.file('etc/passwd', 'evil')],
      hardlink: [tar.hardlink('h', `${host}/secret`)],
      hardlinkUp: [tar.hardlink('h', '../etc/passwd')],
      throughLink: [tar.symlink('s', '/'), tar.hardlink('h', 's/etc/passwd')],
      whiteout: [tar.whiteout('etc')],
      opaque: [tar.opaque('')],
      device: [tar.device('etc', 'c', 0, 0)],
    }
    for (const [name, pieces] of Object.entries(archives)) {
      await writeFile(join(world.context, `${name}.tar`), tar.archive(...pieces))
      await world
        .copy([add(`${name}.tar`)], '/app/')
        .catch((error: unknown) => assert.ok(error instanceof EngineError, String(error)))
    }
    const outside = (lines: readonly string[]): readonly string[] =>
      lines.filter((line) => !line.includes(' "app'))
    assert.deepEqual(outside(await world.listing()), outside(before))
    const links = (await world.listing()).filter((line) => /^symlink "app\/(?:out|etc)"/.test(line))
    assert.equal(links.length, 2)
    await untouched(host)
  })
})

/** A filesystem of its own that is full soon. */
async function smallDisk(size: string): Promise<AsyncDisposable & { readonly path: string }> {
  await using resources = new AsyncDisposableStack()
  const { path } = resources.use(await temporaryDirectory('small'))
  assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'berth-test', path]).status, 0)
  resources.defer(() => assert.equal(spawnSync('umount', [path]).status, 0))
  const owned = resources.move()
  return { path, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
