import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { EngineError } from '#base/errors.ts'
import * as tar from '#test/fixtures/archives/archive.ts'
import { sparse } from '#test/fixtures/archives/sparse.ts'
import { added, type CopyOptions, CopyWorld } from './copy-world.fixture.ts'
import { directory, file, MemoryTree, symlink } from './memory-tree.fixture.ts'

const below = (): MemoryTree =>
  new MemoryTree({
    'app/dir/old': file('old', { mode: 0o4711, uid: 9 }),
    'etc/passwd': file('root'),
    'to-etc': symlink('/etc'),
    'app/to-etc': symlink('/etc'),
    'app/up': symlink('../../etc'),
    tmp: directory({ mode: 0o1777 }),
  })

function worldOf(archive: Buffer, root = below()): CopyWorld {
  return new CopyWorld(new MemoryTree({ 'a.tar': { ...file(), content: archive } }), root)
}

/** What `ADD a.tar destination` changes below. */
async function changes(
  pieces: readonly tar.Piece[],
  destination: string,
  options?: CopyOptions,
): Promise<string[]> {
  const world = worldOf(tar.archive(...pieces))
  const before = new Set(world.root.listing())
  await world.copy([added('a.tar')], destination, options)
  return world.root.listing().filter((line) => !before.has(line))
}

function refuses(code: string, message: RegExp) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof EngineError, String(error))
    assert.equal(error.code, code)
    assert.match(error.message, message)
    return true
  }
}

const small = tar.archive(
  tar.directory('d', { mode: 0o700, uid: 7 }),
  tar.file('d/f', 'f', { uid: 7, gid: 8 }),
)

