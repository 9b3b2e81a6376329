import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { type Digest, digestOf, hexOf } from '#base/digest.ts'
import { accountFor, type KnownObjects } from './disk-account.ts'

let dataRoot: string
beforeEach(async () => {
  dataRoot = await mkdtemp(join(tmpdir(), 'berth-account-'))
})
afterEach(() => rm(dataRoot, { recursive: true, force: true }))

const nothing: KnownObjects = {
  layers: new Set(),
  layersInUse: new Set(),
  cachedLayers: new Set(),
  blobs: new Set(),
  blobsInUse: new Set(),
  containers: new Map(),
  volumes: new Map(),
  steps: new Set(),
  adding: false,
}

async function layer(name: string): Promise<Digest> {
  const digest = digestOf(name)
  const directory = join(dataRoot, 'layers', 'sha256', hexOf(digest))
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'layer.tar'), Buffer.alloc(8192))
  return digest
}

describe('accountFor()', () => {
  it('tells layers that only builds have from those of images, and from those nobody has', async () => {
    const [ofImage, ofBuild, ofNobody] = [await layer('image'), await layer('build'), await layer('nobody')]
    const { Categories, Unexplained } = await accountFor(dataRoot, {
      ...nothing,
      layers: new Set([ofImage, ofBuild]),
      cachedLayers: new Set([ofBuild]),
    })
    for (const name of ['Images', 'Build caches']) {
      const category = Categories.find(({ Name }) => Name === name)
      assert.ok(category !== undefined && category.Size >= 8192, name)
      assert.equal(category.Reclaimable, category.Size)
    }
    assert.deepEqual(
      Unexplained.map(({ Path }) => Path),
      [`layers/sha256/${hexOf(ofNobody)}`],
    )
  })
})
