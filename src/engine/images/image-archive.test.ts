import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { digestOf } from '#base/digest.ts'
import { engineErrorOf, isKind, messageOf } from '#base/errors.ts'
import { mediaTypes } from '#oci/image-spec.ts'
import type { TarEntry } from '#oci/tar/entry.ts'
import { readTar } from '#oci/tar/read-tar.ts'
import { type TarSource, writeTar } from '#oci/tar/write-tar.ts'
import { chunks, imagesForTest } from '#test/support/images.ts'
import type { ProgressMessage } from '../services.ts'
import { ImageArchive } from './image-archive.ts'
import { encodeJson } from './manifest.ts'

const quiet = { quiet: true }

function member(type: TarEntry['type'], path: string, data: Uint8Array, link?: string): TarSource {
  const entry = {
    type,
    path,
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: { seconds: 0, nanoseconds: 0 },
    size: data.length,
  }
  return { entry: { ...entry, ...(link === undefined ? {} : { link }) }, data: [data] }
}

function file(path: string, data: Uint8Array | object): TarSource {
  return member('file', path, data instanceof Uint8Array ? data : encodeJson(data))
}

function symlink(path: string, target: string): TarSource {
  return member('symlink', path, new Uint8Array(0), target)
}

async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(source))
}

/** A real tar with one file, as a layer. */
async function layerOf(text: string): Promise<Buffer> {
  return bytesOf(writeTar([file('etc/motd', Buffer.from(text))]))
}

function configOf(layers: readonly Uint8Array[], change: object = {}): Uint8Array {
  return encodeJson({
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: layers.map(digestOf) },
    ...change,
  })
}

function hexOf(bytes: Uint8Array): string {
  return digestOf(bytes).slice('sha256:'.length)
}

/** As docker save wrote it before it wrote layouts. */
function dockerArchive(
  layers: readonly Uint8Array[],
  change: { config?: Uint8Array; tags?: readonly string[] | null; stored?: readonly Uint8Array[] } = {},
): TarSource[] {
  const config = change.config ?? configOf(layers)
  const paths = layers.map((layer) => `${hexOf(layer)}/layer.tar`)
  const stored = change.stored ?? layers
  return [
    ...paths.map((path, at) => file(path, stored[at]!)),
    file(`${hexOf(config)}.json`, config),
    file('manifest.json', [
      {
        Config: `${hexOf(config)}.json`,
        RepoTags: change.tags === undefined ? ['a:1'] : change.tags,
        Layers: paths,
      },
    ]),
  ]
}

/** An OCI image layout of one image. */
function layout(
  layers: readonly Uint8Array[],
  change: { stored?: readonly Uint8Array[]; annotations?: object; manifest?: object; index?: object } = {},
): TarSource[] {
  const config = configOf(layers)
  const stored = change.stored ?? layers
  const manifest = encodeJson({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length },
    layers: stored.map((bytes) => ({
      mediaType: mediaTypes.ociLayer,
      digest: digestOf(bytes),
      size: bytes.length,
    })),
    ...change.manifest,
  })
  const index = {
    schemaVersion: 2,
    manifests: [
      {
        mediaType: mediaTypes.ociManifest,
        digest: digestOf(manifest),
        size: manifest.length,
        annotations: change.annotations ?? { 'io.containerd.image.name': 'docker.io/library/a:1' },
      },
    ],
    ...change.index,
  }
  return [
    file('index.json', index),
    file('oci-layout', { imageLayoutVersion: '1.0.0' }),
    ...[...stored, config, manifest].map((bytes) => file(`blobs/sha256/${hexOf(bytes)}`, bytes)),
  ]
}

function archiveForTest() {
  const images = imagesForTest()
  const archive = new ImageArchive(images.store)
  return {
    ...images,
    archive,
    load: async (
      source: AsyncIterable<Uint8Array> | Iterable<TarSource>,
      options = quiet,
    ): Promise<ProgressMessage[]> => {
      const bytes = Symbol.asyncIterator in source ? source : writeTar(source)
      return Array.fromAsync(archive.load(bytes, options))
    },
  }
}