describe('ADD of an archive', () => {
  it('unpacks it into the destination, with its own owners, modes and times', async () => {
    const world = worldOf(small, new MemoryTree())
    await world.copy([added('a.tar')], '/x')
    assert.deepEqual(world.root.listing({ times: true }), [
      '755 0:0 directory x @1700000000',
      '700 7:0 directory x/d @1700000000',
      '644 7:8 file x/d/f "f" @1700000000',
    ])
  })

  it('knows archives by their content, in every compression', async () => {
    const compressed: Record<string, Buffer> = {
      none: small,
      gzip: gzipSync(small),
      zstd: zstdCompressSync(small),
    }
    for (const program of ['bzip2', 'xz']) {
      const { stdout, error } = spawnSync(program, ['-c'], { input: small })
      if (error === undefined) compressed[program] = stdout
    }
    for (const [name, bytes] of Object.entries(compressed)) {
      const world = worldOf(bytes, new MemoryTree())
      await world.copy([added('a.tar')], '/x')
      assert.equal(world.root.listing().length, 3, name)
    }
  })

  it('copies what is no archive', async () => {
    const others: readonly Buffer[] = [
      Buffer.from('text\n'),
      Buffer.alloc(0),
      Buffer.alloc(5000),
      gzipSync('text'),
      gzipSync(small).subarray(0, 20),
      Buffer.from([0x1f, 0x8b, 1, 2, 3]),
      small.subarray(0, 300),
    ]
    for (const [i, bytes] of others.entries()) {
      const world = worldOf(bytes, new MemoryTree())
      await world.copy([added('a.tar')], '/x/')
      assert.deepEqual(world.root.files.get('x/a.tar')?.content, bytes, `${i}`)
    }
  })

  it('copies it when it is not to be unpacked, and files in directories always', async () => {
    const world = worldOf(small, new MemoryTree())
    await world.copy(['a.tar'], '/x/')
    await world.copy([added('.')], '/y/')
    assert.deepEqual([...world.root.files.keys()].slice(1), ['x', 'x/a.tar', 'y', 'y/a.tar'])
  })

  it('applies an owner to all, but no mode', async () => {
    assert.deepEqual(await changes([small], '/x/', { chown: '5', chmod: '777' }), [
      '755 5:5 directory x',
      '700 5:5 directory x/d',
      '644 5:5 file x/d/f "f"',
    ])
  })

  it('describes directories anew, but not the one that it is unpacked into', async () => {
    const pieces = [
      tar.directory('.', { mode: 0o700, uid: 3 }),
      tar.directory('tmp', { mode: 0o750, uid: 3 }),
    ]
    assert.deepEqual(await changes(pieces, '/'), ['750 3:0 directory tmp'])
    assert.deepEqual(await changes([tar.directory('.', { mode: 0o700 })], '/app'), [])
  })

  it('makes parents that it does not describe', async () => {
    assert.deepEqual(await changes([tar.file('i/j/k', '1')], '/x'), [
      '755 0:0 directory x',
      '755 0:0 directory x/i',
      '755 0:0 directory x/i/j',
      '644 0:0 file x/i/j/k "1"',
    ])
  })

  it('replaces files, symlinks and directories by whatever it has', async () => {
    const world = worldOf(
      tar.archive(
        tar.file('app/dir', 'a file'),
        tar.directory('to-etc'),
        tar.file('to-etc/x', 'x'),
        tar.symlink('etc/passwd', 'elsewhere'),
      ),
    )
    await world.copy([added('a.tar')], '/')
    const found = world.root.listing()
    assert.ok(found.includes('644 0:0 file app/dir "a file"'))
    assert.ok(!found.some((line) => line.includes('app/dir/old')))
    assert.ok(found.includes('755 0:0 directory to-etc'))
    assert.ok(found.includes('644 0:0 file to-etc/x "x"'))
    assert.ok(found.includes('777 0:0 symlink etc/passwd -> elsewhere'))
  })

  it('hides what was in a directory that went and came again', async () => {
    const world = worldOf(
      tar.archive(
        tar.file('app/dir'),
        tar.directory('app/dir'),
        tar.file('app/dir/new', 'n'),
        tar.file('tmp/x'),
      ),
    )
    const layer = await world.copy([added('a.tar')], '/')
    assert.deepEqual(
      [...world.root.files.keys()].filter((path) => path.startsWith('app/dir')),
      ['app/dir', 'app/dir/new'],
    )
    assert.ok(layer)
  })

  it('takes the last of several members of one name', async () => {
    const pieces = [tar.file('f', 'one'), tar.file('g', 'g'), tar.file('f', 'two'), tar.hardlink('h', 'f')]
    assert.deepEqual(await changes(pieces, '/tmp'), [
      '644 0:0 file tmp/f "two"',
      '644 0:0 file tmp/g "g"',
      '644 0:0 file tmp/h = tmp/f',
    ])
  })

  it('keeps hard links, also to files that only the layers below have', async () => {
    const pieces = [
      tar.file('z', 'z'),
      tar.hardlink('a', 'z'),
      tar.hardlink('low', 'app/dir/old'),
      tar.symlink('s', 'z'),
      tar.hardlink('t', 's'),
    ]
    assert.deepEqual(await changes(pieces, '/'), [
      '644 0:0 file a "z"',
      '4711 9:0 file low = app/dir/old',
      '777 0:0 symlink s -> z',
      '777 0:0 symlink t = s',
      '644 0:0 file z = a',
    ])
  })

  it('fills the holes of sparse members', async () => {
    const regions = [{ offset: 4, data: Buffer.from('data') }]
    const pieces = [sparse('1.0', { name: 'f', size: 10, regions }), tar.file('g', 'g')]
    assert.deepEqual(await changes(pieces, '/tmp'), [
      `644 0:0 file tmp/f ${JSON.stringify('\0\0\0\0data\0\0')}`,
      '644 0:0 file tmp/g "g"',
    ])
  })

  it('goes together with other sources', async () => {
    const tree = new MemoryTree({ 'a.tar': { ...file(), content: small }, b: file('b'), 'c/d/g': file('g') })
    const world = new CopyWorld(tree, new MemoryTree())
    await world.copy([added('a.tar'), added('b'), added('c')], '/x/')
    assert.deepEqual(world.root.listing(), [
      '755 0:0 directory x',
      '644 0:0 file x/b "b"',
      // As the last one has it that was copied there.
      '755 0:0 directory x/d',
      '644 7:8 file x/d/f "f"',
      '644 0:0 file x/d/g "g"',
    ])
  })

  it('gives the same layer twice', async () => {
    const layer = await worldOf(small).copy([added('a.tar')], '/x')
    assert.equal(await worldOf(gzipSync(small)).copy([added('a.tar')], '/x'), layer)
  })

  it('refuses a destination that is a file', async () => {
    await assert.rejects(
      changes([small], '/etc/passwd'),
      refuses('COPY_DESTINATION_INVALID', /mkdir \/etc\/passwd: not a directory/),
    )
  })
})

