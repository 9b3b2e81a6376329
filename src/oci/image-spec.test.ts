import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isKind } from '#base/errors.ts'
import {
  isIndex,
  limits,
  mediaTypes,
  parseImageConfig,
  parseIndex,
  parseLayout,
  parseManifest,
  parseManifestOrIndex,
} from './image-spec.ts'
import { hostPlatform } from './platform.ts'

const digest = `sha256:${'0f'.repeat(32)}` as const
const descriptor = { mediaType: mediaTypes.ociConfig, digest, size: 7 }
const manifest = {
  schemaVersion: 2,
  config: descriptor,
  layers: [{ ...descriptor, mediaType: mediaTypes.ociLayer }],
}
const index = { schemaVersion: 2, manifests: [{ ...descriptor, mediaType: mediaTypes.ociManifest }] }
const config = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [digest] } }

function bytes(document: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(document))
}

function refuses(parse: () => unknown, message: RegExp): void {
  assert.throws(parse, (error) => isKind(error, 'invalid_argument') && message.test(String(error)))
}

describe('parseManifest()', () => {
  it('fills in the media type and keeps unknown fields', () => {
    const parsed = parseManifest(bytes({ ...manifest, subject: 1 }))
    assert.equal(parsed.mediaType, mediaTypes.ociManifest)
    assert.equal((parsed as unknown as Record<string, unknown>)['subject'], 1)
  })

  it('takes a version that is not there, or Go’s zero, for 2', () => {
    for (const schemaVersion of [undefined, 0]) {
      const parsed = parseManifest(bytes({ ...manifest, schemaVersion }))
      assert.equal(parsed.mediaType, mediaTypes.ociManifest)
    }
    refuses(() => parseManifest(bytes({ ...manifest, schemaVersion: 1 })), /schemaVersion must be 2/)
  })

  it('takes schema 2', () => {
    const mediaType = mediaTypes.dockerManifest
    assert.equal(parseManifest(bytes({ ...manifest, mediaType }), { mediaType }).mediaType, mediaType)
  })

  it('CVE-2021-41190: refuses a document that is manifest and index at once', () => {
    refuses(() => parseManifest(bytes({ ...manifest, ...index })), /ambiguous/)
    refuses(() => parseIndex(bytes({ ...manifest, ...index })), /ambiguous/)
    refuses(() => parseManifestOrIndex(bytes({ ...manifest, ...index })), /ambiguous/)
    refuses(() => parseManifest(bytes({ ...manifest, Manifests: [] })), /ambiguous/)
    refuses(() => parseManifest(bytes({ ...manifest, fsLayers: [] })), /ambiguous/)
  })

  it('CVE-2021-41190: refuses a media type other than the announced one', () => {
    const mediaType = mediaTypes.dockerManifest
    refuses(
      () => parseManifest(bytes({ ...manifest, mediaType }), { mediaType: mediaTypes.ociManifest }),
      /expected/,
    )
    refuses(
      () => parseManifest(bytes({ ...manifest, mediaType: mediaTypes.ociIndex })),
      /unsupported media type/,
    )
  })

  for (const bad of [
    'sha256:../../etc',
    `sha256:${'0F'.repeat(32)}`,
    'sha256:abc',
    `md5:${'0'.repeat(32)}`,
    '',
    7,
    null,
  ]) {
    it(`CVE-2024-3727: refuses the digest ${JSON.stringify(bad)}`, () => {
      refuses(
        () => parseManifest(bytes({ ...manifest, config: { ...descriptor, digest: bad } })),
        /invalid digest/,
      )
      refuses(
        () => parseManifest(bytes({ ...manifest, layers: [{ ...descriptor, digest: bad }] })),
        /invalid digest/,
      )
      refuses(
        () => parseIndex(bytes({ ...index, manifests: [{ ...descriptor, digest: bad }] })),
        /invalid digest/,
      )
      refuses(
        () => parseImageConfig(bytes({ ...config, rootfs: { type: 'layers', diff_ids: [bad] } })),
        /invalid digest/,
      )
    })
  }

  it('CVE-2021-21285: refuses what is too large before parsing it', () => {
    refuses(() => parseManifest(new Uint8Array(limits.manifest + 1)), /more than the/)
    refuses(() => parseIndex(new Uint8Array(limits.index + 1)), /more than the/)
    refuses(() => parseImageConfig(new Uint8Array(limits.config + 1)), /more than the/)
  })

  it('refuses bad sizes and too many layers', () => {
    for (const size of [-1, 1.5, '7', 2 ** 60, null]) {
      refuses(() => parseManifest(bytes({ ...manifest, config: { ...descriptor, size } })), /bad size/)
    }
    refuses(() => parseManifest(bytes({ ...manifest, layers: Array(501).fill(descriptor) })), /more than 500/)
  })

  it('refuses bytes that are not UTF-8', () => {
    refuses(() => parseManifest(Uint8Array.of(0x22, 0xff, 0x22)), /not valid JSON/)
  })
})