describe('ImageArchive.load()', () => {
  it('loads a docker archive', async () => {
    const { load, store, trace } = archiveForTest()
    const layers = [await layerOf('base'), await layerOf('top')]
    const messages = await load(dockerArchive(layers, { tags: ['a:1', 'b.example/c:2'] }))
    assert.deepEqual(messages, [
      { stream: 'Loaded image: a:1\n' },
      { stream: 'Loaded image: b.example/c:2\n' },
    ])
    const image = await store.resolve('a:1')
    assert.equal(image.id, digestOf(configOf(layers)))
    assert.deepEqual(image.layers, layers.map(digestOf))
    assert.match(trace.at(-1) ?? '', /^image load/)
  })

  it('takes layers that are not sent from the store, as buildpacks expect', async () => {
    const { load, store } = archiveForTest()
    const [base, top, other] = [await layerOf('base'), await layerOf('top'), await layerOf('other')]
    await load(dockerArchive([base], { tags: ['base:1'] }))
    const without = (layers: readonly Uint8Array[]): TarSource[] => {
      const [first, ...rest] = dockerArchive(layers, { tags: ['app:1'] })
      return first === undefined ? [] : rest
    }
    await load(without([base, top]))
    assert.deepEqual((await store.resolve('app:1')).layers, [base, top].map(digestOf))
    await assert.rejects(load(without([other, top])), new RegExp(`${hexOf(other)}/layer.tar is missing`))
  })

  it('loads an OCI layout, whatever the order of its members', async () => {
    const layers = [await layerOf('base'), await layerOf('top')]
    for (const members of [layout(layers), layout(layers).toReversed()]) {
      const { load, store } = archiveForTest()
      assert.deepEqual(await load(members), [{ stream: 'Loaded image: a:1\n' }])
      assert.equal((await store.resolve('a')).layers.length, 2)
    }
  })

  for (const [name, compress] of [
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ] as const) {
    it(`loads ${name} archives and ${name} layers`, async () => {
      const layers = [await layerOf('base'), await layerOf('top')]
      const stored = layers.map((layer) => compress(layer))
      for (const members of [layout(layers, { stored }), dockerArchive(layers, { stored })]) {
        const { load, store } = archiveForTest()
        const bytes = compress(await bytesOf(writeTar(members)))
        await load(chunks(bytes.subarray(0, 100), bytes.subarray(100)))
        assert.deepEqual((await store.resolve('a:1')).layers, layers.map(digestOf))
      }
    })
  }

  it('says the id of an image without a name', async () => {
    const layers = [await layerOf('base')]
    const expected = [{ stream: `Loaded image ID: ${digestOf(configOf(layers))}\n` }]
    assert.deepEqual(await archiveForTest().load(dockerArchive(layers, { tags: null })), expected)
    assert.deepEqual(
      await archiveForTest().load(
        layout(layers, { annotations: { 'org.opencontainers.image.ref.name': '1' } }),
      ),
      expected,
    )
  })

  it('takes a whole name from the standard annotation', async () => {
    const annotations = { 'org.opencontainers.image.ref.name': 'b.example/c:2' }
    const { load } = archiveForTest()
    assert.deepEqual(await load(layout([await layerOf('base')], { annotations })), [
      { stream: 'Loaded image: b.example/c:2\n' },
    ])
  })

  it('says which image lost its name', async () => {
    const { load, image } = archiveForTest()
    const old = await image({ names: ['a:1'] })
    const messages = await load(dockerArchive([await layerOf('base')]))
    assert.equal(
      messages[0]?.stream,
      `The image a:1 already exists, renaming the old one with ID ${old} to empty string\n`,
    )
  })

  it('reports layers unless it should be quiet', async () => {
    const { load } = archiveForTest()
    const layer = await layerOf('base')
    const messages = await load(dockerArchive([layer]), { quiet: false })
    assert.deepEqual(messages[0], {
      status: 'Loading layer',
      id: hexOf(layer).slice(0, 12),
      progressDetail: { current: layer.length, total: layer.length },
    })
  })

  it('chooses the manifest for this host in a nested index', async () => {
    const { load, store } = archiveForTest()
    const layer = await layerOf('base')
    const members = layout([layer])
    const manifestFile = members.at(-1)!
    const manifest = await bytesOf(chunks(...(manifestFile.data as Uint8Array[])))
    const entry = { mediaType: mediaTypes.ociManifest, digest: digestOf(manifest), size: manifest.length }
    const absent = {
      ...entry,
      digest: `sha256:${'0'.repeat(64)}`,
      platform: { os: 'linux', architecture: 's390x' },
    }
    const attestation = { ...absent, platform: { os: 'unknown', architecture: 'unknown' } }
    const inner = encodeJson({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [absent, attestation, { ...entry, platform: { os: 'linux', architecture: 'amd64' } }],
    })
    const outer = {
      schemaVersion: 2,
      manifests: [
        {
          mediaType: mediaTypes.ociIndex,
          digest: digestOf(inner),
          size: inner.length,
          annotations: { 'io.containerd.image.name': 'docker.io/library/n:1' },
        },
      ],
    }
    await load([file('index.json', outer), file(`blobs/sha256/${hexOf(inner)}`, inner), ...members.slice(1)])
    assert.equal((await store.resolve('n:1')).layers.length, 1)
  })

  it('resolves the links of old docker archives', async () => {
    const { load, store } = archiveForTest()
    const layer = await layerOf('base')
    const config = configOf([layer, layer])
    const [one, two] = ['1'.repeat(64), '2'.repeat(64)]
    await load([
      file(`${one}/layer.tar`, layer),
      symlink(`${two}/layer.tar`, `../${one}/layer.tar`),
      file('c.json', config),
      file('manifest.json', [
        { Config: 'c.json', RepoTags: ['a:1'], Layers: [`${one}/layer.tar`, `${two}/layer.tar`] },
      ]),
    ])
    assert.equal((await store.resolve('a:1')).layers.length, 2)
  })

  it('ignores what no image needs, and keeps none of it', async () => {
    const { load, stored } = archiveForTest()
    const layer = await layerOf('base')
    await load([
      file('blobs/sha256/junk.tar', Buffer.from('! not a layer')),
      file('unused.tar', await layerOf('unused')),
      file('README', Buffer.from('hello')),
      ...dockerArchive([layer]),
    ])
    assert.equal((await stored()).layers.length, 1)
  })

  const hostile: readonly (readonly [
    name: string,
    members: (layer: Buffer) => TarSource[],
    message: RegExp,
  ])[] = [
    [
      'Apple GHSA-r3h2: a blob that is a symlink to a file of the host',
      (layer) => {
        const config = configOf([layer])
        const path = `blobs/sha256/${hexOf(config)}`
        return [...layout([layer]).filter(({ entry }) => entry.path !== path), symlink(path, '/etc/shadow')]
      },
      /is a link, and links in an archive are not followed/,
    ],
    [
      'CVE-2014-9358: ids that are paths',
      (layer) => [
        file('x/layer.tar', layer),
        file('manifest.json', [{ Config: '../../etc/passwd', RepoTags: ['a:1'], Layers: ['x/layer.tar'] }]),
      ],
      /\.\.\/\.\.\/etc\/passwd is missing/,
    ],
    [
      'a layer that is a symlink out of the archive',
      (layer) => [
        symlink(`${'1'.repeat(64)}/layer.tar`, '../../../etc/shadow'),
        file('c.json', configOf([layer])),
        file('manifest.json', [{ Config: 'c.json', RepoTags: [], Layers: [`${'1'.repeat(64)}/layer.tar`] }]),
      ],
      /is a link/,
    ],
    [
      'a blob with another digest',
      (layer) => swap(layout([layer]), layer, Buffer.from(`${layer.toString()} `)),
      /./,
    ],
    [
      'a compressed blob with another digest',
      (layer) => {
        const [right, wrong] = [gzipSync(layer), gzipSync(layer, { level: 1 })]
        wrong[9] = right[9]! ^ 1
        return swap(layout([layer], { stored: [right] }), right, wrong)
      },
      /digest is sha256:/,
    ],
    [
      'another layer than the config says',
      (layer) => dockerArchive([layer], { stored: [Buffer.concat([layer, Buffer.alloc(512)])] }),
      /invalid diffID for layer 0: expected "sha256:/,
    ],
    [
      'fewer layers than the config says',
      (layer) => dockerArchive([layer], { config: configOf([layer, layer]) }),
      /layers length mismatch: expected 2, got 1/,
    ],
    ['a tag that is not one', (layer) => dockerArchive([layer], { tags: ['a'] }), /invalid tag "a"/],
    ['a name with capitals', (layer) => dockerArchive([layer], { tags: ['A:1'] }), /must be lowercase/],
    [
      'CVE-2021-41190: a manifest that is an index, too',
      (layer) => layout([layer], { manifest: { manifests: [] } }),
      /ambiguous/,
    ],
    [
      'CVE-2024-3727: a digest that is a path',
      (layer) =>
        layout([layer], {
          index: { manifests: [{ mediaType: mediaTypes.ociManifest, digest: 'sha256:../../x', size: 1 }] },
        }),
      /invalid digest/,
    ],
    ['an index without images', (layer) => layout([layer], { index: { manifests: [] } }), /has no image/],
    [
      'an artifact',
      (layer) => {
        const config = configOf([layer])
        const descriptor = { mediaType: 'application/x', digest: digestOf(config), size: config.length }
        return layout([layer], { manifest: { config: descriptor } })
      },
      /this is not the image of a container/,
    ],
    [
      'the same member twice',
      (layer) => [...dockerArchive([layer]), file('manifest.json', [])],
      /manifest.json twice/,
    ],
    [
      'a broken layer',
      (layer) => dockerArchive([layer], { stored: [Buffer.from('! no tar')] }),
      /invalid tar archive/,
    ],
    ['a root filesystem', () => [file('etc/motd', Buffer.from('hello'))], /is loaded with import/],
    [
      'CVE-2021-21285: a config that is too large',
      (layer) => dockerArchive([layer], { config: huge() }),
      /./,
    ],
  ]
  for (const [name, members, message] of hostile) {
    it(`refuses ${name}, and leaves nothing behind`, async () => {
      const { load, stored, store } = archiveForTest()
      await assert.rejects(load(members(await layerOf('base'))), (error) => {
        assert.match(messageOf(error), message)
        return isKind(error, 'invalid_argument')
      })
      assert.deepEqual(await stored(), { layers: [], blobs: 0 })
      assert.deepEqual(store.references.list(), [])
    })
  }

  it('shows none of the images when one is bad', async () => {
    const { load, stored } = archiveForTest()
    const [one, two] = [await layerOf('one'), await layerOf('two')]
    const good = dockerArchive([one])
    const item = (path: string, config: string): object => ({ Config: config, RepoTags: [], Layers: [path] })
    await assert.rejects(
      load([
        ...good.slice(0, -1),
        file('two.tar', two),
        file('manifest.json', [
          item(`${hexOf(one)}/layer.tar`, `${hexOf(configOf([one]))}.json`),
          item('two.tar', `${hexOf(configOf([one]))}.json`),
        ]),
      ]),
      /invalid diffID/,
    )
    assert.deepEqual(await stored(), { layers: [], blobs: 0 })
  })

  it('fails when the archive is cut off, anywhere', async () => {
    const bytes = await bytesOf(writeTar(layout([await layerOf('base')])))
    const whole = gzipSync(bytes)
    for (const cut of [
      bytes.subarray(0, 700),
      bytes.subarray(0, 4000),
      whole.subarray(0, 200),
      Buffer.alloc(0),
    ]) {
      const { load, stored } = archiveForTest()
      await assert.rejects(load(chunks(cut)), (error) => isKind(error, 'invalid_argument'))
      assert.deepEqual(await stored(), { layers: [], blobs: 0 })
    }
  })

  it('fails with the reason of the sender', async () => {
    const { load, stored } = archiveForTest()
    const bytes = await bytesOf(writeTar(dockerArchive([await layerOf('base')])))
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, 1000)
      throw new Error('connection reset')
    }
    await assert.rejects(load(broken()), /connection reset/)
    assert.deepEqual(await stored(), { layers: [], blobs: 0 })
  })

  it('stops and cleans up when the reader goes away', async () => {
    const { archive, stored } = archiveForTest()
    const bytes = await bytesOf(writeTar(dockerArchive([await layerOf('base')])))
    const stuck = Promise.withResolvers<void>()
    async function* slow(): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, 4096)
      await stuck.promise
      yield bytes.subarray(4096)
    }
    for await (const _ of archive.load(slow(), { quiet: false })) {
      stuck.resolve()
      break
    }
    assert.deepEqual(await stored(), { layers: [], blobs: 0 })
  })

  it('is cancelled by its signal', async () => {
    const { archive, stored } = archiveForTest()
    const signal = AbortSignal.abort(new Error('enough'))
    const source = writeTar(dockerArchive([await layerOf('base')]))
    await assert.rejects(Array.fromAsync(archive.load(source, { quiet: true, signal })), /enough/)
    assert.deepEqual(await stored(), { layers: [], blobs: 0 })
  })
})