describe('hostile archives', () => {
  it('lead nowhere by their names', async () => {
    await assert.rejects(
      changes([tar.file('../../etc/evil')], '/x'),
      refuses('TAR_INVALID', /leads out of the archive/),
    )
    await assert.rejects(
      changes([tar.file('f'), tar.file('a/../../f')], '/x'),
      refuses('TAR_INVALID', /leads out/),
    )
    assert.deepEqual(await changes([tar.file('/etc/passwd', 'mine')], '/x'), [
      '755 0:0 directory x',
      '755 0:0 directory x/etc',
      '644 0:0 file x/etc/passwd "mine"',
    ])
  })

  it('lead nowhere by their own symlinks: the destination is their root', async () => {
    for (const target of ['/etc', '../../etc', '../etc', 'b/../../etc']) {
      const found = await changes([tar.symlink('a', target), tar.file('a/passwd', 'evil')], '/x')
      assert.ok(found.includes('644 0:0 file x/etc/passwd "evil"'), found.join('\n'))
      assert.ok(!found.some((line) => / etc\//.test(line)))
    }
  })

  it('lead nowhere by symlinks that are there already', async () => {
    for (const link of ['to-etc', 'up']) {
      const found = await changes([tar.file(`${link}/passwd`, 'evil')], '/app')
      assert.ok(found.includes('644 0:0 file app/etc/passwd "evil"'), found.join('\n'))
      assert.ok(!found.some((line) => / etc\//.test(line)))
    }
  })

  it('link to nothing outside', async () => {
    await assert.rejects(
      changes([tar.hardlink('p', '/etc/passwd')], '/x'),
      refuses('TAR_INVALID', /hard link to a file that is not there/),
    )
    await assert.rejects(
      changes([tar.hardlink('p', '../etc/passwd')], '/x'),
      refuses('TAR_INVALID', /leads out of the archive/),
    )
    await assert.rejects(
      changes([tar.symlink('s', '/'), tar.hardlink('p', 's/app/dir/old')], '/x'),
      refuses('TAR_INVALID', /not there/),
    )
    await assert.rejects(
      changes([tar.directory('d'), tar.hardlink('p', 'd')], '/x'),
      refuses('TAR_INVALID', /hard link to a directory/),
    )
  })

  it('remove nothing', async () => {
    await assert.rejects(
      changes([tar.whiteout('etc/passwd')], '/'),
      refuses('COPY_FILE_UNSUPPORTED', /\.wh\./),
    )
    await assert.rejects(changes([tar.opaque('etc')], '/'), refuses('COPY_FILE_UNSUPPORTED', /\.wh\./))
    await assert.rejects(
      changes([tar.device('etc/passwd', 'c', 0, 0)], '/'),
      refuses('COPY_FILE_UNSUPPORTED', /0:0/),
    )
    assert.deepEqual(await changes([tar.device('n', 'c', 1, 3)], '/tmp'), ['644 0:0 char tmp/n 1:3'])
  })

  it('are not followed round and round', async () => {
    await assert.rejects(
      changes([tar.symlink('a', 'b'), tar.symlink('b', 'a'), tar.file('a/x')], '/x'),
      refuses('COPY_DESTINATION_INVALID', /too many links/),
    )
    await assert.rejects(
      changes([tar.file('f'), tar.file('f/x')], '/x'),
      refuses('COPY_DESTINATION_INVALID', /mkdir \/x\/f: not a directory/),
    )
  })

  it('have no symlinks that nothing could follow', async () => {
    const pieces = [tar.pax([['linkpath', 'a/'.repeat(400_000)]]), tar.symlink('s', 'x'), tar.file('s/f')]
    await assert.rejects(changes(pieces, '/x'), refuses('COPY_FILE_UNSUPPORTED', /more than 4095 bytes/))
  })

  it('do not fill the disk with holes', async () => {
    const huge = sparse('1.0', { name: 'huge', size: 9 * 2 ** 30, regions: [] })
    await assert.rejects(changes([huge], '/x'), refuses('TAR_INVALID', /sparse files that are too large/))
  })

  it('leave nothing when they are cut off', async () => {
    const world = worldOf(gzipSync(tar.archive(tar.file('f', randomBytes(100_000)))).subarray(0, -9000))
    await assert.rejects(world.copy([added('a.tar')], '/x'), refuses('COMPRESSION_INVALID', /unexpected end/))
    assert.deepEqual(await Array.fromAsync(world.snapshots.layers()), [])
  })
})
