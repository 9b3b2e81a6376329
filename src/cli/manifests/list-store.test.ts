import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { digestOf } from '#base/digest.ts'
import { mediaTypes } from '#oci/image-spec.ts'
import { parseReference } from '#oci/reference.ts'
import { ClientConfig } from '../client-config.ts'
import { indentJson } from './json-text.ts'
import { encodeListedImage, type ListedImage, readPlatform } from './listed-image.ts'
import { ListStore } from './list-store.ts'

const list = parseReference('r.example:5000/team/app:all')
const DIRECTORY = 'r.example-5000_team_app-all'

function image(name: string, architecture = 'amd64'): ListedImage {
  const bytes = Buffer.from(
    `{ "schemaVersion": 2, "mediaType": "${mediaTypes.dockerManifest}", "name": "${name}" }`,
  )
  return {
    reference: `r.example:5000/team/${name}`,
    mediaType: mediaTypes.dockerManifest,
    digest: digestOf(bytes),
    size: bytes.length,
    platform: readPlatform({ os: 'linux', architecture }),
    bytes,
  }
}

describe('ListStore', () => {
  let directory = ''
  let store: ListStore
  const at = (...path: string[]): string => join(directory, 'manifests', ...path)
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-lists-'))
    store = new ListStore(new ClientConfig(directory))
  })
  afterEach(() => rm(directory, { recursive: true }))

  const references = async (): Promise<string[] | undefined> =>
    (await store.images(list))?.map(({ reference }) => reference)

  it("keeps a list as Docker's command line does", async () => {
    assert.equal(await store.images(list), undefined)
    const [a, b] = [image('b:1'), image('a@sha256:' + '0'.repeat(64))]
    assert.equal(await store.create(list, [a, b]), true)
    assert.deepEqual((await readdir(at(DIRECTORY))).toSorted(), [
      `r.example-5000_team_a@sha256-${'0'.repeat(64)}`,
      'r.example-5000_team_b-1',
    ])
    assert.deepEqual(await store.images(list), [b, a])
    assert.deepEqual(await store.image(list, parseReference(a.reference)), a)
    assert.equal(await store.image(list, parseReference('r.example:5000/team/c:1')), undefined)
    assert.deepEqual(JSON.parse(await readFile(at(DIRECTORY, 'r.example-5000_team_b-1'), 'utf8')), {
      Ref: a.reference,
      Descriptor: {
        mediaType: a.mediaType,
        digest: a.digest,
        size: a.size,
        platform: { architecture: 'amd64', os: 'linux' },
      },
      Raw: Buffer.from(a.bytes).toString('base64'),
      SchemaV2Manifest: { schemaVersion: 2, mediaType: a.mediaType, name: 'b:1' },
    })
  })

  it('makes a list once, however many try', async () => {
    const attempts = ['a:1', 'b:1', 'c:1'].map((name) => store.create(list, [image(name)]))
    const made = await Promise.all(attempts)
    assert.equal(made.filter(Boolean).length, 1)
    assert.equal((await references())?.length, 1)
    assert.deepEqual(await readdir(at()), [DIRECTORY])
  })

  it('adds what several add at once, and shows each image as a whole', async () => {
    await store.create(list, [image('a:1')])
    const names = Array.from({ length: 20 }, (_, i) => `a:${i}`)
    const reading = Array.from({ length: 20 }, () => store.images(list))
    await Promise.all([...names.map((name) => store.put(list, image(name, 'arm64'))), ...reading])
    const platforms = (await store.images(list))?.map(({ platform }) => platform.architecture)
    assert.deepEqual(
      platforms,
      names.map(() => 'arm64'),
    )
    assert.deepEqual(await readdir(at()), [DIRECTORY])
  })

  it('removes a list as a whole, once', async () => {
    await store.create(list, [image('a:1')])
    const removed = await Promise.all([store.remove(list), store.remove(list)])
    assert.equal(removed.filter(Boolean).length, 1)
    assert.deepEqual(await readdir(at()), [])
    await assert.rejects(store.put(list, image('a:1')), {
      message: 'manifest list r.example:5000/team/app:all was removed meanwhile',
    })
    assert.deepEqual(await readdir(at()), [])
  })

  it('says which file is damaged, and what to do', async () => {
    const [a, b] = [image('a:1'), image('b:1')]
    await store.create(list, [a])
    const file = at(DIRECTORY, 'r.example-5000_team_a-1')
    const tampered = encodeListedImage(a).replace(a.digest, b.digest)
    for (const text of ['', '{', '[]', 'null', '{"Ref":1}', encodeListedImage(a).slice(0, -9), tampered]) {
      await writeFile(file, text)
      await assert.rejects(store.images(list), {
        message: `${file} holds no image of a manifest list, or a damaged one; remove the list with 'berth manifest rm r.example:5000/team/app:all' and create it again`,
      })
    }
  })

  it('reads what an old Docker has left, which kept no raw bytes', async () => {
    const text = indentJson(Buffer.from(image('a:1').bytes).toString(), '   ')
    const a = { ...image('a:1'), bytes: Buffer.from(text), size: text.length, digest: digestOf(text) }
    await mkdir(at(DIRECTORY), { recursive: true })
    const document = JSON.parse(encodeListedImage(a)) as Record<string, unknown>
    delete document['Raw']
    await writeFile(at(DIRECTORY, 'r.example-5000_team_a-1'), JSON.stringify(document))
    assert.deepEqual(await store.images(list), [a])
  })

  it('refuses two images that would be one file', async () => {
    const message = /have the same file name$/
    await assert.rejects(store.create(list, [image('a/b:1'), image('a_b:1')]), { message })
    await store.create(list, [image('a/b:1')])
    await assert.rejects(store.put(list, image('a_b:1')), { message })
    assert.equal(await store.image(list, parseReference('r.example:5000/team/a_b:1')), undefined)
    assert.deepEqual(await references(), ['r.example:5000/team/a/b:1'])
  })

  it('never leaves its directory', async () => {
    for (const path of ['..', '../..', '/etc', '.hidden', 'a\0b', '']) {
      const evil = { domain: '..', path, tag: undefined, digest: undefined }
      await assert.rejects(store.create(evil, []), { message: /cannot be the name of a file$/ })
      await assert.rejects(store.remove(evil), { message: /cannot be the name of a file$/ })
      const named = { ...image('a:1'), reference: path }
      await assert.rejects(store.create(list, [named]), { message: /cannot be the name of a file$/ })
    }
    assert.deepEqual(await readdir(directory), [])
  })

  it('says why it cannot keep a list', async () => {
    await writeFile(at(), '')
    assert.equal(await store.images(list), undefined)
    await assert.rejects(store.create(list, [image('a:1')]), {
      message: /^cannot keep manifest list r\.example:5000\/team\/app:all: (EEXIST|ENOTDIR): /,
    })
  })

  it('has no list of a name that is too long for a file', async () => {
    const long = { ...list, path: 'x'.repeat(250) }
    assert.equal(await store.images(long), undefined)
    assert.equal(await store.remove(long), false)
    await assert.rejects(store.create(long, [image('a:1')]), { message: /ENAMETOOLONG/ })
    assert.deepEqual(await readdir(at()), [])
  })
})
