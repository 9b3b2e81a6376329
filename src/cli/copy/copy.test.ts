import assert from 'node:assert/strict'
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { TarEntry } from '#oci/tar/entry.ts'
import { writeTar } from '#oci/tar/write-tar.ts'
import { Readable } from 'node:stream'
import type { Context } from '../command.ts'
import { pack } from './pack.ts'
import { followLink, parseSide, planCopy, renamed, splitPath } from './paths.ts'
import { copyToHost } from './to-host.ts'
import { unpack } from './unpack.ts'

let root = ''
const skipped: string[] = []
const options = { owners: false, skipped: (name: string) => void skipped.push(name) }
const asIs = (directory: string): { directory: string; from: string; to: string } => ({
  directory,
  from: '.',
  to: '.',
})

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-copy-'))
  mkdirSync(join(root, 'out'))
  skipped.length = 0
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

type Member = Partial<TarEntry> & { readonly path: string; readonly content?: string }

function archive(...members: readonly Member[]): AsyncIterable<Uint8Array> {
  return writeTar(
    members.map(({ content = '', ...rest }) => ({
      entry: {
        type: 'file',
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: { seconds: 1_700_000_000, nanoseconds: 0 },
        size: Buffer.byteLength(content),
        ...rest,
      },
      data: [Buffer.from(content)],
    })),
  )
}

it('copyToHost() makes what a dangling symlink leads to, and leaves the link', async () => {
  const link = join(root, 'link')
  symlinkSync('next', link)
  symlinkSync('out/made', join(root, 'next'))
  const stat = { name: 'f', size: 4, mode: 0o644, mtime: '', linkTarget: '' }
  const tar = Readable.from(archive({ path: 'f', content: 'text' }), { objectMode: false })
  const context = {
    io: { cwd: root, uid: 1000 },
    client: { containerFiles: { get: async () => ({ stat, tar }) } },
  } as unknown as Context
  await copyToHost({ container: 'c', path: '/f' }, link, { archive: false, followLink: false }, context)
  assert.equal(readFileSync(join(root, 'out/made'), 'utf8'), 'text')
  assert.deepEqual([readlinkSync(link), readlinkSync(join(root, 'next'))], ['next', 'out/made'])
})

describe('pack() and unpack()', () => {
  it('carry files, modes, times, symlinks and hard links over', async () => {
    const from = join(root, 'from')
    mkdirSync(join(from, 'sub'), { recursive: true })
    writeFileSync(join(from, 'sub/a'), 'content', { mode: 0o750 })
    linkSync(join(from, 'sub/a'), join(from, 'z'))
    symlinkSync('/absolute/target', join(from, 'link'))
    utimesSync(join(from, 'sub'), 1_600_000_000, 1_600_000_000)

    const { bytes } = await unpack(writeTar(pack(from, 'name')), asIs(join(root, 'out')), options)

    const out = join(root, 'out/name')
    assert.equal(bytes, 7)
    assert.equal(readFileSync(join(out, 'sub/a'), 'utf8'), 'content')
    assert.equal(statSync(join(out, 'sub/a')).mode & 0o777, 0o750)
    assert.equal(statSync(join(out, 'sub/a')).ino, statSync(join(out, 'z')).ino)
    assert.equal(readlinkSync(join(out, 'link')), '/absolute/target')
    assert.equal(statSync(join(out, 'sub')).mtimeMs, 1_600_000_000_000)
  })

  it('keep names that are no UTF-8', async () => {
    const from = join(root, 'from')
    mkdirSync(from)
    const name = Buffer.concat([Buffer.from(`${from}/`), Buffer.from([0x61, 0xff])])
    writeFileSync(name, 'x')
    await unpack(writeTar(pack(from, '')), asIs(join(root, 'out')), options)
    assert.equal(
      readFileSync(Buffer.concat([Buffer.from(`${root}/out/`), Buffer.from([0x61, 0xff])]), 'utf8'),
      'x',
    )
  })
})

