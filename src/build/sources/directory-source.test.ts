import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs, { readdirSync } from 'node:fs'
import {
  appendFile,
  chmod,
  link,
  mkdir,
  mkdtemp,
  rename,
  rm,
  symlink,
  truncate,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, mock } from 'node:test'
import { type Clock, systemClock } from '#base/clock.ts'
import { type Digest, digestOf } from '#base/digest.ts'
import { engineErrorOf, isKind } from '#base/errors.ts'
import type { FileDigests } from '#store/file-digests.ts'
import { openDirectory } from './directory-source.ts'
import type { FileSource } from './file-source.ts'
import { contentOf, entryOf, type Sketch, sketchOf, sourceSuite } from './sources.suite.ts'

const copies = {
  copy: async () => {
    throw new Error('nothing is copied')
  },
}

/** Writes the files into a new directory, which goes with the source. */
async function sketched(
  files: readonly Sketch[],
  options: { readonly clock?: Clock; readonly digests?: FileDigests } = {},
): Promise<FileSource & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'berth-directory-'))
  for (const file of files) await write(path, file)
  const source = await openDirectory(path, { name: 'build context', clock: systemClock, copies, ...options })
  return Object.assign(source, {
    path,
    [Symbol.asyncDispose]: async () => {
      await Object.getPrototypeOf(source)[Symbol.asyncDispose].call(source)
      await rm(path, { recursive: true })
    },
  })
}

async function write(root: string, file: Sketch): Promise<void> {
  const { path, type, mode, mtime, link: target = '' } = entryOf(file)
  const at = join(root, path)
  if (type === 'symlink') return symlink(target, at)
  if (type === 'hardlink') return link(join(root, target), at)
  if (type === 'directory') await mkdir(at)
  else if (type === 'fifo') spawnSync('mkfifo', [at])
  else await writeFile(at, file.content ?? '')
  await chmod(at, mode)
  const seconds = mtime.seconds + mtime.nanoseconds / 1e9
  await utimes(at, seconds, seconds)
}

class FakeDigests implements FileDigests {
  readonly #known = new Map<string, Digest>()
  asked = 0

  get size(): number {
    return this.#known.size
  }

  lookup(state: object): Digest | undefined {
    this.asked++
    return this.#known.get(key(state))
  }

  remember(state: object, digest: Digest): void {
    this.#known.set(key(state), digest)
  }

  flush(): void {
    // There is nothing behind it.
  }
}

