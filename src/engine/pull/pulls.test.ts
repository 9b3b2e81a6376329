import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { zstdCompressSync } from 'node:zlib'
import { type Digest, digestOf } from '#base/digest.ts'
import { EngineError, isKind } from '#base/errors.ts'
import { FakeClock } from '#base/fake-clock.ts'
import { silentLogger } from '#base/logger.ts'
import { mediaTypes } from '#oci/image-spec.ts'
import { FileIngests } from '#store/ingests/file-ingests.ts'
import { member, tarOf } from '#test/support/busybox-image.ts'
import { cut, FaultyRegistry } from '#test/support/faulty-registry.ts'
import { imagesForTest } from '#test/support/images.ts'
import { noise } from '#test/support/registry-images.ts'
import type { ProgressMessage } from '../services.ts'
import { Pulls } from './pulls.ts'

const ARM = { os: 'linux', architecture: 's390x' }
const small = await tarOf(member({ path: 'etc/motd' }, 'hello'))
const large = await tarOf(member({ path: 'data' }, noise(5 << 19)))
const top = await tarOf(member({ path: 'etc/top' }, 'top'))

async function start() {
  const dataRoot = mkdtempSync(join(tmpdir(), 'berth-pull-'))
  const registry = new FaultyRegistry()
  const images = imagesForTest()
  const ingests = new FileIngests({ dataRoot, logger: silentLogger })
  await ingests.recover()
  const clock = new FakeClock()
  const pulls = new Pulls({
    store: images.store,
    ingests,
    registry,
    dataRoot,
    clock,
    logger: silentLogger,
    connections: 4,
    limits: { window: 8 << 20, range: 1 << 20, connections: 3, failures: 6, progress: 256 << 10 },
  })
  const pull = (
    from: string,
    tag?: string,
    options: { platform?: string; signal?: AbortSignal } = {},
  ): AsyncIterable<ProgressMessage> =>
    pulls.pull(from, { tag, platform: options.platform, auth: undefined, signal: options.signal })
  return {
    registry,
    contents: registry.contents,
    images,
    ingests,
    clock,
    pulls,
    pull,
    lines: async (from: string, tag?: string, options = {}) => {
      const messages = await Array.fromAsync(pull(from, tag, options))
      return messages.filter(({ status }) => status !== 'Downloading' && status !== 'Extracting').map(text)
    },
    names: () => images.store.references.list().map(({ name }) => name),
    [Symbol.asyncDispose]: async () => rmSync(dataRoot, { recursive: true }),
  }
}

type Context = Awaited<ReturnType<typeof start>>

function text({ id, status }: ProgressMessage): string {
  return id === undefined ? (status ?? '') : `${id}: ${status}`
}

/** Nothing of a pull that failed is to be seen, or to be found. */
async function assertNothing({ images, ingests, names }: Context): Promise<void> {
  assert.deepEqual(names(), [])
  assert.deepEqual(await images.stored(), { layers: [], blobs: 0 })
  assert.deepEqual(await ingests.list(), [])
}

