import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { hexOf, digestOf } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import { contentSuite, type ContentUnderTest } from './content.suite.ts'
import { FileContent } from './file-content.ts'
import { MemoryContent } from './memory-content.ts'

async function fileContent(): Promise<
  ContentUnderTest & { readonly content: FileContent; readonly root: string }
> {
  const root = await mkdtemp(join(tmpdir(), 'berth-content-'))
  const content = new FileContent({ dataRoot: root })
  await content.recover()
  return {
    root,
    content,
    corrupt: (digest, bytes) => writeFile(join(root, 'blobs/sha256', hexOf(digest)), bytes),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  }
}

contentSuite('FileContent', fileContent)

contentSuite('MemoryContent', async () => {
  const content = new MemoryContent()
  return {
    content,
    corrupt: async (digest, bytes) => content.corrupt(digest, bytes),
    [Symbol.asyncDispose]: async () => undefined,
  }
})

describe('FileContent', () => {
  it('leaves nothing in staging', async () => {
    await using under = await fileContent()
    await under.content.write(Buffer.from('{}'))

    assert.deepEqual(await readdir(join(under.root, 'staging')), [])
  })

  it('Apple GHSA-r3h2-rgqf-9hv9: read() refuses a blob that is a symbolic link', async () => {
    await using under = await fileContent()
    const content = Buffer.from('secret')
    await writeFile(join(under.root, 'outside'), content)
    const digest = digestOf(content)
    await symlink(join(under.root, 'outside'), join(under.root, 'blobs/sha256', hexOf(digest)))

    await assert.rejects(under.content.read(digest), (error) => isKind(error, 'data_loss'))
  })
})

describe('FileContent beside another store', () => {
  it('links what is there already, if that is intact, and only then', async () => {
    const root = await mkdtemp(join(tmpdir(), 'berth-content-'))
    await using _root = { [Symbol.asyncDispose]: () => rm(root, { recursive: true }) }
    const twinOf = (digest: string): string => join(root, digest.slice(-3))
    const content = new FileContent({ dataRoot: root, twinOf })
    await content.recover()
    const links = async (text: string, twin: string): Promise<number> => {
      const digest = digestOf(Buffer.from(text))
      await writeFile(twinOf(digest), twin)
      await content.write(Buffer.from(text))
      assert.equal(Buffer.from(await content.read(digest)).toString(), text)
      return (await stat(twinOf(digest))).nlink
    }
    assert.equal(await links('the same', 'the same'), 2)
    assert.equal(await links('damaged there', 'damaged thEre'), 1)
    assert.equal(await links('longer there', 'longer there!'), 1)
    // What is damaged here is replaced, never written to: the other store keeps its file.
    await rm(twinOf(digestOf(Buffer.from('the same'))))
    assert.equal(await links('the same', 'the same'), 1)
  })
})
