import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Digest, digestOf, hexOf } from '#base/digest.ts'
import { type Descriptor, type Index, type Manifest, mediaTypes } from '#oci/image-spec.ts'
import { hostPlatform } from '#oci/platform.ts'
import { parseReference, withDefaultTag } from '#oci/reference.ts'
import { FakeRegistries } from '#test/support/fake-registries.ts'
import { imagesForTest, layerTar } from '#test/support/images.ts'
import { ImageManifests } from '../images/image-manifests.ts'
import { Pushes } from '../push/push.ts'
import { attestationsOf } from '../images/attestations.ts'
import { type BuiltImage, writeImages } from './image-output.ts'

const NAME = 'r.example/a:1'
const OTHER = { os: 'linux', architecture: 's390x' }
const PREDICATE = { type: 'https://example.org/made/v1', content: { by: 'hand' } }

function outputForTest() {
  const images = imagesForTest()
  const client = new FakeRegistries()
  const pushes = new Pushes({ store: images.store, client, compression: 'gzip', maxUploads: 3 })
  const read = <T>(name: string): T =>
    JSON.parse(Buffer.from(client.at('r.example/a').manifests.get(name)!.bytes).toString()) as T
  return {
    ...images,
    client,
    read,
    blob: (digest: Digest): Record<string, unknown> =>
      JSON.parse(Buffer.from(client.at('r.example/a').blobs.get(digest)!).toString()) as Record<
        string,
        unknown
      >,
    push: () =>
      Array.fromAsync(
        pushes.push('r.example/a', {
          tag: '1',
          platform: undefined,
          compression: undefined,
          auth: undefined,
        }),
      ),
    write: async (built: readonly Omit<BuiltImage, 'config'>[], annotations?: Record<string, string>) => {
      await using addition = await images.store.add()
      const complete = await Promise.all(
        built.map(async (image): Promise<BuiltImage> => {
          const { diffId } = await addition.ingest(layerTar(image.platform.architecture))
          const { os, architecture } = image.platform
          return {
            ...image,
            config: { os, architecture, config: {}, rootfs: { type: 'layers', diff_ids: [diffId] } },
          }
        }),
      )
      const references = [withDefaultTag(parseReference(NAME))]
      const signal = new AbortController().signal
      return await writeImages(images.store, addition, complete, { references, annotations, signal })
    },
  }
}

describe('writeImages()', () => {
  it('gives one image its names, and no index', async () => {
    const output = outputForTest()
    const { id, target } = await output.write([{ platform: hostPlatform() }])
    assert.equal(output.store.lookup(NAME), id)
    assert.equal(target.mediaType, mediaTypes.ociManifest)
    assert.equal(new ImageManifests(output.store).target(NAME), undefined)
    assert.deepEqual(output.trace, [
      `image create ${id.slice(0, 11)} ${id}`,
      `image tag ${id.slice(0, 11)} ${NAME}`,
    ])
  })

  it('gives the name to the image that runs here, and keeps the others under the same index', async () => {
    const output = outputForTest()
    const { id } = await output.write([{ platform: OTHER }, { platform: hostPlatform() }])
    assert.equal((await output.store.resolve(NAME)).config.architecture, hostPlatform().architecture)
    assert.equal(output.store.rows.list().length, 2)
    assert.equal(
      (
        await output.query.list({
          all: false,
          filters: new Map(),
          sharedSize: false,
          manifests: false,
        })
      ).length,
      1,
    )
    assert.equal(output.store.lookup(NAME), id)
  })

  it('pushes layers compressed, with annotations and statements about what is there', async () => {
    const output = outputForTest()
    const annotations = { 'org.example.a': 'manifest' }
    const descriptorAnnotations = { 'org.example.a': 'descriptor' }
    await output.write(
      [
        { platform: hostPlatform(), annotations, descriptorAnnotations, predicates: [PREDICATE] },
        { platform: OTHER, predicates: [PREDICATE] },
      ],
      { 'org.example.a': 'index' },
    )
    await output.push()
    const index = output.read<Index>('1')
    assert.deepEqual(index.annotations, { 'org.example.a': 'index' })
    const [first, second, ...statements] = index.manifests as [Descriptor, Descriptor, ...Descriptor[]]
    assert.deepEqual(first.annotations, descriptorAnnotations)
    assert.deepEqual(output.read<Manifest>(first.digest).annotations, annotations)
    for (const [at, image] of [first, second].entries()) {
      assert.deepEqual(
        output.read<Manifest>(image.digest).layers.map(({ mediaType }) => mediaType),
        [mediaTypes.ociLayerGzip],
      )
      const statement = statements[at]!
      assert.equal(statement.annotations?.['vnd.docker.reference.digest'], image.digest)
      const [layer] = output.read<Manifest>(statement.digest).layers
      const said = output.blob(layer!.digest)
      assert.deepEqual(said['predicate'], PREDICATE.content)
      const [subject] = said['subject'] as { digest: { sha256: string } }[]
      assert.equal(subject?.digest.sha256, hexOf(image.digest))
    }
    const here = await attestationsOf(
      NAME,
      { platform: undefined, types: [], statement: true },
      output.store,
      new ImageManifests(output.store),
    )
    assert.equal(here.length, 1)
  })

  it('leaves nothing when a layer is not there', async () => {
    const output = outputForTest()
    await using addition = await output.store.add()
    const lost = digestOf(Buffer.from('lost'))
    const config = {
      os: 'linux',
      architecture: 'amd64',
      rootfs: { type: 'layers' as const, diff_ids: [lost] },
    }
    const { signal } = new AbortController()
    await assert.rejects(
      writeImages(output.store, addition, [{ platform: OTHER, config }], { references: [], signal }),
      { code: 'BUILD_IMAGE_LAYER_LOST' },
    )
    assert.deepEqual(output.store.rows.list(), [])
  })
})