describe('Pulls.pull()', () => {
  it('says what Docker says, and announces the image', async () => {
    await using context = await start()
    const { contents, lines, names, images, registry } = context
    const image = contents.image({ layers: [small, top], config: { Labels: { a: 'b' } } }, '3.20')
    const [first, second] = image.layers.map(({ digest }) => digest.slice(7, 19))

    const told = await lines('alpine', '3.20')

    assert.deepEqual(told.slice(0, 3), [
      '3.20: Pulling from library/alpine',
      `${first}: Pulling fs layer`,
      `${second}: Pulling fs layer`,
    ])
    assert.deepEqual(
      told.filter((line) => line.startsWith(`${first}:`)),
      ['Pulling fs layer', 'Verifying Checksum', 'Download complete', 'Pull complete'].map(
        (s) => `${first}: ${s}`,
      ),
    )
    assert.deepEqual(told.slice(-2), [
      `Digest: ${image.digest}`,
      'Status: Downloaded newer image for alpine:3.20',
    ])
    assert.deepEqual(names(), ['docker.io/library/alpine:3.20', `docker.io/library/alpine@${image.digest}`])
    assert.deepEqual(images.trace, ['image pull alpine:3.20 alpine'])

    registry.requests.length = 0
    assert.deepEqual(await lines('alpine', '3.20'), [
      '3.20: Pulling from library/alpine',
      `Digest: ${image.digest}`,
      'Status: Image is up to date for alpine:3.20',
    ])
    assert.deepEqual(registry.requests, ['HEAD 3.20'])
  })

  it('keeps where the layers lie, and the documents that led to them', async () => {
    await using context = await start()
    const { contents, lines, images } = context
    const image = contents.image({ layers: [small] })
    const attestation = contents.document(
      {
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        config: contents.blob(Buffer.from('{}'), mediaTypes.ociConfig),
        layers: [contents.blob(Buffer.from('{"_type":"statement"}'), 'application/vnd.in-toto+json')],
      },
      mediaTypes.ociManifest,
    )
    const annotations = {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': image.digest,
    }
    const unknown = { os: 'unknown', architecture: 'unknown' }
    const index = contents.index([image, { ...attestation, annotations, platform: unknown }], 'latest')

    await lines('reg.test:5000/a/b', 'latest')

    const id = images.store.lookup('reg.test:5000/a/b')
    assert.equal(images.store.references.target('reg.test:5000/a/b:latest'), index.digest)
    const manifests = images.store.rows.manifests(id).map(({ digest }) => digest)
    for (const digest of [index.digest, image.digest, attestation.digest])
      assert.ok(manifests.includes(digest), digest)
    assert.deepEqual(
      images.store.layerBlobs.of(digestOf(small)).map((row) => ({ ...row })),
      [
        {
          diffId: digestOf(small),
          repository: 'reg.test:5000/a/b',
          digest: image.layers[0]?.digest,
          mediaType: mediaTypes.ociLayerGzip,
          size: image.layers[0]?.size,
        },
      ],
    )
  })

  it('does not fetch layers that are here', async () => {
    await using context = await start()
    const { contents, lines, registry } = context
    contents.image({ layers: [large] }, 'base')
    contents.image({ layers: [large, top] }, 'more')
    await lines('a/b', 'base')
    const { sent } = registry
    const told = await lines('a/b', 'more')

    assert.ok(told[1]?.endsWith(': Already exists'), told.join())
    assert.ok(registry.sent - sent < 10_000)
  })

  it('chooses by platform, and says so when nothing fits', async () => {
    await using context = await start()
    const { contents, lines, images, pull } = context
    const other = contents.image({ layers: [top], platform: ARM })
    contents.index([contents.image({ layers: [small] }), other], 'latest')

    await lines('a/b', 'latest', { platform: 'linux/s390x' })
    assert.equal((await images.store.resolve('a/b')).config.architecture, 's390x')
    await lines('a/b', 'latest')
    assert.notEqual((await images.store.resolve('a/b')).config.architecture, 's390x')
    await assert.rejects(
      Array.fromAsync(pull('a/b', 'latest', { platform: 'linux/arm64' })),
      /^EngineError: no matching manifest for linux\/arm64 in the manifest list entries$/,
    )
    await assert.rejects(
      Array.fromAsync(pull('a/b', other.digest, { platform: 'linux/arm64' })),
      /does not match the specified platform/,
    )
  })

  it('by digest stores no tag', async () => {
    await using context = await start()
    const { contents, lines, names } = context
    const { digest } = contents.image({ layers: [small] }, 'x')
    const told = await lines('a/b', digest)

    assert.equal(told[0], `${digest}: Pulling from a/b`)
    assert.equal(told.at(-1), `Status: Downloaded newer image for a/b@${digest}`)
    assert.deepEqual(names(), [`docker.io/a/b@${digest}`])
  })

  it('takes all tags when none is named', async () => {
    await using context = await start()
    const { contents, lines, names } = context
    contents.image({ layers: [small] }, '1')
    contents.image({ layers: [small, top] }, '2')
    const told = await lines('a/b')

    assert.equal(told.at(-1), 'Status: Downloaded newer image for a/b')
    assert.deepEqual(names().slice(0, 2), ['docker.io/a/b:1', 'docker.io/a/b:2'])
  })

  it('takes zstd, plain tars, foreign layers and the schema of Docker', async () => {
    await using context = await start()
    const { contents, lines, images } = context
    contents.image(
      { layers: [small], compress: zstdCompressSync, layerType: mediaTypes.ociLayerZstd },
      'zstd',
    )
    contents.image({ layers: [top], compress: (tar) => tar, layerType: mediaTypes.ociLayer }, 'plain')
    contents.image({ layers: [large], layerType: mediaTypes.dockerForeignLayer }, 'foreign')
    await lines('a/b')

    assert.deepEqual((await images.stored()).layers, ['data', 'etc/motd', 'etc/top'])
  })

  it('refuses what is no image of its kind', async () => {
    await using context = await start()
    const { contents, pull } = context
    contents.document(
      { schemaVersion: 1, fsLayers: [] },
      'application/vnd.docker.distribution.manifest.v1+json',
      'old',
    )
    contents.image({ layers: [small], layerType: 'application/vnd.cncf.helm.chart' }, 'chart')
    contents.image({ layers: [small], diffIds: [] }, 'count')
    contents.image({ layers: [small], manifest: { manifests: [] } }, 'both')
    for (const [tag, reason] of [
      ['old', /schema 1 are not supported/],
      ['chart', /unsupported media type/],
      ['count', /layers length mismatch: expected 0, got 1/],
      ['both', /ambiguous|schemaVersion|media type/],
      ['missing', /manifest unknown/],
    ] as const) {
      await assert.rejects(Array.fromAsync(pull('a/b', tag)), reason)
    }
    await assertNothing(context)
  })

  it('follows only so many indexes (GO-2026-6597)', async () => {
    await using context = await start()
    const { contents, pull, registry } = context
    let entry = contents.image({ layers: [small] })
    for (let depth = 0; depth < 8; depth++) {
      entry = {
        ...contents.index(Array<typeof entry>(50).fill(entry)),
        platform: entry.platform!,
        layers: [],
      }
    }
    contents.tags.set('deep', entry.digest)

    await assert.rejects(Array.fromAsync(pull('a/b', 'deep')), /too many indexes/)
    assert.ok(registry.requests.length <= 5, registry.requests.join())
  })
})