describe('parseManifestOrIndex()', () => {
  it('tells which of the two it is', () => {
    assert.equal(isIndex(parseManifestOrIndex(bytes(index))), true)
    assert.equal(isIndex(parseManifestOrIndex(bytes(manifest))), false)
  })
})

describe('parseImageConfig()', () => {
  it('takes nulls where Go writes them', () => {
    const parsed = parseImageConfig(
      bytes({
        ...config,
        config: { Env: null, Cmd: null, Volumes: null, Labels: null, ExposedPorts: { '80/tcp': {} } },
        history: null,
        rootfs: { type: 'layers', diff_ids: null },
      }),
    )
    assert.deepEqual(parsed.rootfs.diff_ids, [])
  })

  const wrong: readonly object[] = [
    { architecture: 1 },
    { os: 1 },
    { rootfs: { type: 'other', diff_ids: [] } },
    { rootfs: null },
    { config: [] },
    { config: { Env: 'A=1' } },
    { config: { Cmd: [1] } },
    { config: { Labels: { a: 1 } } },
    { config: { Labels: ['a'] } },
    { config: { Volumes: [] } },
    { config: { User: 0 } },
    { config: { Healthcheck: { Interval: '1s' } } },
    { history: {} },
    { history: [1] },
    { history: [{ empty_layer: 'yes' }] },
  ]
  for (const change of wrong) {
    it(`refuses ${JSON.stringify(change)}`, () => {
      refuses(() => parseImageConfig(bytes({ ...config, ...change })), /image config/)
    })
  }

  it('takes an image that does not say what it is for as one for this machine', () => {
    const { os, architecture } = parseImageConfig(bytes({ ...config, os: '', architecture: undefined }))
    assert.deepEqual([os, architecture], ['linux', hostPlatform().architecture])
  })

  it('refuses a config without layers', () => {
    refuses(() => parseImageConfig(bytes({ architecture: 'amd64', os: 'linux' })), /rootfs/)
  })
})

describe('parseLayout()', () => {
  it('knows version 1.0.0 only', () => {
    parseLayout(bytes({ imageLayoutVersion: '1.0.0' }))
    refuses(() => parseLayout(bytes({ imageLayoutVersion: '2.0.0' })), /unknown/)
  })
})

describe('every parser', () => {
  it('returns a document or fails with invalid_argument, whatever it gets', () => {
    const keys = [
      'schemaVersion',
      'mediaType',
      'config',
      'layers',
      'manifests',
      'rootfs',
      'history',
      'digest',
      'size',
    ]
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom<unknown>(2, null, true, '', 'layers', digest, mediaTypes.ociManifest),
        fc.array(tie('any'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...keys), tie('any'), { maxKeys: 6 }),
      ),
    })).any
    fc.assert(
      fc.property(value, (document) => {
        for (const parse of [
          parseManifest,
          parseIndex,
          parseManifestOrIndex,
          parseImageConfig,
          parseLayout,
        ]) {
          try {
            parse(bytes(document))
          } catch (error) {
            assert.ok(isKind(error, 'invalid_argument'), String(error))
          }
        }
      }),
      { numRuns: 1000 },
    )
  })
})
