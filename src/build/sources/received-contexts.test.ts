import assert from 'node:assert/strict'
import { readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { digestOf } from '#base/digest.ts'
import { engineErrorOf, isKind } from '#base/errors.ts'
import { FakeClock } from '#base/fake-clock.ts'
import type { FileSource } from './file-source.ts'
import { ReceivedContexts, type ReceivedContextsDeps } from './received-contexts.ts'
import { contentOf, entryOf, type Sketch, sketchOf, sourceSuite, tarOf } from './sources.suite.ts'
import { testSpool } from './spool.fixture.ts'

async function world(deps: Partial<ReceivedContextsDeps> = {}) {
  const at = await testSpool()
  const clock = new FakeClock(new Date())
  const helper = { removeTree: (path: string) => rm(path, { recursive: true, force: true }) }
  const common = { dataRoot: at.path, helper, copies: at.spool, clock, ...deps }
  let contexts = new ReceivedContexts(common)
  const received = join(at.path, 'build', 'received')
  let sessions = 0
  return {
    clock,
    received,
    get contexts() {
      return contexts
    },
    restart(): void {
      contexts = new ReceivedContexts(common)
    },
    /** What a client does with its directory (empty: it does not say which); tells which files it had to send. */
    async send(files: readonly Sketch[], directory = 'd') {
      const session = `s${sessions++}`
      const wanted = await contexts.list(session, 'context', listOf(files, directory))
      const chosen = new Set(wanted)
      if (wanted.length > 0) {
        await contexts.fill(session, 'context', tarOf(files.filter(({ path }) => chosen.has(path))))
      }
      const source = await contexts.open(session, 'context')
      return {
        wanted,
        session,
        source,
        async [Symbol.asyncDispose]() {
          await source[Symbol.asyncDispose]()
          await contexts.drop(session)
        },
      }
    },
    directories: () => readdir(received),
    async packs() {
      const [only = ''] = await readdir(received)
      return (await readdir(join(received, only))).filter((name) => name.endsWith('.tar'))
    },
    [Symbol.asyncDispose]: () => at[Symbol.asyncDispose](),
  }
}

/** As a client writes it, in pieces as a socket gives them. */
async function* listOf(files: readonly Sketch[], directory: string): AsyncGenerator<Uint8Array> {
  const lines = [
    ...(directory === '' ? [] : [JSON.stringify({ directory })]),
    ...files.map((file) => JSON.stringify(entryOf(file))),
  ]
  const bytes = Buffer.from(`${lines.join('\n')}\n`)
  for (let at = 0; at < bytes.length; at += 60_000) yield bytes.subarray(at, at + 60_000)
}

async function* textOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

sourceSuite({
  name: 'a context from another host',
  async open(files): Promise<FileSource> {
    const at = await world()
    const { source, session } = await at.send(files)
    return new Proxy(source, {
      get(target, key) {
        if (key === Symbol.asyncDispose) {
          return async () => {
            await target[Symbol.asyncDispose]()
            await at.contexts.drop(session)
            await at[Symbol.asyncDispose]()
          }
        }
        const value: unknown = Reflect.get(target, key)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  },
})

describe('ReceivedContexts', () => {
  it('asks for ten files of 50,000 when ten have changed', async () => {
    await using at = await world()
    const file = (i: number, content: string, nanoseconds = 0): Sketch => ({
      path: `d${Math.floor(i / 500)}/f${i}`,
      content,
      mtime: { seconds: 1_700_000_000, nanoseconds },
    })
    const directories = Array.from({ length: 100 }, (_, i): Sketch => ({ path: `d${i}` }))
    const files = Array.from({ length: 50_000 }, (_, i) => file(i, `content ${i}`))
    {
      await using first = await at.send([...directories, ...files])
      assert.equal(first.wanted.length, 50_000)
    }
    const changed = Array.from({ length: 10 }, (_, i) => i * 4999 + 3)
    for (const i of changed) files[i] = file(i, `changed ${i}`, 1)
    at.restart()

    await using second = await at.send([...directories, ...files])

    assert.deepEqual([...second.wanted].sort(), changed.map((i) => `d${Math.floor(i / 500)}/f${i}`).sort())
    for (const i of [...changed, 0, 49_999]) {
      const found = await second.source.find(`d${Math.floor(i / 500)}/f${i}`)
      assert.equal(await contentOf(found), changed.includes(i) ? `changed ${i}` : `content ${i}`)
    }
  })

  it('writes nothing when nothing has changed, but notes the use', async () => {
    await using at = await world()
    const files: readonly Sketch[] = [{ path: 'f', content: 'content' }]
    await (await at.send(files))[Symbol.asyncDispose]()
    const [key = ''] = await at.directories()
    const index = join(at.received, key, 'index.json')
    const before = await stat(index)
    await at.clock.advance(3_600_000)

    await (await at.send(files))[Symbol.asyncDispose]()

    const after = await stat(index)
    assert.equal(after.ino, before.ino)
    assert.equal(after.mtimeMs, at.clock.now().getTime())
  })

  it('asks again for what has another size, time or mode, and for nothing of another directory', async () => {
    await using at = await world()
    const before: Sketch = { path: 'f', content: 'content' }
    await (await at.send([before]))[Symbol.asyncDispose]()

    const changes: readonly Sketch[] = [
      { ...before, content: 'content!' },
      { ...before, mode: 0o755 },
      { ...before, mtime: { seconds: 1_700_000_001, nanoseconds: 0 } },
      { ...before, mtime: { seconds: 1_700_000_000, nanoseconds: 1 } },
    ]
    for (const change of changes) {
      await using other = await at.send([change], 'other')
      assert.deepEqual(other.wanted, ['f'])
    }
    await using same = await at.send([before])
    assert.deepEqual(same.wanted, [])
    assert.equal(await (await same.source.find('f'))?.digest(), digestOf('content'))
  })

  it('keeps nothing for a client that does not say which directory it is', async () => {
    await using at = await world()
    for (let i = 0; i < 2; i++) {
      await using sent = await at.send([{ path: 'f', content: 'x' }], '')
      assert.deepEqual(sent.wanted, ['f'])
      assert.equal((await at.directories()).length, 1)
    }
    assert.deepEqual(await at.directories(), [])
  })

  it('forgets files that a later list does not have, and frees their space', async () => {
    await using at = await world()
    const big: Sketch = { path: 'big', content: 'x'.repeat(100_000) }
    const small: Sketch = { path: 'small', content: 'y' }
    await (await at.send([big]))[Symbol.asyncDispose]()
    await (await at.send([small]))[Symbol.asyncDispose]()
    assert.equal((await at.packs()).length, 1)

    await using again = await at.send([big, small])
    assert.deepEqual(again.wanted, ['big'])
  })

  it('puts many small archives into one', async () => {
    await using at = await world()
    const files: Sketch[] = []
    for (let i = 0; i < 20; i++) {
      files.push({ path: `f${String(i).padStart(2, '0')}`, content: `content ${i}` })
      await (await at.send(files))[Symbol.asyncDispose]()
    }
    assert.ok((await at.packs()).length <= 8)
    at.restart()

    await using sent = await at.send(files)
    assert.deepEqual(sent.wanted, [])
    assert.deepEqual(
      await sketchOf(sent.source),
      files.map(({ path, content }) => `${path}=${content}`),
    )
  })

  it('serves builds of the same directory at the same time, each with its own files', async () => {
    await using at = await world()
    await (await at.send([{ path: 'f', content: 'one' }]))[Symbol.asyncDispose]()
    {
      await using first = await at.send([{ path: 'f', content: 'one' }])
      await using second = await at.send([{ path: 'f', content: 'second' }])
      assert.deepEqual([first.wanted, second.wanted], [[], ['f']])
      assert.deepEqual(await sketchOf(first.source), ['f=one'])
      assert.deepEqual(await sketchOf(second.source), ['f=second'])
    }
  })

  it('sends everything again when what was kept is damaged or gone', async () => {
    await using at = await world()
    const files: readonly Sketch[] = [{ path: 'f', content: 'x'.repeat(5000) }]
    const damages = [
      async (directory: string, pack: string) => truncate(join(directory, pack), 100),
      async (directory: string, pack: string) => rm(join(directory, pack)),
      async (directory: string) => writeFile(join(directory, 'index.json'), '[["f",{"pack":"../../x.tar"'),
      async (directory: string) =>
        writeFile(join(directory, 'index.json'), JSON.stringify([['f', { pack: '../../../etc/passwd' }]])),
      async (directory: string) => rm(join(directory, 'index.json')),
    ]
    for (const damage of damages) {
      await (await at.send(files))[Symbol.asyncDispose]()
      const [key = ''] = await at.directories()
      const [pack = ''] = await at.packs()
      await damage(join(at.received, key), pack)
      at.restart()

      await using sent = await at.send(files)
      assert.deepEqual(sent.wanted, ['f'])
      assert.deepEqual(await sketchOf(sent.source), [`f=${'x'.repeat(5000)}`])
    }
  })

  it('does not begin before all has come, and names what has not', async () => {
    await using at = await world()
    const files: readonly Sketch[] = [
      { path: 'a', content: '1' },
      { path: 'b', content: '2' },
    ]
    await at.contexts.list('s', 'context', listOf(files, 'd'))
    await at.contexts.fill('s', 'context', tarOf(files.slice(0, 1)))

    await assert.rejects(at.contexts.open('s', 'context'), /context context: b has not been sent/)

    await at.contexts.fill('s', 'context', tarOf(files.slice(1)))
    await using source = await at.contexts.open('s', 'context')
    assert.deepEqual(await sketchOf(source), ['a=1', 'b=2'])
    await at.contexts.drop('s')
    await assert.rejects(at.contexts.open('s', 'context'), (error) => isKind(error, 'not_found'))
  })

  it('takes no file that was not asked for, twice, or that is not what was listed', async () => {
    await using at = await world()
    const listed: Sketch = { path: 'f', content: 'content' }
    const code = (name: string) => (error: unknown) => engineErrorOf(error)?.code === name
    await at.contexts.list('s', 'context', listOf([listed], 'd'))
    const fill = (...files: readonly Sketch[]) => at.contexts.fill('s', 'context', tarOf(files))

    await assert.rejects(fill({ path: 'other', content: 'x' }), code('CONTEXT_LIST_INVALID'))
    await assert.rejects(fill(listed, listed), code('CONTEXT_LIST_INVALID'))
    await assert.rejects(fill({ ...listed, content: 'longer content' }), code('SOURCE_CHANGED'))
    await assert.rejects(
      fill({ ...listed, mtime: { seconds: 1_800_000_000, nanoseconds: 0 } }),
      code('SOURCE_CHANGED'),
    )
    await assert.rejects(fill({ path: 'f', type: 'symlink', link: '/etc/shadow' }), code('SOURCE_CHANGED'))
    assert.deepEqual(await at.packs(), [])
    await assert.rejects(at.contexts.open('s', 'context'), code('CONTEXT_INCOMPLETE'))
  })

  it('reads lists that are compressed, and refuses those that grow beyond measure', async () => {
    await using at = await world()
    const list = (bytes: Uint8Array) =>
      at.contexts.list(
        's',
        'context',
        (async function* () {
          yield bytes
        })(),
      )
    const text = `${JSON.stringify({ path: 'f', type: 'file', size: 1 })}\n`
    for (const bytes of [zstdCompressSync(text), gzipSync(text), Buffer.from(text)])
      assert.deepEqual(await list(bytes), ['f'])
    await assert.rejects(list(zstdCompressSync(text).subarray(0, -3)), (error) =>
      isKind(error, 'invalid_argument'),
    )
    const line = zstdCompressSync(' '.repeat(64 << 20))
    await assert.rejects(list(Buffer.concat([line, line])), (error) => isKind(error, 'invalid_argument'))
  })

  it('refuses lists that are none, or that lead out (CVE-2026-33747)', async () => {
    await using at = await world()
    const list = (text: string) => at.contexts.list('s', 'context', textOf(text))
    const file = (fields: object): string => JSON.stringify({ path: 'f', type: 'file', ...fields })
    for (const text of [
      'nonsense',
      '[]',
      '{}',
      file({ path: '../f' }),
      file({ path: '/f' }),
      file({ path: 'a/../f' }),
      file({ path: 'a//f' }),
      file({ path: 'a\0' }),
      file({ type: 'socket' }),
      file({ size: -1 }),
      file({ size: 1.5 }),
      file({ size: 2 ** 60 }),
      file({ mode: 0o20000 }),
      file({ mtime: { seconds: 'now' } }),
      file({ mtime: { nanoseconds: 1_000_000_000 } }),
      file({ type: 'symlink' }),
      file({ type: 'hardlink', link: '../../etc/passwd' }),
      file({ type: 'hardlink', link: 'nowhere' }),
      file({ path: 'x'.repeat(70_000) }),
      `{"path":"${'x'.repeat(70_000)}`,
    ]) {
      await assert.rejects(list(text), (error) => isKind(error, 'invalid_argument'), text.slice(0, 80))
    }
    await assert.rejects(list(`${file({})}\n${file({ size: -1 })}\n`), /line 2/)
    assert.deepEqual(await at.directories().catch(() => []), [])
  })

  it('keeps what was used last when it becomes too much, or old', async () => {
    await using at = await world({ kept: 40_000 })
    for (const directory of ['a', 'b', 'c']) {
      const { source, session } = await at.send([{ path: 'f', content: directory.repeat(12_000) }], directory)
      await source[Symbol.asyncDispose]()
      await at.contexts.drop(session)
    }
    assert.equal((await at.directories()).length, 1)
    {
      await using last = await at.send([{ path: 'f', content: 'c'.repeat(12_000) }], 'c')
      assert.deepEqual(last.wanted, [])
    }
    await at.clock.advance(15 * 86_400_000)
    await at.contexts.drop('none')
    assert.deepEqual(await at.directories(), [])
  })

  it('does not remove what a build is using', async () => {
    await using at = await world()
    await using sent = await at.send([{ path: 'f', content: 'x'.repeat(9000) }])
    const [kept] = await at.contexts.store.list()
    assert.equal(kept?.inUse, true)
    assert.equal(await at.contexts.store.remove(kept?.key ?? ''), false)
    assert.deepEqual(await sketchOf(sent.source), [`f=${'x'.repeat(9000)}`])
    const [key = ''] = await at.directories()
    await assert.rejects(readFile(join(at.received, key, 'index.json')))
  })
})
