import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { Digest } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import { parseReference } from '#oci/reference.ts'
import { chunks, imagesForTest, layerTar, NOW } from '#test/support/images.ts'
import { ImageCreation, type ImportOptions, tagReference } from './image-creation.ts'

const created = new Date(NOW).toISOString()

function creationForTest() {
  const images = imagesForTest()
  const creation = new ImageCreation(images.store)
  return {
    ...images,
    creation,
    async import(
      tar: AsyncIterable<Uint8Array> | string,
      options: Partial<ImportOptions> = {},
    ): Promise<Digest> {
      const messages = await Array.fromAsync(creation.import(tar, { message: '', changes: [], ...options }))
      return messages.at(-1)?.status as Digest
    },
  }
}

describe('ImageCreation.import()', () => {
  it('fetches what is given as an address, and says so', async () => {
    const tar = gzipSync(Buffer.concat(await Array.fromAsync(layerTar('a-file'))))
    const server = createServer((_request, response) => response.end(tar)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/root.tar.gz`
    try {
      const images = creationForTest()
      const messages = await Array.fromAsync(
        images.creation.import(url, { repo: 'a', message: '', changes: [] }),
      )
      assert.equal(messages[0]?.status, `Downloading from ${url}`)
      const { id, config } = await images.store.resolve('a')
      assert.equal(messages.at(-1)?.status, id)
      assert.equal(config.history?.[0]?.comment, `Imported from ${url}`)
    } finally {
      server.close()
      server.closeAllConnections()
    }
  })

  it('says nothing before the image is there, when the archive is sent', async () => {
    const images = creationForTest()
    const { value } = await images.creation
      .import(layerTar('a-file'), { repo: 'a', message: '', changes: [] })
      [Symbol.asyncIterator]()
      .next()
    assert.equal((value as { status?: string }).status, (await images.store.resolve('a')).id)
  })

  it('makes no image of another operating system', async () => {
    await assert.rejects(
      creationForTest().import(layerTar('a-file'), { platform: 'macos/arm64' }),
      (error) =>
        isKind(error, 'invalid_argument') && /operating system is not supported: darwin/.test(String(error)),
    )
  })

  it('makes an image of one layer and says its id last', async () => {
    const images = creationForTest()
    const id = await images.import(
      chunks(gzipSync(Buffer.concat(await Array.fromAsync(layerTar('a-file'))))),
      {
        repo: 'a',
        tag: '1',
        message: 'from afar',
        changes: ['CMD ["sh"]', 'ENV A=1'],
        platform: 'linux/arm64',
      },
    )
    const { config, layers } = await images.store.resolve('a:1')
    assert.deepEqual(await images.store.resolve(id).then((image) => image.id), id)
    assert.deepEqual(config, {
      architecture: 'arm64',
      os: 'linux',
      created,
      comment: 'from afar',
      config: { Cmd: ['sh'], Env: ['A=1'] },
      rootfs: { type: 'layers', diff_ids: layers },
      history: [{ created, comment: 'from afar' }],
    })
    assert.deepEqual((await images.stored()).layers, ['a-file'])
    assert.deepEqual(
      images.trace.map((line) => line.split(' ')[1]),
      ['import', 'tag'],
    )
  })

  it('needs no name', async () => {
    const images = creationForTest()
    await images.import(layerTar('a-file'))
    assert.equal(
      (await images.query.list({ all: false, filters: new Map(), sharedSize: false, manifests: false }))
        .length,
      1,
    )
  })

  it('refuses names, changes and platforms before it reads anything', async () => {
    const images = creationForTest()
    async function* untouched(): AsyncGenerator<Uint8Array> {
      yield* []
      throw new Error('was read')
    }
    const wrong: Partial<ImportOptions>[] = [
      { repo: 'A' },
      { repo: 'a', tag: '/' },
      { changes: ['RUN x'] },
      { platform: 'a/b/c/d' },
    ]
    for (const options of wrong) {
      await assert.rejects(images.import(untouched(), options), (error) => isKind(error, 'invalid_argument'))
    }
  })

  it('leaves nothing behind when the tar is bad', async () => {
    const images = creationForTest()
    await assert.rejects(images.import(chunks('! bad'), { repo: 'a' }), (error) =>
      isKind(error, 'invalid_argument'),
    )
    await assert.rejects(images.import(chunks(gzipSync('x').subarray(0, 12))), (error) =>
      isKind(error, 'invalid_argument'),
    )
    assert.deepEqual(await images.stored(), { layers: [], blobs: 0 })
  })
})

describe('ImageCreation.commitLayer()', () => {
  it('puts a layer on a parent', async () => {
    const images = creationForTest()
    const parent = await images.image({
      names: ['p:1'],
      history: [{ created_by: 'first' }],
      architecture: 'arm64',
    })
    const { id } = await images.creation.commitLayer({
      parent,
      layer: layerTar('top'),
      config: { Cmd: ['sh'], Labels: { x: 'y' } },
      author: 'me',
      comment: 'why',
      createdBy: 'sh -c x',
      reference: parseReference('c:1'),
    })
    const image = await images.store.resolve('c:1')
    assert.equal(image.id, id)
    assert.equal(image.parentId, parent)
    assert.equal(image.config.architecture, 'arm64')
    assert.deepEqual(image.labels, { x: 'y' })
    assert.deepEqual(image.layers.length, 2)
    assert.deepEqual(image.config.history, [
      { created_by: 'first' },
      { created, author: 'me', created_by: 'sh -c x', comment: 'why' },
    ])
  })

  it('adds no layer for an empty tar, or for none', async () => {
    const images = creationForTest()
    const parent = await images.image()
    for (const layer of [chunks(Buffer.alloc(1024)), undefined]) {
      const { id } = await images.creation.commitLayer({ parent, layer, config: { User: layer ? 'a' : 'b' } })
      const image = await images.store.resolve(id)
      assert.equal(image.layers.length, 1)
      assert.equal(image.config.history?.at(-1)?.empty_layer, true)
    }
    assert.deepEqual((await images.stored()).layers, ['base'])
  })

  it('works for a container whose image was deleted by force', async () => {
    const images = creationForTest()
    const parent = await images.image({ names: ['p:1'] })
    images.container('c'.repeat(64), parent)
    await images.removal.remove('p:1', { force: true, noprune: false })
    const { id } = await images.creation.commitLayer({ parent, layer: layerTar('top'), config: {} })
    assert.equal((await images.store.resolve(id)).layers.length, 2)
  })

  it('leaves nothing behind when the layer is bad', async () => {
    const images = creationForTest()
    await assert.rejects(images.creation.commitLayer({ layer: chunks('! bad'), config: {} }))
    assert.deepEqual(await images.stored(), { layers: [], blobs: 0 })
  })
})

describe('ImageCreation.tag()', () => {
  it('gives another name and tells it', async () => {
    const images = creationForTest()
    const id = await images.image({ names: ['a:1'] })
    await images.creation.tag('a:1', 'b.example/c', undefined)
    await images.creation.tag(id, 'd:1', '2')
    assert.deepEqual(images.store.references.of(id), [
      'b.example/c:latest',
      'docker.io/library/a:1',
      'docker.io/library/d:2',
    ])
    assert.match(images.trace[0] ?? '', /^image tag .* b\.example\/c:latest$/)
  })

  it('says which image is missing', async () => {
    await assert.rejects(creationForTest().creation.tag('nobody', 'a', '1'), /No such image: nobody:latest/)
  })
})

describe('tagReference()', () => {
  it('refuses digests and the name of an algorithm', () => {
    assert.throws(
      () => tagReference(`a@sha256:${'0'.repeat(64)}`, undefined),
      /cannot import digest reference/,
    )
    assert.throws(() => tagReference('sha256', 'abc'), /refusing to create an ambiguous tag/)
    assert.throws(() => tagReference('a', 'b c'), /invalid tag format/)
  })
})