/** Lets the clock run while the pull rests. */
async function untilSettled(pulling: Promise<unknown>, clock: FakeClock): Promise<void> {
  let settled = false
  const seen = pulling.finally(() => (settled = true))
  while (!settled) {
    await turn()
    if (clock.sleeping.length > 0) await clock.advance(10_000)
  }
  await Promise.allSettled([seen])
}

describe('a pull that is interrupted', () => {
  it('goes on where it was, after a cut and after a failure', async () => {
    await using context = await start()
    const { contents, registry, pull, names, ingests } = context
    contents.image({ layers: [large] }, '1')
    registry.onPiece = (_digest, at) => {
      if (at > 3 << 19) throw new EngineError('permission_denied', 'no more for you', { code: 'DENIED' })
    }
    await assert.rejects(Array.fromAsync(pull('a/b', '1')), /no more for you/)
    assert.deepEqual(names(), [])
    assert.equal((await ingests.list()).length, 1)

    registry.onPiece = () => undefined
    await Array.fromAsync(pull('a/b', '1'))
    assert.ok(registry.sent < large.length + (9 << 17), `${registry.sent} bytes`)
    assert.deepEqual(await ingests.list(), [])
  })

  it('tries again after a while, and gives up in the end', async () => {
    await using context = await start()
    const { contents, registry, pull, clock } = context
    contents.image({ layers: [large] }, '1')
    let cuts = 0
    registry.onPiece = (_digest, at) => {
      if (at > 0 && cuts++ % 10 === 0) throw cut()
    }
    const pulling = Array.fromAsync(pull('a/b', '1'))
    await untilSettled(pulling, clock)
    await pulling
    assert.ok(registry.sent < large.length * 1.3, `${registry.sent} bytes`)
  })

  it('gives up when every answer is cut after little', async () => {
    await using context = await start()
    const { contents, registry, pull, clock, names, images } = context
    contents.image({ layers: [large] }, '1')
    let pieces = 0
    registry.onPiece = () => {
      if (pieces++ % 2 === 1) throw cut()
    }
    const pulling = assert.rejects(Array.fromAsync(pull('a/b', '1')), /the connection was cut/)
    await untilSettled(pulling, clock)
    await pulling
    assert.ok(registry.sent < large.length, `${registry.sent} bytes`)
    assert.deepEqual(names(), [])
    assert.deepEqual(await images.stored(), { layers: [], blobs: 0 })
  })

  it('says how long it rests before it tries again', async () => {
    await using context = await start()
    const { contents, registry, pull, clock } = context
    contents.image({ layers: [large] }, '1')
    let cuts = 0
    registry.onPiece = () => {
      if (cuts++ < 15) throw cut()
    }
    const pulling = Array.fromAsync(pull('a/b', '1'))
    await untilSettled(pulling, clock)
    const said = (await pulling).flatMap(({ status = '' }) => (status.startsWith('Retrying') ? [status] : []))
    assert.ok(said.length > 0)
    for (const status of said) assert.match(status, /^Retrying in (1 second|[2-9] seconds)$/)
  })

  it('gives up at once when the registry wants a longer rest than anybody would wait', async () => {
    await using context = await start()
    const { contents, registry, pull, clock } = context
    contents.image({ layers: [large] }, '1')
    registry.onPiece = () => {
      throw new EngineError('unavailable', 'unexpected status 503', {
        code: 'REGISTRY_UNAVAILABLE',
        details: { status: 503, retryAfter: 86_400_000 },
      })
    }
    await assert.rejects(Array.fromAsync(pull('a/b', '1')), /unexpected status 503/)
    assert.deepEqual(clock.sleeping, [])
  })

  it('works with a registry that does not know ranges', async () => {
    await using context = await start()
    const { contents, registry, lines, images } = context
    registry.ranges = false
    contents.image({ layers: [large] }, '1')
    await lines('a/b', '1')

    assert.deepEqual((await images.stored()).layers, ['data'])
  })

  it('keeps the layers that had come, for the next time', async () => {
    await using context = await start()
    const { contents, registry, pull, images, lines } = context
    const image = contents.image({ layers: [large, small] }, '1')
    const missing = image.layers[1]!.digest
    const bytes = contents.blobs.get(missing)!
    contents.blobs.delete(missing)
    registry.onPiece = async (_digest, at) => {
      if (at === 0) await turn()
    }
    await assert.rejects(Array.fromAsync(pull('a/b', '1')), /blob unknown/)
    assert.deepEqual((await images.stored()).layers, [])

    contents.blobs.set(missing, bytes)
    await lines('a/b', '1')
    assert.ok(registry.sent < large.length + (9 << 17))
  })
})

