import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { makeDirectories, writeFileDurably } from './files.ts'

describe('writeFileDurably()', () => {
  let directory = ''
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-files-'))
  })
  after(() => rm(directory, { recursive: true }))

  it('replaces the content and leaves nothing else, also after an earlier crash', async () => {
    const file = join(directory, 'state.json')
    await writeFile(join(directory, '.state.json.tmp'), 'torn')

    await writeFileDurably(file, 'one')
    await writeFileDurably(file, Buffer.from('two'), { mode: 0o640 })

    assert.equal(await readFile(file, 'utf8'), 'two')
    assert.equal((await stat(file)).mode & 0o777, 0o640)
    assert.deepEqual(await readdir(directory), ['state.json'])
  })

  it('keeps the old content and no temporary file when it fails', async () => {
    const target = join(directory, 'directory')
    await mkdir(join(target, 'in the way'), { recursive: true })

    await assert.rejects(writeFileDurably(target, 'x'), /EISDIR|ENOTEMPTY|EEXIST/)

    assert.deepEqual(
      (await readdir(directory)).filter((name) => name.startsWith('.')),
      [],
    )
  })
})

describe('makeDirectories()', () => {
  const mode = 0o755

  it('makes what is missing, also when others make the same, and is content with what is there', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'berth-files-'))
    try {
      const path = join(directory, 'a/b/c/d')
      await Promise.all([1, 2, 3].map(() => makeDirectories(path, { mode })))
      await makeDirectories(path, { mode: 0o700 })
      assert.equal((await stat(path)).mode & 0o777, mode)
      await writeFile(join(directory, 'file'), '')
      await assert.rejects(makeDirectories(join(directory, 'file'), { mode }), { code: 'EEXIST' })
      await assert.rejects(makeDirectories(join(directory, 'file/below'), { mode }), { code: 'ENOTDIR' })
    } finally {
      await rm(directory, { recursive: true })
    }
  })

  it('ends where no directory can be made', async () => {
    await assert.rejects(makeDirectories('/proc/nope/below', { mode }), { code: 'ENOENT' })
  })
})
