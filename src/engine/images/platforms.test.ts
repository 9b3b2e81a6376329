import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { mediaTypes, parseIndex } from '#oci/image-spec.ts'
import { hostPlatform } from '#oci/platform.ts'
import { readTar } from '#oci/tar/read-tar.ts'
import { imagesForTest } from '#test/support/images.ts'
import { multiPlatform, PREDICATE, STATEMENT } from '#test/support/multi-platform.ts'
import { ImageArchive } from './image-archive.ts'
import { ImageCreation } from './image-creation.ts'
import { ImageManifests } from './image-manifests.ts'

const host = hostPlatform().architecture
const NAME = 'r.example/a:1'
const listAll = { all: false, filters: new Map(), sharedSize: false, manifests: true }
const forced = { force: true, noprune: false }
const gently = { force: false, noprune: false }

const notFound = (error: unknown): boolean => isKind(error, 'not_found')

describe('an image of several platforms', () => {
  it('is listed once, with everything that its index names', async () => {
    const { store, query } = imagesForTest()
    const { index, ids } = await multiPlatform(store, { here: [host, 's390x'], absent: ['mips64'] })
    const [summary, another] = await query.list(listAll)
    assert.equal(another, undefined)
    assert.equal(summary?.Id, ids[0])
    assert.equal(summary?.Descriptor?.digest, index)
    const manifests = (summary?.Manifests ?? []).map(({ Kind, Available, ImageData }) => [
      Kind,
      Available,
      ImageData?.Platform?.architecture,
    ])
    assert.deepEqual(manifests, [
      ['image', true, host],
      ['image', true, 's390x'],
      ['image', false, 'mips64'],
      ['attestation', true, undefined],
    ])
  })

  it('says how large each platform is, and who uses it', async () => {
    const { store, query, container } = imagesForTest()
    const { ids, index } = await multiPlatform(store, { here: [host, 's390x'] })
    container('c1', ids[1]!)
    const { Manifests, Descriptor } = await query.inspect(NAME, { manifests: true })
    assert.equal(Descriptor?.digest, index)
    const users = Manifests?.map(({ ImageData }) => ImageData?.Containers)
    assert.deepEqual(users, [[], ['c1'], undefined])
    const sizes = (Manifests ?? []).map(({ Size, ImageData }) => {
      const unpacked = ImageData?.Size?.Unpacked ?? 0
      return (Size?.Total ?? 0) - (Size?.Content ?? 0) - unpacked
    })
    assert.deepEqual(sizes, [0, 0, 0])
    assert.equal((await query.list(listAll))[0]?.Containers, 1)
  })

  it('says what an attestation is about', async () => {
    const { store, query } = imagesForTest()
    await multiPlatform(store, { here: [host, 's390x'] })
    const { Manifests } = await query.inspect(NAME, { manifests: true })
    assert.equal(Manifests?.[2]?.AttestationData?.For, Manifests?.[0]?.ID)
  })

  it('is inspected and told by platform', async () => {
    const { store, query } = imagesForTest()
    const { ids } = await multiPlatform(store, { here: [host, 's390x'] })
    const other = await query.inspect(NAME, { manifests: false, platform: 'linux/s390x' })
    assert.equal(other.Id, ids[1])
    assert.equal((await query.history(NAME, 'linux/s390x'))[0]?.CreatedBy, 's390x')
    await assert.rejects(query.inspect(NAME, { manifests: false, platform: 'linux/mips64' }), notFound)
  })

  it('keeps its other platforms under a second name', async () => {
    const { store, query, removal } = imagesForTest()
    const { index, ids } = await multiPlatform(store, { here: [host, 's390x'] })
    const creation = new ImageCreation(store)
    await creation.tag(NAME, 'b', '1')
    await removal.remove(NAME, gently)
    assert.equal((await query.inspect('b:1', { manifests: false })).Descriptor?.digest, index)
    assert.equal((await query.inspect('b:1', { manifests: false, platform: 'linux/s390x' })).Id, ids[1])
    // By its id an image is one platform.
    await creation.tag(ids[1]!, 'c', '1')
    const { Descriptor } = await query.inspect('c:1', { manifests: false })
    assert.equal(Descriptor?.mediaType, mediaTypes.ociManifest)
  })

  it('goes with its last name, and leaves nothing', async () => {
    const { store, removal, stored } = imagesForTest()
    await multiPlatform(store, { here: [host, 's390x'] })
    const items = await removal.remove(NAME, gently)
    assert.deepEqual(items[0], { Untagged: NAME })
    assert.deepEqual(await stored(), { layers: [], blobs: 0 })
  })

  it('keeps a platform that a container uses', async () => {
    const { store, removal, container, stored } = imagesForTest()
    const { ids } = await multiPlatform(store, { here: [host, 's390x'] })
    container('c1', ids[1]!)
    await removal.remove(NAME, gently)
    assert.deepEqual(
      store.rows.list().map(({ id }) => id),
      [ids[1]],
    )
    assert.deepEqual((await stored()).layers, ['s390x'])
  })

  it('is not pruned in part', async () => {
    const { store, removal } = imagesForTest()
    await multiPlatform(store, { here: [host, 's390x'] })
    await removal.prune(new Map())
    assert.equal(store.rows.list().length, 2)
    await removal.prune(new Map([['dangling', ['false']]]))
    assert.equal(store.rows.list().length, 0)
  })

  it('loses single platforms by force', async () => {
    const { store, removal, query } = imagesForTest()
    const { index, ids } = await multiPlatform(store, { here: [host, 's390x'] })
    const platforms = [`linux/${host}`]
    await assert.rejects(removal.remove(NAME, { ...gently, platforms }), (error) => isKind(error, 'conflict'))
    const items = await removal.remove(NAME, { ...forced, platforms })
    assert.equal(
      items.some(({ Deleted }) => Deleted === ids[0]),
      true,
    )
    const left = await query.inspect(NAME, { manifests: false })
    assert.deepEqual([left.Id, left.Descriptor?.digest], [ids[1], index])
    await removal.remove(NAME, { ...forced, platforms: ['linux/s390x'] })
    await assert.rejects(query.inspect(NAME, { manifests: false }), notFound)
  })
})

