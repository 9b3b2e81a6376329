import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { EngineError, isKind } from '#base/errors.ts'
import {
  archive,
  base256,
  device,
  directory,
  fifo,
  file,
  gnuLong,
  hardlink,
  header,
  padded,
  pax,
  stream,
  symlink,
} from '#test/fixtures/archives/archive.ts'
import { contentOf, sparse, type SparseFile } from '#test/fixtures/archives/sparse.ts'
import { encodeBytes, type TarEntry } from './entry.ts'
import { limits } from './limits.ts'
import { readTar } from './read-tar.ts'
import { writeTar } from './write-tar.ts'

interface Read {
  readonly entry: TarEntry
  readonly content: Buffer
}

async function readAll(bytes: Buffer, size?: number): Promise<readonly Read[]> {
  const all: Read[] = []
  for await (const { entry, data } of readTar(stream(bytes, size))) {
    all.push({ entry, content: Buffer.concat(await Array.fromAsync(data)) })
  }
  return all
}

async function one(bytes: Buffer): Promise<Read> {
  const all = await readAll(bytes)
  assert.equal(all.length, 1)
  return all[0]!
}

async function refused(bytes: Buffer, pattern: RegExp): Promise<void> {
  for (const size of [1 << 20, 100]) {
    await assert.rejects(readAll(bytes, size), (error) => {
      assert.ok(error instanceof EngineError && isKind(error, 'invalid_argument'), String(error))
      assert.match(error.message, pattern)
      return true
    })
  }
}