describe('unpack() of a hostile archive', () => {
  it('does not write through a symlink that the archive brings', async () => {
    mkdirSync(join(root, 'outside'))
    const hostile = archive(
      { path: 'd', type: 'symlink', link: join(root, 'outside') },
      { path: 'd/evil', content: 'x' },
    )
    await assert.rejects(unpack(hostile, asIs(join(root, 'out')), options), /refusing to unpack d\/evil/)
    assert.equal(existsSync(join(root, 'outside/evil')), false)
  })

  it('does not write through a symlink that was there before', async () => {
    mkdirSync(join(root, 'outside'))
    symlinkSync(join(root, 'outside'), join(root, 'out/d'))
    await assert.rejects(
      unpack(archive({ path: 'd/evil', content: 'x' }), asIs(join(root, 'out')), options),
      /refusing/,
    )
    assert.equal(existsSync(join(root, 'outside/evil')), false)
  })

  it('replaces a symlink instead of writing to where it leads', async () => {
    writeFileSync(join(root, 'victim'), 'mine')
    const hostile = archive(
      { path: 'f', type: 'symlink', link: join(root, 'victim') },
      { path: 'f', content: 'evil' },
    )
    await unpack(hostile, asIs(join(root, 'out')), options)
    assert.equal(readFileSync(join(root, 'victim'), 'utf8'), 'mine')
    assert.equal(lstatSync(join(root, 'out/f')).isFile(), true)
  })

  it('does not hard-link what is outside', async () => {
    writeFileSync(join(root, 'victim'), 'mine')
    for (const link of ['../victim', join(root, 'victim')]) {
      await assert.rejects(
        unpack(archive({ path: 'h', type: 'hardlink', link }), asIs(join(root, 'out')), options),
      )
      assert.equal(existsSync(join(root, 'out/h')), false)
    }
    const through = archive(
      { path: 'd', type: 'symlink', link: root },
      { path: 'h', type: 'hardlink', link: 'd/victim' },
    )
    await assert.rejects(unpack(through, asIs(join(root, 'out')), options), /refusing/)
  })

  it('refuses names that lead out', async () => {
    await assert.rejects(unpack(archive({ path: '../evil', content: 'x' }), asIs(join(root, 'out')), options))
    assert.equal(existsSync(join(root, 'evil')), false)
    await unpack(archive({ path: '/abs', content: 'x' }), asIs(join(root, 'out')), options)
    assert.equal(readFileSync(join(root, 'out/abs'), 'utf8'), 'x')
  })

  it('gives no set-user-id bits and makes no devices', async () => {
    await unpack(
      archive({ path: 'su', mode: 0o4755, content: 'x' }, { path: 'mem', type: 'char', major: 1, minor: 1 }),
      asIs(join(root, 'out')),
      options,
    )
    assert.equal(statSync(join(root, 'out/su')).mode & 0o7777, 0o755)
    assert.deepEqual(skipped, ['mem'])
  })

  it('puts no file in place of a directory, and no directory in place of a file', async () => {
    mkdirSync(join(root, 'out/d'))
    await assert.rejects(
      unpack(archive({ path: 'd' }), asIs(join(root, 'out')), options),
      /cannot overwrite directory d/,
    )
    writeFileSync(join(root, 'out/f'), '')
    await assert.rejects(
      unpack(archive({ path: 'f', type: 'directory' }), asIs(join(root, 'out')), options),
      /cannot overwrite non-directory f/,
    )
  })
})

describe('planCopy()', () => {
  const file = (path: string): { path: string; isDirectory: boolean } => ({ path, isDirectory: false })
  const folder = (path: string): { path: string; isDirectory: boolean } => ({ path, isDirectory: true })
  const at = (
    path: string,
    kind: 'none' | 'file' | 'directory',
  ): { path: string; exists: boolean; isDirectory: boolean } => ({
    path,
    exists: kind !== 'none',
    isDirectory: kind === 'directory',
  })

  it('follows the rules of cp -a', () => {
    const plans: [ReturnType<typeof planCopy>, string, string, string][] = [
      [planCopy(file('/a/f'), at('/d', 'directory')), '/d', 'f', 'f'],
      [planCopy(file('/a/f'), at('/d/g', 'file')), '/d', 'f', 'g'],
      [planCopy(file('/a/f'), at('/d/g', 'none')), '/d', 'f', 'g'],
      [planCopy(folder('/a/s'), at('/d', 'directory')), '/d', 's', 's'],
      [planCopy(folder('/a/s/'), at('/d', 'directory')), '/d', 's', 's'],
      [planCopy(folder('/a/s/.'), at('/d', 'directory')), '/d', '.', '.'],
      [planCopy(folder('/a/s'), at('/d/new', 'none')), '/d', 's', 'new'],
      [planCopy(folder('/a/s/.'), at('/d/new', 'none')), '/d', '.', 'new'],
      [planCopy(folder('/a/s'), at('/d/new/', 'none')), '/d', 's', 'new'],
      [planCopy({ ...file('/b/real'), name: 'link' }, at('/d', 'directory')), '/d', 'real', 'link'],
    ]
    for (const [plan, directory, from, to] of plans) assert.deepEqual(plan, { directory, from, to })
  })

  it('refuses what cannot be', () => {
    assert.throws(() => planCopy(folder('/a/s'), at('/d/f', 'file')), /cannot copy directory/)
    assert.throws(() => planCopy(file('/a/f'), at('/d/new/', 'none')), /no such directory: \/d\/new\//)
  })

  it('renames the top of an archive only', () => {
    const plan = { directory: '/d', from: 's', to: 'new' }
    assert.deepEqual(
      ['s', 's/a', 's/s', 'sx'].map((name) => renamed(name, plan)),
      ['new', 'new/a', 'new/s', undefined],
    )
    assert.deepEqual(
      ['', 'a'].map((name) => renamed(name, { ...plan, from: '.' })),
      ['new', 'new/a'],
    )
    assert.deepEqual(
      ['', 'a'].map((name) => renamed(name, { directory: '/d', from: '.', to: '.' })),
      ['', 'a'],
    )
  })
})

describe('paths of a copy', () => {
  it('are split with what a trailing slash or dot means', () => {
    const split = (path: string): string[] => Object.values(splitPath(path))
    assert.deepEqual(['/a/b', '/a/b/', '/a/b/.', '/', 'b', '.', '/a/../b'].map(split), [
      ['/a', 'b'],
      ['/a', 'b'],
      ['/a/b', '.'],
      ['/', '/'],
      ['.', 'b'],
      ['.', '.'],
      ['/', 'b'],
    ])
    assert.equal(followLink('/a/link/.', '../t'), '/t/.')
    assert.equal(followLink('/a/link', '/abs'), '/abs')
  })

  it('belong to a container when a colon says so', () => {
    assert.deepEqual(parseSide('c:/p:q'), { kind: 'container', container: 'c', path: '/p:q' })
    assert.deepEqual(parseSide('./a:b'), { kind: 'local', path: './a:b' })
    assert.deepEqual(parseSide('/a:b'), { kind: 'local', path: '/a:b' })
    assert.deepEqual(parseSide('-'), { kind: 'stream' })
  })
})