describe('attestations()', () => {
  const every = { platform: undefined, types: [], statement: false }

  it('gives the statements about a platform, on request with their text', async () => {
    const { store, query } = imagesForTest()
    await multiPlatform(store, { here: [host, 's390x'] })
    const [found, another] = await query.attestations(NAME, every)
    assert.equal(another, undefined)
    assert.equal(found?.PredicateType, PREDICATE)
    assert.equal(found?.Statement, undefined)
    assert.equal(found?.Descriptor?.mediaType, 'application/vnd.in-toto+json')
    const [whole] = await query.attestations(NAME, { ...every, statement: true, types: ['a', PREDICATE] })
    assert.deepEqual(whole?.Statement, STATEMENT)
  })

  it('filters by type and platform', async () => {
    const { store, query, image } = imagesForTest()
    await multiPlatform(store, { here: [host, 's390x'] })
    assert.deepEqual(await query.attestations(NAME, { ...every, types: ['other'] }), [])
    assert.deepEqual(await query.attestations(NAME, { ...every, platform: 'linux/s390x' }), [])
    await assert.rejects(query.attestations(NAME, { ...every, platform: 'linux/mips64' }), notFound)
    await image({ names: ['plain:1'] })
    assert.deepEqual(await query.attestations('plain:1', every), [])
    await assert.rejects(query.attestations('plain:1', { ...every, platform: 'linux/s390x' }), notFound)
    await assert.rejects(query.attestations('nobody', every), notFound)
  })
})