describe('readTar()', () => {
  const mixed = archive(
    directory('etc'),
    file('etc/hostname', 'box\n', { mode: 0o4755, uid: 7, gid: 8 }),
    file('etc/empty'),
    symlink('etc/mtab', '../proc/mounts'),
    hardlink('etc/same', './etc/hostname'),
    device('null', 'c', 1, 3),
    device('loop0', 'b', 7, 0),
    fifo('pipe'),
    file('big', Buffer.alloc(100_000, 'x')),
  )
  const summary = [
    'directory etc',
    'file etc/hostname 4',
    'file etc/empty 0',
    'symlink etc/mtab ../proc/mounts',
    'hardlink etc/same etc/hostname',
    'char null 1:3',
    'block loop0 7:0',
    'fifo pipe',
    'file big 100000',
  ]
  const summarise = ({ entry, content }: Read): string => {
    const rest =
      entry.type === 'file'
        ? content.length
        : (entry.link ?? (entry.major === undefined ? '' : `${entry.major}:${entry.minor}`))
    return `${entry.type} ${entry.path} ${rest}`.trimEnd()
  }

  it('gives every kind of member, however the stream is cut', async () => {
    for (const size of [1, 100, 511, 512, 513, 4096, 1 << 20]) {
      assert.deepEqual((await readAll(mixed, size)).map(summarise), summary)
    }
    const [, hostname] = await readAll(mixed)
    assert.deepEqual(hostname!.entry, {
      type: 'file',
      path: 'etc/hostname',
      mode: 0o4755,
      uid: 7,
      gid: 8,
      mtime: { seconds: 1_700_000_000, nanoseconds: 0 },
      size: 4,
    })
  })

  it('skips content that nobody consumes', async () => {
    const paths: string[] = []
    for await (const { entry } of readTar(stream(mixed, 1000))) paths.push(entry.path)
    assert.equal(paths.length, summary.length)
  })

  it('closes its source when the reader stops', async () => {
    let closed = false
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield mixed
      } finally {
        closed = true
      }
    }
    for await (const { entry } of readTar(source())) if (entry.path === 'etc') break
    assert.equal(closed, true)
  })

  it('takes everything PAX records say', async () => {
    const { entry } = await one(
      archive(
        pax([
          ['path', 'ünï/' + 'n'.repeat(200)],
          ['uid', '4000000000'],
          ['gid', '3000000'],
          ['mtime', '1234567890.123456789'],
          ['SCHILY.xattr.user.note', Buffer.from([0, 1, 10, 61, 255])],
          ['SCHILY.xattr.security.capability', 'x'],
          ['comment', 'ignored'],
        ]),
        file('short', 'hello'),
      ),
    )
    assert.deepEqual(entry, {
      type: 'file',
      path: 'ünï/' + 'n'.repeat(200),
      mode: 0o644,
      uid: 4_000_000_000,
      gid: 3_000_000,
      mtime: { seconds: 1_234_567_890, nanoseconds: 123_456_789 },
      size: 5,
      xattrs: new Map([
        ['user.note', new Uint8Array([0, 1, 10, 61, 255])],
        ['security.capability', new Uint8Array([0x78])],
      ]),
    })
  })

  it('applies global PAX records until a local one or an empty value overrides them', async () => {
    const all = await readAll(
      archive(
        pax(
          [
            ['uid', '9'],
            ['gid', '9'],
          ],
          'g',
        ),
        file('a'),
        pax([['uid', '5']]),
        file('b'),
        pax([['gid', '']]),
        file('c', '', { gid: 3 }),
      ),
    )
    assert.deepEqual(
      all.map(({ entry }) => [entry.uid, entry.gid]),
      [
        [9, 9],
        [5, 9],
        [9, 3],
      ],
    )
  })

  it('reads times before 1970 and fractions of any length', async () => {
    const times = ['-1', '-1.25', '0.0000000019', '1.', '12.5']
    const all = await readAll(
      archive(...times.map((time) => Buffer.concat([pax([['mtime', time]]), file('a')]))),
    )
    assert.deepEqual(
      all.map(({ entry: { mtime } }) => [mtime.seconds, mtime.nanoseconds]),
      [
        [-1, 0],
        [-2, 750_000_000],
        [0, 1],
        [1, 0],
        [12, 500_000_000],
      ],
    )
  })

  it('reads GNU long names and base-256 numbers', async () => {
    const name = 'd/'.repeat(80) + 'file'
    const { entry } = await one(
      archive(
        gnuLong('L', name),
        gnuLong('K', '/'.repeat(3) + 't'.repeat(200)),
        symlink('cut', 'cut', { magic: 'ustar  \0', raw: [[136, base256(-5n)]] }),
      ),
    )
    assert.equal(entry.path, name)
    assert.equal(entry.link, '///' + 't'.repeat(200))
    assert.equal(entry.mtime.seconds, -5)
  })

  it('joins a ustar prefix, and not what GNU puts in its place', async () => {
    assert.equal((await one(archive(file('base', '', { prefix: 'some/dir' })))).entry.path, 'some/dir/base')
    assert.equal(
      (await one(archive(file('base', '', { prefix: '1234', magic: 'ustar  \0' })))).entry.path,
      'base',
    )
    assert.equal(
      (await one(archive(file('base', '', { prefix: '1234', magic: '\0\0\0\0\0\0\0\0' })))).entry.path,
      'base',
    )
  })

  it('takes an old file whose name ends in a slash for a directory', async () => {
    const { entry } = await one(archive(header({ name: 'dir/', type: '\0', magic: '\0\0\0\0\0\0\0\0' })))
    assert.equal(entry.type, 'directory')
  })

  it('accepts an archive that ends without the empty blocks, or with one', async () => {
    const member = file('a', 'x')
    assert.equal((await readAll(member)).length, 1)
    assert.equal((await readAll(Buffer.concat([member, Buffer.alloc(512)]))).length, 1)
    assert.equal((await readAll(Buffer.concat([archive(member), Buffer.from('anything')]))).length, 1)
    assert.equal((await readAll(Buffer.alloc(0))).length, 0)
  })

  it('cleans names and keeps absolute ones inside', async () => {
    const paths = ['./a', '/etc/x', 'a//b/./c', 'a/../b', '../'.slice(0, 0) + 'x/..', './']
    const all = await readAll(archive(...paths.map((path) => file(path))))
    assert.deepEqual(
      all.map(({ entry }) => entry.path),
      ['a', 'etc/x', 'a/b/c', 'b', '', ''],
    )
  })
})