describe('ImageArchive.save()', () => {
  it('writes what load() reads, with the same ids and names', async () => {
    const from = archiveForTest()
    const shared = await layerOf('shared')
    const one = [shared, await layerOf('one')]
    const two = [shared, await layerOf('two')]
    await from.load(dockerArchive(one, { tags: ['a:1', 'a:2'] }))
    await from.load(dockerArchive(two, { tags: null }))
    const ids = [digestOf(configOf(one)), digestOf(configOf(two))]

    const to = archiveForTest()
    const messages = await to.load(await from.archive.save(['a:1', 'a:2', ids[1]!]))
    assert.deepEqual(
      messages.map(({ stream }) => stream),
      ['Loaded image: a:1\n', 'Loaded image: a:2\n', `Loaded image ID: ${ids[1]}\n`],
    )
    assert.deepEqual(
      to.store.rows
        .list()
        .map(({ id }) => id)
        .toSorted(),
      ids.toSorted(),
    )
    assert.deepEqual((await to.stored()).layers, (await from.stored()).layers)
    assert.equal(from.trace.filter((line) => line.startsWith('image save')).length, 2)
  })

  it('is an OCI layout even without manifest.json', async () => {
    const from = archiveForTest()
    await from.load(dockerArchive([await layerOf('base')]))
    const members: TarSource[] = []
    for await (const { entry, data } of readTar(await from.archive.save(['a:1']))) {
      if (entry.path !== 'manifest.json') members.push({ entry, data: [await bytesOf(data)] })
    }
    const to = archiveForTest()
    assert.deepEqual(await to.load(members), [{ stream: 'Loaded image: a:1\n' }])
  })

  it('writes the same bytes every time', async () => {
    const { load, archive } = archiveForTest()
    await load(dockerArchive([await layerOf('base')], { tags: ['b:1', 'a:1'] }))
    const first = await bytesOf(await archive.save(['a:1', 'b:1']))
    assert.equal(first.equals(await bytesOf(await archive.save(['b:1', 'a:1']))), true)
  })

  it('takes all tags of a repository', async () => {
    const { load, archive } = archiveForTest()
    await load(dockerArchive([await layerOf('base')], { tags: ['a:1', 'a:2', 'b:1'] }))
    const to = archiveForTest()
    const messages = await to.load(await archive.save(['a']))
    assert.deepEqual(
      messages.map(({ stream }) => stream),
      ['Loaded image: a:1\n', 'Loaded image: a:2\n'],
    )
  })

  it('fails before the first byte when something is missing', async () => {
    const { load, archive, snapshots } = archiveForTest()
    await assert.rejects(archive.save(['nobody']), /No such image: nobody:latest/)
    await assert.rejects(archive.save([]), /no image to save/)
    await load(dockerArchive([await layerOf('base')]))
    await snapshots.removeLayer(digestOf(await layerOf('base')))
    await assert.rejects(archive.save(['a:1']), (error) => engineErrorOf(error)?.kind === 'data_loss')
  })
})

function swap(members: TarSource[], old: Uint8Array, replacement: Uint8Array): TarSource[] {
  const path = `blobs/sha256/${hexOf(old)}`
  return members.map((source) => (source.entry.path === path ? file(path, replacement) : source))
}

function huge(): Uint8Array {
  return encodeJson({
    architecture: 'a',
    os: 'l',
    rootfs: { type: 'layers', diff_ids: [] },
    x: 'x'.repeat(9 << 20),
  })
}