describe('what a registry sends', () => {
  const faults: readonly [name: string, prepare: (context: Context) => void, reason: RegExp][] = [
    [
      'bytes with another digest',
      ({ contents, registry }) => {
        contents.image({ layers: [small] }, '1')
        registry.onBytes = (_digest, bytes) => (bytes[bytes.length - 5]!++, bytes)
      },
      /filesystem layer verification failed for digest sha256:/,
    ],
    [
      'a layer that is not the one of the config',
      ({ contents }) => void contents.image({ layers: [small], diffIds: [digestOf(top)] }, '1'),
      /instead of sha256:/,
    ],
    [
      'a hostile archive (CVE-2018-15664)',
      ({ contents }) => void contents.image({ layers: [Buffer.alloc(5000, 7)] }, '1'),
      /archive|tar|header/i,
    ],
    [
      'a stream that is not gzip',
      ({ contents }) =>
        void contents.image(
          { layers: [small], compress: () => Buffer.from([0x1f, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8]) },
          '1',
        ),
      /corrupt gzip stream/,
    ],
  ]
  for (const [name, prepare, reason] of faults) {
    it(`is refused and forgotten: ${name}`, async () => {
      await using context = await start()
      prepare(context)
      await assert.rejects(Array.fromAsync(context.pull('a/b', '1')), reason)
      await assertNothing(context)
    })
  }

  it('is asked for once more when it was damaged on the way', async () => {
    await using context = await start()
    const { contents, registry, lines, images } = context
    contents.image({ layers: [small] }, '1')
    let times = 0
    registry.onBytes = (_digest, bytes) => (times++ === 0 && bytes[20]!++, bytes)
    await lines('a/b', '1')

    assert.deepEqual((await images.stored()).layers, ['etc/motd'])
  })

  it('is refused before it is fetched when there is no room for it', async () => {
    await using context = await start()
    const { contents, pull, registry } = context
    const image = contents.image({ layers: [small] })
    const layers = [{ ...image.layers[0]!, size: 2 ** 50 }]
    contents.image({ layers: [small], manifest: { layers } }, '1')

    await assert.rejects(
      Array.fromAsync(pull('a/b', '1')),
      (error) =>
        isKind(error, 'resource_exhausted') && /not enough space.* needed, .* free/.test(String(error)),
    )
    assert.equal(registry.sent, 0)
    await assertNothing(context)
  })
})