describe('readTar() of sparse files', () => {
  const regions = [
    { offset: 512, data: Buffer.alloc(512, 'a') },
    { offset: 4096, data: Buffer.alloc(1024, 'b') },
    { offset: 70_000, data: Buffer.from('odd') },
  ]
  const example: SparseFile = { name: 'sparse', size: 100_000, regions }

  for (const format of ['old', '0.0', '0.1', '1.0'] as const) {
    it(`reads format ${format}`, async () => {
      for (const size of [100, 1 << 20]) {
        const all = await readAll(archive(sparse(format, example), file('after', 'x')), size)
        assert.deepEqual(
          all.map(({ entry }) => [entry.path, entry.size]),
          [
            ['sparse', 100_000],
            ['after', 1],
          ],
        )
        assert.ok(all[0]!.content.equals(contentOf(example)))
      }
    })

    it(`reads format ${format} with many regions, and with none`, async () => {
      const many: SparseFile = {
        name: 'many',
        size: 1_000_000,
        regions: Array.from({ length: 100 }, (_, i) => ({ offset: i * 9000, data: Buffer.alloc(10, i + 1) })),
      }
      const none: SparseFile = { name: 'none', size: 5000, regions: [] }
      const all = await readAll(archive(sparse(format, many), sparse(format, none), file('after')))
      assert.ok(all[0]!.content.equals(contentOf(many)))
      assert.ok(all[1]!.content.equals(contentOf(none)))
      assert.equal(all.length, 3)
    })

    it(`refuses maps of format ${format} that overlap, run backwards or do not add up`, async () => {
      const overlap = [regions[0]!, { offset: 600, data: Buffer.alloc(512) }]
      await refused(archive(sparse(format, { ...example, regions: overlap })), /sparse: sparse map/)
      await refused(
        archive(sparse(format, { ...example, regions: [...regions].reverse() })),
        /sparse: sparse map/,
      )
      await refused(archive(sparse(format, { ...example, size: 4000 })), /sparse: sparse map/)
    })
  }

  it('CVE-2025-58183: refuses a sparse 1.0 map of a billion regions without reading it', async () => {
    const map = padded(Buffer.from('1000000000\n0\n1\n'))
    const records = [
      ['GNU.sparse.major', '1'],
      ['GNU.sparse.minor', '0'],
      ['GNU.sparse.realsize', '1'],
    ] as const
    await refused(
      archive(pax(records), header({ name: 'bomb', type: '0', size: 512 }), map),
      /bomb: too many sparse regions/,
    )
  })

  it('sparse bomb: refuses to make up more zeros than the limit', async () => {
    const size = limits.expandedHoles / 2 + 4096
    const half = (name: string) => sparse('1.0', { name, size, regions: [] })
    const source = readTar(stream(archive(half('a'), half('b'))))
    assert.equal((await source.next()).value?.entry.size, size)
    await assert.rejects(source.next(), /b: sparse files that are too large/)
  })

  it('refuses a file larger than any file system holds', async () => {
    await refused(archive(sparse('1.0', { name: 'huge', size: 2 ** 50, regions: [] })), /huge: invalid size/)
  })
})

