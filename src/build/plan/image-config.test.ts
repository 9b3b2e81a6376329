import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { digestOf } from '#base/digest.ts'
import { type History, type ImageConfig, parseImageConfig } from '#oci/image-spec.ts'
import type { Filesystem, ImagePlan } from '../graph/operations.ts'
import { imageConfig, type ImageConfigOptions } from './image-config.ts'
import { BASE_CREATED, FakeImages, layerOf, planOf } from './plan.fixture.ts'

const NOW = '2026-11-21T00:00:00.000Z'

async function planned(dockerfile: string): Promise<ImagePlan> {
  const [image] = (await planOf(dockerfile)).images
  assert.ok(image !== undefined)
  return image
}

async function written(
  dockerfile: string,
  options: Partial<ImageConfigOptions> = {},
  layer = layerOf,
): Promise<ImageConfig> {
  const config = imageConfig(await planned(dockerfile), layer, { now: NOW, ...options })
  // What is written has to be what the store reads.
  assert.deepEqual(parseImageConfig(Buffer.from(JSON.stringify(config))), config)
  return config
}

function times({ history }: ImageConfig): readonly unknown[] {
  return (history ?? []).map(({ created }) => created)
}

describe('imageConfig()', () => {
  it('has a layer for each entry of history that is not empty', async () => {
    const file = 'FROM bb:1\nRUN a\nENV X=1\nRUN b\nCOPY c /\n'
    const { rootfs, history } = await written(file, {}, (step) =>
      'label' in step && step.label?.name.endsWith('RUN b') === true ? undefined : layerOf(step),
    )
    assert.deepEqual(
      history?.map(({ empty_layer: empty = false }) => empty),
      [false, false, true, true, false],
    )
    assert.deepEqual(rootfs.diff_ids.slice(1), [digestOf('[2/4] RUN a'), digestOf('[4/4] COPY c /')])
  })

  it('is the same again when nothing was done anew', async () => {
    const made = (step: Filesystem): string =>
      'label' in step && step.label?.name.includes('RUN a') ? '2026-02-01T00:00:00Z' : '2026-03-01T00:00:00Z'
    const file = 'FROM bb:1\nENV A=1\nRUN a\nENV B=1\nRUN b\nCMD ["x"]\n'
    const first = await written(file, { createdOf: made })
    assert.deepEqual(await written(file, { createdOf: made, now: '2027-01-01T00:00:00Z' }), first)
    const [a, b] = ['2026-02-01T00:00:00Z', '2026-03-01T00:00:00Z']
    assert.deepEqual(times(first), [BASE_CREATED, a, a, a, b, b])
    assert.equal(first.created, b)
  })

  it('gives metadata alone the time of the base, and none from nothing', async () => {
    const onBase = await written('FROM bb:1\nENV A=1\n')
    assert.deepEqual(times(onBase), [BASE_CREATED, BASE_CREATED])
    assert.equal(onBase.created, BASE_CREATED)
    const fromNothing = await written('FROM scratch\nENV A=1\n')
    assert.equal('created' in fromNothing, false)
    assert.deepEqual(times(fromNothing), [undefined])
  })

  it('has the time of the epoch for all that was built', async () => {
    const config = await written('FROM bb:1\nENV A=1\nRUN a\n', { epoch: 0 })
    assert.deepEqual(times(config), [BASE_CREATED, '1970-01-01T00:00:00Z', '1970-01-01T00:00:00Z'])
    assert.equal(config.created, '1970-01-01T00:00:00Z')
  })

  it('fits the history of strangers to their layers', async () => {
    const plan = await planned('FROM bb:1\nRUN a\n')
    const base = plan.base
    assert.ok(base !== undefined)
    const emptiness = (history: readonly History[], count: number): unknown => {
      const layers = Array.from({ length: count }, (_, i) => digestOf(String(i)))
      const strange = { ...plan, base: { ...base, layers }, baseHistory: history }
      const config = imageConfig(strange, layerOf, { now: NOW })
      assert.equal(config.rootfs.diff_ids.length, count + 1)
      return config.history?.map(({ empty_layer: empty = false }) => empty)
    }
    assert.deepEqual(emptiness([], 2), [false, false, false])
    assert.deepEqual(emptiness([{}, { empty_layer: true }, {}], 1), [true, true, false, false])
  })

  it('keeps what the base says of its platform', async () => {
    const other = { os: 'linux', architecture: 'arm', variant: 'v6', 'os.version': '1' }
    const images = new FakeImages()
    const resolve = async (): ReturnType<FakeImages['resolve']> => {
      const image = await images.resolve('bb:1', other)
      return { ...image, config: { ...image.config, ...other } }
    }
    const [plan] = (await planOf('FROM bb:1\n', {}, { resolve })).images
    assert.ok(plan !== undefined)
    const { os, architecture, variant, 'os.version': version } = imageConfig(plan, layerOf, { now: NOW })
    assert.deepEqual({ os, architecture, variant, 'os.version': version }, other)
  })
})