function key(state: object): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = state as Record<string, bigint>
  return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`
}

/** All files were made long ago. */
const later: Clock = { ...systemClock, now: () => new Date(Date.now() + 60_000) }

sourceSuite({ name: 'openDirectory()', open: (files) => sketched(files) })

describe('openDirectory()', () => {
  it('says not_found for a directory that is not there, and invalid_argument for a file', async () => {
    await using source = await sketched([{ path: 'f', content: '' }])
    const options = { name: 'build context', clock: systemClock, copies }

    await assert.rejects(openDirectory(join(source.path, 'x'), options), (error) => {
      assert.ok(isKind(error, 'not_found'))
      return /path ".*\/x" not found/.test(String(error))
    })
    await assert.rejects(openDirectory(join(source.path, 'f'), options), /is not a directory/)
  })

  it('keeps names that are no UTF-8, and leaves out sockets', async () => {
    await using source = await sketched([])
    await writeFile(Buffer.concat([Buffer.from(`${source.path}/a`), Buffer.from([0xff])]), 'odd')
    const server = createServer().listen(join(source.path, 'socket'))
    await new Promise((resolve) => server.once('listening', resolve))
    try {
      assert.deepEqual(await sketchOf(source), ['a\udcff=odd'])
      assert.equal(await contentOf(await source.find('a\udcff')), 'odd')
    } finally {
      server.close()
    }
  })

  it('reaches nothing outside when a directory becomes a symlink after it was seen', async () => {
    await using outside = await sketched([{ path: 'secret', content: 'of the host' }])
    await using source = await sketched([{ path: 'd' }, { path: 'd/secret', content: 'of the build' }])
    const files = await Array.fromAsync(source.walk(''))
    const file = files.find(({ attributes }) => attributes.path === 'd/secret')
    await using other = await openDirectory(source.path, {
      name: 'build context',
      clock: systemClock,
      copies,
    })
    const [, directory] = await Array.fromAsync(other.walk('', { descend: () => true }))
    assert.equal(directory?.attributes.path, 'd')

    await rename(join(source.path, 'd'), join(source.path, 'was'))
    await symlink(outside.path, join(source.path, 'd'))
    await using fresh = await openDirectory(source.path, {
      name: 'build context',
      clock: systemClock,
      copies,
    })

    assert.deepEqual(await sketchOf(fresh), [`d -> ${outside.path}`, 'was', 'was/secret=of the build'])
    assert.deepEqual(await sketchOf(fresh, 'd/secret'), [])
    assert.equal(await fresh.find('d/secret'), undefined)
    // The directory that was open still is the one that was seen.
    assert.notEqual(await contentOf(file), 'of the host')
  })

  it('does not follow a symlink that takes the place of a directory between two looks', async () => {
    await using outside = await sketched([{ path: 'e' }, { path: 'e/f', content: 'outside' }])
    const files: readonly Sketch[] = [
      { path: 'd' },
      { path: 'd/e' },
      { path: 'd/e/f', content: 'inside!' },
      { path: 'z' },
      { path: 'z/f', content: 'inside!' },
    ]
    const swap = async (path: string): Promise<void> => {
      await rename(join(path, 'd'), join(path, 'was'))
      await symlink(outside.path, join(path, 'd'))
    }
    {
      await using source = await sketched(files)
      const found: string[] = []
      for await (const { attributes } of source.walk('')) {
        found.push(attributes.path)
        if (attributes.path === 'd') await swap(source.path)
      }
      assert.deepEqual(found, ['', 'd', 'z', 'z/f'])
    }
    {
      await using source = await sketched(files)
      const [file, other] = [await source.find('d/e/f'), await source.find('z/f')]
      // Now another directory is open than the one that changes.
      await contentOf(other)
      await swap(source.path)

      await assert.rejects(Promise.resolve(contentOf(file)), (error) => isKind(error, 'data_loss'))
      assert.equal(await source.find('d/e/f'), undefined)
      assert.deepEqual(await sketchOf(source, 'd/e'), [])
    }
  })

  it('fails with data_loss that names the file when it changes after it was seen', async () => {
    const changes: Record<string, (path: string) => Promise<void>> = {
      grows: (path) => appendFile(path, 'more'),
      'is written over': (path) => writeFile(path, 'tent'.padEnd(7, '!')),
      'is replaced': async (path) => {
        await writeFile(`${path}.new`, 'content')
        await rename(`${path}.new`, path)
      },
      goes: (path) => unlink(path),
      'becomes a symlink': async (path) => {
        await unlink(path)
        await symlink('/etc/passwd', path)
      },
    }
    for (const [what, change] of Object.entries(changes)) {
      await using source = await sketched([{ path: 'd' }, { path: 'd/f', content: 'content' }])
      const file = await source.find('d/f')
      await change(join(source.path, 'd/f'))

      for (const use of [() => contentOf(file), () => file?.digest()]) {
        await assert.rejects(Promise.resolve(use()), (error) => {
          assert.equal(engineErrorOf(error)?.code, 'SOURCE_CHANGED', what)
          assert.match(String(error), /build context: d\/f has changed/)
          return isKind(error, 'data_loss')
        })
      }
    }
  })

  it('fails when a large file changes while it is read', async () => {
    await using source = await sketched([{ path: 'f', content: 'x'.repeat(2 << 20) }])
    const file = await source.find('f')

    const read = async (): Promise<void> => {
      let first = true
      for await (const _ of file?.read() ?? []) {
        if (first) await appendFile(join(source.path, 'f'), 'more')
        first = false
      }
    }
    await assert.rejects(read(), (error) => isKind(error, 'data_loss'))
  })

  it('gives up what a large file stands for when it is told to', { timeout: 20_000 }, async () => {
    await using source = await sketched([{ path: 'f', content: '' }])
    await truncate(join(source.path, 'f'), 2 ** 33)
    const found = await source.find('f')
    const controller = new AbortController()
    setImmediate(() => controller.abort(new Error('enough')))
    await assert.rejects(found?.digest(controller.signal) ?? Promise.resolve(), /enough/)
  })

  it('takes digests from the cache without reading, and puts new ones there', async () => {
    const digests = new FakeDigests()
    await using source = await sketched([{ path: 'f', content: 'content' }], { digests, clock: later })
    const first = await source.find('f')
    assert.equal(await first?.digest(), digestOf('content'))
    assert.equal(digests.size, 1)

    const lookup = digests.lookup.bind(digests)
    digests.lookup = (state) => (lookup(state) === undefined ? undefined : digestOf('from the cache'))
    await using again = await openDirectory(source.path, { name: 'again', clock: later, copies, digests })
    assert.equal(await (await again.find('f'))?.digest(), digestOf('from the cache'))
  })

  it('puts no digest into the cache of a file that has just been written', async () => {
    const digests = new FakeDigests()
    await using source = await sketched([{ path: 'f', content: 'content' }], { digests })

    assert.equal(await (await source.find('f'))?.digest(), digestOf('content'))
    assert.equal(await (await source.find('f'))?.digest(), digestOf('content'))

    assert.equal(digests.size, 0)
    assert.equal(digests.asked, 1)
  })

  it('leaves no descriptor open', async () => {
    const before = readdirSync('/proc/self/fd').length
    {
      await using source = await sketched([
        { path: 'a' },
        { path: 'a/b' },
        { path: 'a/b/c', content: 'x'.repeat(1 << 20) },
      ])
      await sketchOf(source)
      const file = await source.find('a/b/c')
      for await (const _ of file?.read() ?? []) break
    }
    assert.equal(readdirSync('/proc/self/fd').length, before)
  })

  it('names the path that the kernel refuses to open', async () => {
    await using source = await sketched([{ path: 'd' }, { path: 'd/f', content: 'x' }])
    const open = fs.openSync
    const refused = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })
    const file = await source.find('d/f')
    mock.method(fs, 'openSync', (path: string, ...rest: [number]) => {
      if (path.endsWith('/f')) throw refused
      return open(path, ...rest)
    })
    syncBuiltinESMExports()
    try {
      await assert.rejects(Promise.resolve(contentOf(file)), (error) => {
        assert.match(String(error), /cannot read \/.*\/d\/f: EACCES$/)
        return isKind(error, 'permission_denied')
      })
    } finally {
      mock.restoreAll()
      syncBuiltinESMExports()
    }
  })

  it('refuses a tree that is too deep, by name', async () => {
    await using source = await sketched([])
    await mkdir(join(source.path, ...Array.from({ length: 600 }, () => 'd')), { recursive: true })

    await assert.rejects(sketchOf(source), (error) => engineErrorOf(error)?.code === 'SOURCE_TOO_DEEP')
  })
})