describe('two who pull', () => {
  const gate = (): { open: () => void; passed: Promise<void> } => {
    const { promise, resolve } = Promise.withResolvers<void>()
    return { open: resolve, passed: promise }
  }

  it('the same fetch it once, and both see how it goes', async () => {
    await using context = await start()
    const { contents, registry, lines } = context
    const { layers } = contents.image({ layers: [large] }, '1')
    const [one, two] = await Promise.all([lines('a/b', '1'), lines('a/b', '1')])

    assert.deepEqual(one, two)
    assert.equal(registry.sent, layers[0]?.size)
    assert.equal(registry.requests.filter((request) => request === 'GET 1').length, 1)
  })

  it('the same layer fetch it once, and one may leave', async () => {
    await using context = await start()
    const { contents, registry, pull, lines, names } = context
    const { layers } = contents.image({ layers: [large] }, '1')
    contents.image({ layers: [large, top] }, '2')
    const { open, passed } = gate()
    registry.onPiece = (digest, at) => (digest === layers[0]?.digest && at > 1 << 18 ? passed : undefined)
    const abort = new AbortController()
    const first = assert.rejects(Array.fromAsync(pull('a/b', '1', { signal: abort.signal })), /enough/)
    const second = lines('a/b', '2')
    while (registry.sent < 1 << 18) await turn()
    abort.abort(new Error('enough'))
    await first
    open()
    await second

    assert.equal(registry.sent, layers.reduce((sum, { size }) => sum + size, 0) + topSize(contents))
    assert.equal(names().length, 2)
  })

  it('are all gone: the bytes stay, nothing else does', async () => {
    await using context = await start()
    const { contents, registry, pull, lines, images, ingests } = context
    contents.image({ layers: [large] }, '1')
    const { passed } = gate()
    registry.onPiece = (_digest, at) => (at > 1 << 20 ? passed : undefined)
    const abort = new AbortController()
    const { signal } = abort
    const both = [pull('a/b', '1', { signal }), pull('a/b', '1', { signal })].map((messages) =>
      assert.rejects(Array.fromAsync(messages), /enough/),
    )
    while (registry.sent < 1 << 20) await turn()
    abort.abort(new Error('enough'))
    await Promise.all(both)
    assert.deepEqual(await images.stored(), { layers: [], blobs: 0 })
    assert.deepEqual(
      (await ingests.list()).map(({ open }) => open),
      [false],
    )

    registry.onPiece = () => undefined
    await lines('a/b', '1')
    assert.ok(registry.sent < large.length + (1 << 20), `${registry.sent}`)
  })

  function topSize(contents: Context['contents']): number {
    const digest = [...contents.blobs].find(
      ([, bytes]) => bytes.length < 500 && bytes[0] === 0x1f,
    )?.[0] as Digest
    return contents.blobs.get(digest)?.length ?? 0
  }
})
