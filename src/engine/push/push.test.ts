import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import { type Digest, digestOf } from '#base/digest.ts'
import { EngineError, isKind } from '#base/errors.ts'
import { type Index, type Manifest, mediaTypes } from '#oci/image-spec.ts'
import { hostPlatform } from '#oci/platform.ts'
import { FakeRegistries } from '#test/support/fake-registries.ts'
import { imagesForTest } from '#test/support/images.ts'
import { multiPlatform } from '#test/support/multi-platform.ts'
import { ImageArchive } from '../images/image-archive.ts'
import { encodeJson } from '../images/manifest.ts'
import type { ProgressMessage } from '../services.ts'
import { Pushes } from './push.ts'

const REPOSITORY = 'r.example/a'

function pushesForTest() {
  const images = imagesForTest()
  const client = new FakeRegistries()
  const pushes = new Pushes({ store: images.store, client, compression: 'gzip', maxUploads: 3 })
  return {
    ...images,
    client,
    pushes,
    push: (
      name: string,
      tag?: string,
      options: { platform?: string; compression?: string; signal?: AbortSignal } = {},
    ): Promise<ProgressMessage[]> =>
      Array.fromAsync(
        pushes.push(name, {
          tag,
          platform: options.platform,
          compression: options.compression,
          auth: undefined,
          signal: options.signal,
        }),
      ),
    tag: (name: string, id: Digest, target?: Digest) => images.store.references.put(name, id, 1, target),
  }
}

type Context = ReturnType<typeof pushesForTest>

/** What was said about layers last. */
function layerStates(messages: readonly ProgressMessage[]): string[] {
  const last = new Map<string, string>()
  for (const { id, status } of messages) if (id !== undefined) last.set(id, status ?? '')
  return [...last.values()]
}

function manifestAt({ client }: Context, name: string, repository = REPOSITORY): Manifest {
  return JSON.parse(Buffer.from(client.at(repository).manifests.get(name)!.bytes).toString()) as Manifest
}

/** Pushes to another registry and forgets all but the manifest: what a pull from there would leave. */
function resultOf(messages: readonly ProgressMessage[]): { Tag: string; Digest: Digest; Size: number } {
  return messages.at(-1)?.aux as { Tag: string; Digest: Digest; Size: number }
}

