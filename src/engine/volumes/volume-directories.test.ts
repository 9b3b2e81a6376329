import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { silentLogger } from '#base/logger.ts'
import type { Helper } from '#os/helper.ts'
import { VolumeDirectories } from './volume-directories.ts'

const helper = {
  removeTree: async (path: string) => rmSync(path, { recursive: true, force: true }),
  syncfs: async () => undefined,
} as unknown as Helper

let root: string
let directories: VolumeDirectories

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-directories-'))
  directories = new VolumeDirectories(root, helper)
  directories.make('old')
  writeFileSync(join(directories.data('old'), 'file'), 'kept')
})
afterEach(() => rmSync(root, { recursive: true }))

const volumes = () => readdirSync(join(root, 'volumes')).toSorted()
const recover = (...known: string[]) => directories.recover((name) => known.includes(name), silentLogger)
const crash = () => {
  throw new Error('killed')
}

describe('VolumeDirectories.rename()', () => {
  it('gives the directory the name of the row', () => {
    directories.rename('old', 'new', () => undefined)
    directories.renamed('new')
    assert.deepEqual(volumes(), ['new'])
    assert.deepEqual(readdirSync(join(root, 'volumes/new')), ['_data'])
    assert.equal(readFileSync(join(directories.data('new'), 'file'), 'utf8'), 'kept')
  })

  it('changes nothing when the row keeps its name', () => {
    assert.throws(() => directories.rename('old', 'new', crash), /killed/)
    assert.deepEqual(readdirSync(join(root, 'volumes/old')), ['_data'])
  })

  for (const row of ['old', 'new']) {
    it(`follows the row, ${row}, after a crash at any point`, async () => {
      // The mark is there, the directory has the one name or the other, and the row may have either.
      for (const at of ['old', 'new']) {
        const [there = ''] = volumes()
        writeFileSync(join(root, 'volumes', there, '_renaming'), 'old\nnew')
        if (there !== at) renameSync(join(root, 'volumes', there), join(root, 'volumes', at))
        await recover(row)
        assert.deepEqual(volumes(), [row])
        assert.deepEqual(readdirSync(join(root, 'volumes', row)), ['_data'])
        assert.equal(readFileSync(join(directories.data(row), 'file'), 'utf8'), 'kept')
      }
    })
  }
})

describe('VolumeDirectories.recover()', () => {
  it('removes what was begun and has no row, and nothing else', async () => {
    directories.make('begun')
    writeFileSync(join(directories.data('begun'), 'half'), 'x')
    directories.mark('begun')
    directories.make('bare')
    directories.make('finished')
    directories.mark('finished')
    mkdirSync(join(root, 'volumes/finished/_filling'))
    await recover('finished')
    assert.deepEqual(volumes(), ['finished', 'old'])
    assert.deepEqual(readdirSync(join(root, 'volumes/finished')), ['_data'])
    assert.ok(existsSync(join(directories.data('old'), 'file')))
  })
})
