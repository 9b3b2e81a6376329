import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Digest, digestOf } from '#base/digest.ts'
import type { StepRecord } from '#build/solve/foreign-records.ts'
import { parseImageConfig } from '#oci/image-spec.ts'
import { encodeJson } from '../../images/manifest.ts'
import { cacheConfig, recordsIn, withRecords } from './cache-document.ts'

const digest = (text: string): Digest => digestOf(Buffer.from(text))
const HOST = { architecture: 'amd64', os: 'linux' }

function record(name: string, layer: Digest | undefined = digest(`layer of ${name}`)): StepRecord {
  return {
    definition: { key: digest(name), below: digest('below') },
    content: digest(`${name} content`),
    layer,
    name,
  }
}

describe('a build cache in the configuration of an image', () => {
  it('is read as it was written', () => {
    const records = [record('a'), { ...record('b'), layer: undefined }, record('c')]
    const config = parseImageConfig(encodeJson(cacheConfig(HOST, records)))
    assert.deepEqual(recordsIn(config), records)
    assert.deepEqual(config.rootfs.diff_ids, [records[0]?.layer, records[2]?.layer])
  })

  it('names a layer once, and no more layers than an image may have', () => {
    const same = digest('same')
    assert.deepEqual(cacheConfig(HOST, [record('a', same), record('b', same)]).rootfs.diff_ids, [same])
    const many = Array.from({ length: 600 }, (_, i) => record(`step ${i}`))
    const config = parseImageConfig(encodeJson(cacheConfig(HOST, many)))
    assert.deepEqual(recordsIn(config), many.slice(100))
  })

  it('leaves out what is not as it should be, and layers that the image does not have', () => {
    const good = record('good')
    const config = { ...HOST, rootfs: { type: 'layers' as const, diff_ids: [good.layer!] } }
    assert.deepEqual(recordsIn(config), [])
    const written = withRecords(config, [good, record('elsewhere')])
    const field = (written as unknown as Record<string, unknown[]>)['berth.build-cache.v1']!
    field.push(null, 7, {}, { key: 'sha256:short', below: 'any', content: good.content, name: 'x' })
    field.push({
      key: good.content,
      below: '',
      content: good.content,
      name: 'a key of contents is no definition',
    })
    assert.deepEqual(recordsIn(written), [good])
    assert.deepEqual(recordsIn({ ...config, 'berth.build-cache.v1': 'text' } as typeof config), [])
  })
})