describe('readTar() of malformed archives', () => {
  const whole = archive(pax([['path', 'a/long/name']]), file('a', Buffer.alloc(3000, 'x')), file('b', 'y'))

  it('refuses an archive that is cut off inside a member', async () => {
    for (const length of [1, 511, 700, 1023, 1100, 2000, 4535, 5000]) {
      await refused(whole.subarray(0, length), /unexpected end of the archive/)
    }
  })

  it('refuses a header with a wrong checksum, naming the place', async () => {
    await refused(archive(file('a', '', { checksum: 1 })), /wrong checksum \(at byte 512\)/)
    const flipped = Buffer.from(whole)
    flipped[1024 + 3]! ^= 1
    await refused(flipped, /a\/long\/name|wrong checksum/)
  })

  it('accepts checksums summed over signed bytes', async () => {
    const name = Buffer.from('n\xe9', 'latin1')
    const right = header({ name: 'né', type: '0' })
    const unsigned = parseInt(right.toString('latin1', 148, 154), 8)
    const high = right.filter((byte) => byte > 127).length
    assert.ok(name.length > 0 && high === 2)
    const { entry } = await one(archive(header({ name: 'né', type: '0', checksum: unsigned - 256 * high })))
    assert.equal(entry.path, 'né')
  })

  it('refuses numbers that are none', async () => {
    await refused(
      archive(header({ name: 'bad', type: '0', raw: [[124, Buffer.from('99999999999\0')]] })),
      /bad: invalid size/,
    )
    await refused(
      archive(header({ name: 'bad', type: '0', raw: [[124, base256(-1n)]] })),
      /bad: invalid size/,
    )
    await refused(
      archive(header({ name: 'bad', type: '0', raw: [[124, base256(1n << 70n)]] })),
      /bad: invalid size/,
    )
    await refused(
      archive(header({ name: 'bad', type: '0', raw: [[108, base256(-1n).subarray(4)]] })),
      /checksum|bad: invalid uid/,
    )
    await refused(archive(pax([['size', '1e3']]), file('bad')), /bad: invalid size/)
    await refused(archive(pax([['mtime', 'noon']]), file('bad')), /bad: invalid modification time/)
  })

  it('CVE-2024-40635: refuses owners that would wrap round', async () => {
    for (const uid of ['-1', '4294967295', '4294967296', '18446744073709551616']) {
      await refused(archive(pax([['uid', uid]]), file('bad')), /bad: invalid uid/)
    }
  })

  it('refuses malformed PAX records', async () => {
    const records = [
      '',
      'x',
      '5 a=b',
      '99 a=b\n',
      '6 ab=\n\n',
      '7 a=bcd',
      '4 =\n',
      '0 a=b\n',
      '99999999999 a=b\n',
      '6 a=b\0',
    ]
    for (const text of records) {
      const data = Buffer.from(text)
      const raw = Buffer.concat([
        header({ name: 'p', type: 'x', size: data.length }),
        padded(data),
        file('a'),
      ])
      await refused(archive(raw), /PAX record|extended header/)
    }
    await refused(archive(pax([['path', 'a\0b']]), file('a')), /NUL in PAX record path/)
  })

  it('C1 archive bombs: refuses a huge extended header without reading it', async () => {
    for (const type of ['x', 'g', 'L', 'K']) {
      await refused(
        archive(header({ name: 'h', type, size: 1 << 30 })),
        /extended header of 1073741824 bytes/,
      )
    }
  })

  it('C1 archive bombs: refuses global records that pile up', async () => {
    const piece = (i: number) =>
      pax(
        Array.from({ length: 200 }, (_, n) => [`key.${i}.${n}`, 'v'] as const),
        'g',
      )
    await refused(archive(...Array.from({ length: 10 }, (_, i) => piece(i)), file('a')), /too many global/)
  })

  it('Apple GHSA-697p-8837-37h3, GHSA-g3rx-2m58-rr63: refuses over-long names and bad extended attributes', async () => {
    await refused(archive(pax([['path', 'a/'.repeat(3000)]]), file('a')), /name longer than 4095 bytes/)
    await refused(
      archive(pax([[`SCHILY.xattr.user.${'n'.repeat(300)}`, 'v']]), file('a')),
      /name of an extended attribute/,
    )
    await refused(archive(pax([['SCHILY.xattr.', 'v']]), file('a')), /name of an extended attribute/)
    await refused(archive(pax([['SCHILY.xattr.user.a', Buffer.alloc(70_000)]]), file('a')), /too large/)
    const many = Array.from({ length: 600 }, (_, i) => [`SCHILY.xattr.user.${i}`, 'v'] as const)
    await refused(archive(pax(many), file('a')), /too many extended attributes/)
  })

  it('CVE-2026-17106, CVE-2025-11395: refuses names that lead out', async () => {
    await refused(archive(file('../x')), /\.\.\/x: name leads out of the archive/)
    await refused(archive(file('a/../../x')), /leads out/)
    await refused(archive(file('a'), hardlink('b', '../../etc/shadow')), /b: link leads out of the archive/)
    await refused(archive(pax([['path', '/../etc/passwd']]), file('a')), /leads out/)
  })

  it('takes an archive that ends with the last byte of its last file, as `docker build -f ELSEWHERE` sends it', async () => {
    for (const length of [4536, 4600, 5121, 5200]) {
      const paths = (await readAll(whole.subarray(0, length))).map(({ entry }) => entry.path)
      assert.deepEqual(paths, length < 5121 ? ['a/long/name'] : ['a/long/name', 'b'])
    }
  })

  it('refuses types it does not know, links without a target and members without a name', async () => {
    await refused(archive(header({ name: 'odd', type: 'M' })), /odd: unsupported type "M"/)
    await refused(archive(header({ name: 'l', type: '2' })), /l: link without a target/)
    await refused(archive(header({ name: '', type: '0' })), /member without a name/)
  })

  it('refuses a lone empty block in the middle, and an extended header at the end', async () => {
    await refused(Buffer.concat([file('a'), Buffer.alloc(512), archive(file('b'))]), /lone zero block/)
    await refused(pax([['path', 'x']]), /unexpected end/)
  })

  it('refuses device numbers that Linux does not have', async () => {
    await refused(archive(device('d', 'c', 5000, 0)), /d: invalid device number/)
  })

  it('keeps names that are not UTF-8', async () => {
    const name = Buffer.from('a/caf\xe9/\xff\xfe', 'latin1')
    const { entry } = await one(archive(file(name)))
    assert.equal(entry.path.isWellFormed(), false)
    assert.equal(encodeBytes(entry.path), name.toString('latin1'))
    const back = await one(Buffer.concat(await Array.fromAsync(writeTar([{ entry, data: [] }]))))
    assert.deepEqual(back.entry, entry)
  })

  it('fails with invalid_argument or reads on, whatever bytes it gets', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ at: fc.nat(whole.length - 1), byte: fc.nat(255) }), { maxLength: 8 }),
        fc.integer({ min: 1, max: 2000 }),
        async (changes, size) => {
          const bytes = Buffer.from(whole)
          for (const { at, byte } of changes) {
            bytes[at] = byte
            fixChecksum(bytes, at - (at % 512))
          }
          try {
            await readAll(bytes, size)
          } catch (error) {
            assert.ok(isKind(error, 'invalid_argument'), String(error))
          }
        },
      ),
      { numRuns: 300 },
    )
  })
})

/** So that a change gets past the checksum; harmless where there is no header. */
function fixChecksum(bytes: Buffer, at: number): void {
  if (at + 512 > bytes.length) return
  bytes.fill(0x20, at + 148, at + 156)
  let sum = 0
  for (let i = at; i < at + 512; i++) sum += bytes[i]!
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1')
}
