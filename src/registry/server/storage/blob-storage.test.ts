import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { digestOf } from '#base/digest.ts'
import { FakeClock } from '#base/fake-clock.ts'
import { blobStorageSuite, chunks, type BlobsUnderTest } from './blob-storage.suite.ts'
import { FileBlobs } from './file-blobs.ts'
import { MemoryBlobs } from './memory-blobs.ts'

const LIMIT = 100

async function onDisk(): Promise<BlobsUnderTest & { readonly blobs: FileBlobs; readonly root: string }> {
  const root = await mkdtemp(join(tmpdir(), 'berth-blobs-'))
  const clock = new FakeClock()
  const blobs = new FileBlobs({ root, clock })
  await blobs.recover()
  return { blobs, clock, root, [Symbol.asyncDispose]: () => rm(root, { recursive: true }) }
}

blobStorageSuite('FileBlobs', onDisk)
blobStorageSuite('MemoryBlobs', async () => {
  const clock = new FakeClock()
  return { blobs: new MemoryBlobs({ clock }), clock, [Symbol.asyncDispose]: async () => undefined }
})

describe('FileBlobs', () => {
  it('continues an upload after a restart', async () => {
    await using under = await onDisk()
    const id = await under.blobs.begin()
    {
      await using upload = await under.blobs.upload(id)
      await upload.append(chunks('before '), { limit: LIMIT })
    }
    const restarted = new FileBlobs({ root: under.root })
    await restarted.recover()
    await using upload = await restarted.upload(id)
    assert.equal(upload.size, 7)
    await upload.append(chunks('after'), { limit: LIMIT })
    await upload.commit(digestOf('before after'))
  })

  it('heals a damaged blob when it is pushed again', async () => {
    await using under = await onDisk()
    const digest = digestOf('whole')
    const file = join(under.root, 'blobs/sha256', digest.slice(7, 9), digest.slice(7))
    for (const _time of [1, 2]) {
      await using upload = await under.blobs.upload(await under.blobs.begin())
      await upload.append(chunks('whole'), { limit: LIMIT })
      await upload.commit(digest)
      assert.equal(Buffer.concat(await Array.fromAsync(await under.blobs.read(digest))).toString(), 'whole')
      await writeFile(file, 'wh0le')
    }
    assert.deepEqual(await readdir(join(under.root, 'uploads')), [])
  })

  it('shares the file of another store that has the same bytes, and no other', async () => {
    await using under = await onDisk()
    const digest = digestOf('shared')
    const twin = join(under.root, 'twin')
    const file = join(under.root, 'blobs/sha256', digest.slice(7, 9), digest.slice(7))
    const blobs = new FileBlobs({ root: under.root, clock: under.clock, twinOf: () => twin })
    const push = async (): Promise<void> => {
      await using upload = await blobs.upload(await blobs.begin())
      await upload.append(chunks('shared'), { limit: LIMIT })
      const { touched } = await upload.commit(digest)
      assert.equal((await blobs.stat(digest))?.touched, touched)
    }
    await writeFile(twin, 'sh4red')
    await push()
    assert.equal((await stat(file)).nlink, 1)
    assert.equal(await blobs.remove(digest), true)
    await writeFile(twin, 'shared')
    for (const _time of [1, 2]) await push()
    assert.deepEqual(await readdir(join(under.root, 'uploads')), [])
    assert.equal(Buffer.concat(await Array.fromAsync(await blobs.read(digest))).toString(), 'shared')
    assert.equal(await blobs.remove(digest), true)
    assert.equal(await readFile(twin, 'utf8'), 'shared')
  })

  it('ignores what it did not write', async () => {
    await using under = await onDisk()
    await writeFile(join(under.root, 'uploads', '.nfs0001'), '')
    await writeFile(join(under.root, 'blobs/sha256', 'stray'), '')
    assert.deepEqual(await Array.fromAsync(under.blobs.uploads()), [])
    assert.deepEqual(await Array.fromAsync(under.blobs.blobs()), [])
  })
})