describe('Pushes.push()', () => {
  it('sends layers, config and a manifest', async () => {
    const context = pushesForTest()
    const id = await context.image({ layers: ['base', 'top'], names: ['r.example/a:1'] })
    const messages = await context.push(REPOSITORY, '1')

    assert.equal(messages[0]?.status, 'The push refers to repository [r.example/a]')
    assert.deepEqual(layerStates(messages), ['Pushed', 'Pushed'])
    const { Tag, Digest: digest, Size } = resultOf(messages)
    assert.equal(Tag, '1')
    assert.equal(messages.at(-2)?.status, `1: digest: ${digest} size: ${Size}`)
    const manifest = manifestAt(context, '1')
    assert.equal(manifest.mediaType, mediaTypes.ociManifest)
    assert.equal(manifest.config.digest, id)
    assert.deepEqual(
      manifest.layers.map(({ mediaType }) => mediaType),
      [mediaTypes.ociLayerGzip, mediaTypes.ociLayerGzip],
    )
    assert.match(context.trace.at(-1) ?? '', /^image push .* r.example\/a:1$/)
  })

  it('makes the digest a name of the image', async () => {
    const context = pushesForTest()
    await context.image({ names: ['r.example/a:1'] })
    const { Digest: digest } = resultOf(await context.push(REPOSITORY, '1'))
    const { RepoDigests, Descriptor } = await context.query.inspect('r.example/a:1', { manifests: false })
    assert.deepEqual(RepoDigests, [`r.example/a@${digest}`])
    assert.equal(Descriptor?.digest, digest)
  })

  it('finds layers again, and gives the same digest', async () => {
    const context = pushesForTest()
    await context.image({ layers: ['base', 'top'], names: ['r.example/a:1'] })
    const first = resultOf(await context.push(REPOSITORY, '1'))
    const sent = context.client.uploads().length
    const messages = await context.push(REPOSITORY, '1')
    assert.deepEqual(layerStates(messages), ['Layer already exists', 'Layer already exists'])
    assert.deepEqual(resultOf(messages), first)
    assert.equal(context.client.uploads().length, sent)
  })

  it('mounts layers from another repository of the registry', async () => {
    const context = pushesForTest()
    const id = await context.image({ names: ['r.example/a:1'] })
    context.tag('r.example/team/b:1', id)
    context.tag('other.example/b:1', id)
    const first = resultOf(await context.push(REPOSITORY, '1'))
    const messages = await context.push('r.example/team/b', '1')
    assert.deepEqual(layerStates(messages), ['Mounted from a'])
    assert.equal(resultOf(messages).Digest, first.Digest)
    assert.deepEqual(layerStates(await context.push('other.example/b', '1')), ['Pushed'])
  })

  it('sends a layer that the other repository does not let us have', async () => {
    const context = pushesForTest()
    const id = await context.image({ names: ['r.example/a:1'] })
    context.tag('r.example/b:1', id)
    await context.push(REPOSITORY, '1')
    context.client.hook = (request) => {
      if (!request.includes('mount')) return
      throw new EngineError('permission_denied', 'denied', { code: 'REGISTRY_DENIED' })
    }
    assert.deepEqual(layerStates(await context.push('r.example/b', '1')), ['Pushed'])
  })

  it('forgets what the registry does not have any more', async () => {
    const context = pushesForTest()
    const id = await context.image({ names: ['r.example/a:1'] })
    await context.push(REPOSITORY, '1')
    const [diffId] = context.store.rows.layers(id)
    context.store.layerBlobs.put({
      diffId: diffId!,
      repository: REPOSITORY,
      digest: `sha256:${'0'.repeat(64)}`,
      mediaType: mediaTypes.ociLayerGzip,
      size: 1,
    })
    context.client.at(REPOSITORY).blobs.clear()
    assert.deepEqual(layerStates(await context.push(REPOSITORY, '1')), ['Pushed'])
    assert.equal(context.store.layerBlobs.of(diffId!).length, 1)
  })

  it('sends a layer that two pushes need once', async () => {
    const context = pushesForTest()
    await context.image({ names: ['r.example/a:1'], config: { Cmd: ['a'] } })
    await context.image({ names: ['r.example/a:2'], config: { Cmd: ['b'] } })
    const states = await Promise.all([context.push(REPOSITORY, '1'), context.push(REPOSITORY, '2')])
    assert.deepEqual(states.flatMap(layerStates).toSorted(), ['Layer already exists', 'Pushed'])
  })

  it('compresses with zstd on request', async () => {
    const context = pushesForTest()
    await context.image({ names: ['r.example/a:1'] })
    await context.push(REPOSITORY, '1', { compression: 'zstd' })
    const [layer] = manifestAt(context, '1').layers
    assert.equal(layer?.mediaType, mediaTypes.ociLayerZstd)
    zstdDecompressSync(context.client.at(REPOSITORY).blobs.get(layer.digest)!)
    await assert.rejects(context.push(REPOSITORY, '1', { compression: 'xz' }), /unknown compression "xz"/)
  })

  it('sends all tags when none is named', async () => {
    const context = pushesForTest()
    const id = await context.image({ names: ['r.example/a:1', 'r.example/a:2', 'r.example/b:1'] })
    const messages = await context.push(REPOSITORY, '')
    const tags = messages.flatMap(({ aux }) => (aux === undefined ? [] : [(aux as { Tag: string }).Tag]))
    assert.deepEqual(tags, ['1', '2'])
    // A layer and a config, once.
    assert.equal(context.client.uploads().length, 2)
    assert.equal(context.store.references.of(id).length, 4)
  })

  it("refuses what is not here in Docker's words", async () => {
    const { push, image, client } = pushesForTest()
    await image({ names: ['r.example/a:1'] })
    await assert.rejects(
      push('r.example/b', 'x'),
      /An image does not exist locally with the tag: r.example\/b$/,
    )
    await assert.rejects(push(REPOSITORY, 'x'), /tag does not exist: r.example\/a:x/)
    await assert.rejects(push(`r.example/a@sha256:${'0'.repeat(64)}`), /cannot push a digest reference/)
    const missing = push(REPOSITORY, '1', { platform: 'linux/s390x' })
    await assert.rejects(missing, (error) => isKind(error, 'not_found'))
    assert.deepEqual(client.requests, [])
  })

  it('stops everything at the first failure and says it', async () => {
    const { push, image, client } = pushesForTest()
    await image({ layers: ['base', 'top'], names: ['r.example/a:1'] })
    client.hook = (request) => {
      if (!request.includes('upload')) return
      throw new EngineError('permission_denied', 'denied: requested access to the resource is denied', {
        code: 'REGISTRY_DENIED',
      })
    }
    await assert.rejects(push(REPOSITORY, '1'), /^EngineError: denied: requested access/)
    assert.equal(client.at(REPOSITORY).manifests.size, 0)
  })

  it('leaves nothing when it is cancelled', async () => {
    const { push, image, client, store } = pushesForTest()
    const id = await image({ names: ['r.example/a:1'] })
    const cancel = new AbortController()
    client.hook = (request) => {
      if (request.includes('HEAD blob')) cancel.abort(new Error('enough'))
    }
    await assert.rejects(push(REPOSITORY, '1', { signal: cancel.signal }), /enough/)
    assert.equal(client.at(REPOSITORY).manifests.size, 0)
    assert.deepEqual(store.references.of(id), ['r.example/a:1'])
    assert.deepEqual(store.rows.manifests(id), [])
  })
})

