import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { writeFileDurably } from './files.ts'

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