describe('an archive of several platforms', () => {
  async function saved(
    store: ConstructorParameters<typeof ImageArchive>[0],
    platforms?: readonly string[],
  ): Promise<Buffer> {
    const chunks = await new ImageArchive(store).save([NAME], { platforms })
    return Buffer.concat(await Array.fromAsync(chunks))
  }

  async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    yield bytes
  }

  async function loaded(archive: Uint8Array, platforms?: readonly string[]) {
    const images = imagesForTest()
    const messages = await Array.fromAsync(
      new ImageArchive(images.store).load(once(archive), { quiet: true, platforms }),
    )
    return { ...images, lines: messages.map(({ stream }) => stream) }
  }

  it('brings all platforms and attestations, under the index they came with', async () => {
    const { store } = imagesForTest()
    const { index, ids } = await multiPlatform(store, { here: [host, 's390x'], layers: 'none' })
    const { query, lines, ...images } = await loaded(await saved(store))
    assert.deepEqual(lines, [`Loaded image: ${NAME}\n`])
    assert.equal((await query.inspect(NAME, { manifests: false })).Descriptor?.digest, index)
    assert.equal((await query.inspect(NAME, { manifests: false, platform: 'linux/s390x' })).Id, ids[1])
    assert.equal(
      (await query.attestations(NAME, { platform: undefined, types: [], statement: true })).length,
      1,
    )
    assert.equal(images.store.rows.list().length, 2)
  })

  it('brings them under a new index when the manifests name compressed layers', async () => {
    const { store } = imagesForTest()
    const { index, ids } = await multiPlatform(store, { here: [host, 's390x'] })
    const archive = await saved(store)
    const { query, store: to } = await loaded(archive)
    const { Descriptor } = await query.inspect(NAME, { manifests: false })
    assert.notEqual(Descriptor?.digest, index)
    assert.equal(Descriptor?.mediaType, mediaTypes.ociIndex)
    assert.deepEqual(
      to.rows
        .list()
        .map(({ id }) => id)
        .toSorted(),
      ids.toSorted(),
    )
    assert.equal(archive.equals(await saved(to)), true)
  })

  it('names the image for this host, whatever comes first', async () => {
    const { store } = imagesForTest()
    const { ids } = await multiPlatform(store, { here: ['s390x', host], layers: 'none' })
    const { query } = await loaded(await saved(store))
    assert.equal((await query.inspect(NAME, { manifests: false })).Id, ids[1])
  })

  it('holds the platforms that are asked for', async () => {
    const { store } = imagesForTest()
    const { index, ids } = await multiPlatform(store, { here: [host, 's390x'], layers: 'none' })
    const archive = await saved(store, ['linux/s390x'])
    const paths: string[] = []
    for await (const { entry } of readTar(once(archive))) paths.push(entry.path)
    assert.equal(
      paths.some((path) => path.includes(ids[0]!.slice(7))),
      false,
    )
    const { query } = await loaded(archive)
    const image = await query.inspect(NAME, { manifests: true })
    assert.deepEqual([image.Id, image.Descriptor?.digest], [ids[1], index])
    assert.deepEqual(
      image.Manifests?.map(({ Available }) => Available),
      [false, true, true],
    )
    await assert.rejects(saved(store, ['linux/mips64']), notFound)
  })

  it('gives the platforms that are asked for', async () => {
    const { store } = imagesForTest()
    const { ids } = await multiPlatform(store, { here: [host, 's390x'] })
    const archive = await saved(store)
    const { store: to } = await loaded(archive, ['linux/s390x'])
    assert.equal(to.references.get(NAME), ids[1])
    assert.equal(to.rows.list().length, 1)
    await assert.rejects(loaded(archive, ['linux/mips64']), notFound)
  })

  it('is a layout whose index names what is inside', async () => {
    const { store } = imagesForTest()
    await multiPlatform(store, { here: [host, 's390x'] })
    const manifests = new ImageManifests(store)
    const files = new Map<string, Buffer>()
    for await (const { entry, data } of readTar(once(await saved(store)))) {
      files.set(entry.path, Buffer.concat(await Array.fromAsync(data)))
    }
    const [top] = parseIndex(files.get('index.json')!).manifests
    const inner = parseIndex(files.get(`blobs/sha256/${top!.digest.slice(7)}`)!)
    assert.deepEqual(
      inner.manifests.map(({ platform }) => platform?.architecture),
      [host, 's390x'],
    )
    for (const { digest } of inner.manifests) {
      assert.equal(files.has(`blobs/sha256/${digest.slice(7)}`), true)
    }
    assert.notEqual(manifests.target(NAME), top?.digest)
  })
})