describe('Pushes.push() of an image that came with a manifest', () => {
  it('keeps its bytes when our compression gives the digests that it names', async () => {
    const context = pushesForTest()
    const id = await context.image({ names: ['r.example/a:1'] })
    const { Digest: digest } = resultOf(await context.push(REPOSITORY, '1'))
    context.tag('other.example/a:1', id, digest)
    const messages = await context.push('other.example/a', '1')
    assert.deepEqual(layerStates(messages), ['Pushed'])
    assert.equal(resultOf(messages).Digest, digest)
  })

  it('keeps them when its layers are in the repository', async () => {
    const context = pushesForTest()
    const { ids } = await multiPlatform(context.store, { here: ['amd64'] })
    const [id] = ids as [Digest]
    const config = await context.content.read(id)
    const foreign = Buffer.from('compressed by somebody else')
    const manifest = encodeJson({
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: { mediaType: mediaTypes.dockerConfig, digest: id, size: config.length },
      layers: [{ mediaType: mediaTypes.dockerLayerGzip, digest: digestOf(foreign), size: foreign.length }],
    })
    await context.content.write(manifest)
    const digest = digestOf(manifest)
    context.store.rows.putManifest(id, {
      digest,
      mediaType: mediaTypes.dockerManifest,
      size: manifest.length,
    })
    context.tag('r.example/a:docker', id, digest)

    context.client.at(REPOSITORY).blobs.set(digestOf(foreign), foreign)
    assert.equal(resultOf(await context.push(REPOSITORY, 'docker')).Digest, digest)
    context.tag('other.example/a:docker', id, digest)
    assert.notEqual(resultOf(await context.push('other.example/a', 'docker')).Digest, digest)
  })
})

describe('Pushes.push() of an index', () => {
  const host = hostPlatform().architecture

  it('sends it whole when all platforms are here', async () => {
    const context = pushesForTest()
    const { index, attestation } = await multiPlatform(context.store, { here: [host, 's390x'] })
    const messages = await context.push(REPOSITORY, '1')
    assert.equal(resultOf(messages).Digest, index)
    assert.equal(context.client.at(REPOSITORY).manifests.has(attestation), true)
  })

  it('sends the one image that is here and says what is missing', async () => {
    const context = pushesForTest()
    const { ids } = await multiPlatform(context.store, { here: [host], absent: ['s390x'] })
    const messages = await context.push(REPOSITORY, '1')
    assert.match(messages[1]?.status ?? '', /missing: linux\/s390x\): only linux\/\w+ is pushed/)
    const aux = messages[2]?.aux as { manifestPushedInsteadOfIndex: boolean }
    assert.equal(aux.manifestPushedInsteadOfIndex, true)
    assert.equal(manifestAt(context, '1').config.digest, ids[0])
  })

  it('sends the platform that was asked for', async () => {
    const context = pushesForTest()
    const { ids } = await multiPlatform(context.store, { here: [host, 's390x'] })
    await context.push(REPOSITORY, '1', { platform: 'linux/s390x' })
    assert.equal(manifestAt(context, '1').config.digest, ids[1])
    await assert.rejects(context.push(REPOSITORY, '1', { platform: 'linux/mips64' }), /linux\/mips64/)
  })

  it('compresses what save() wrote plainly', async () => {
    const from = pushesForTest()
    await multiPlatform(from.store, { here: [host, 's390x'] })
    const context = pushesForTest()
    const archive = await new ImageArchive(from.store).save(['r.example/a:1'])
    await Array.fromAsync(new ImageArchive(context.store).load(archive, { quiet: true }))
    await context.push(REPOSITORY, '1')
    const { manifests } = manifestAt(context, '1') as unknown as Index
    assert.equal(manifests.length, 2)
    const [layer] = manifestAt(context, manifests[1]!.digest).layers
    assert.equal(layer?.mediaType, mediaTypes.ociLayerGzip)
  })

  it('writes it anew when a manifest cannot be kept, and keeps it so', async () => {
    const context = pushesForTest()
    const { index, ids } = await multiPlatform(context.store, { here: [host, 's390x'] })
    const [diffId] = context.store.rows.layers(ids[1]!)
    // The layer is there under another digest than the one the manifest names.
    const other = Buffer.from('compressed')
    context.client.at(REPOSITORY).blobs.set(digestOf(other), other)
    context.store.layerBlobs.put({
      diffId: diffId!,
      repository: REPOSITORY,
      digest: digestOf(other),
      mediaType: mediaTypes.ociLayerGzip,
      size: other.length,
    })
    const first = resultOf(await context.push(REPOSITORY, '1'))
    assert.notEqual(first.Digest, index)
    const pushed = manifestAt(context, '1') as unknown as Index
    assert.deepEqual([pushed.manifests.length, pushed.mediaType], [3, mediaTypes.ociIndex])
    assert.equal(resultOf(await context.push(REPOSITORY, '1')).Digest, first.Digest)
  })
})
