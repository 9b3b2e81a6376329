import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Digest } from '#base/digest.ts'
import { silentLogger } from '#base/logger.ts'
import { isForeignKeyViolation, openDatabase } from './db.ts'
import { ImageRows, LayerRows, type NewImageRow, ReferenceRows } from './images.ts'

function digestOf(character: string): Digest {
  return `sha256:${character.repeat(64)}`
}

const [base, top, other] = ['1', '2', '3'].map((c) => ({ diffId: digestOf(c), size: Number(c) })) as [
  { diffId: Digest; size: number },
  { diffId: Digest; size: number },
  { diffId: Digest; size: number },
]

function image(character: string, change: Partial<NewImageRow> = {}): NewImageRow {
  return {
    id: digestOf(character),
    created: 1000,
    labels: { a: 'b' },
    parentId: undefined,
    layers: [base, top],
    ...change,
  }
}

function rows() {
  const db = openDatabase(':memory:', { logger: silentLogger })
  return {
    db,
    images: new ImageRows(db),
    references: new ReferenceRows(db),
    layers: new LayerRows(db),
    container: (imageId: Digest): void => {
      db.run(
        "INSERT INTO containers (id, name, image_id, created_at, document, state) VALUES ('c', 'c', ?, '', '{}', '{}')",
        [imageId],
      )
    },
  }
}

describe('ImageRows.put()', () => {
  it('keeps what it is given, with the size of all layers', () => {
    const { images } = rows()
    images.put(image('a'))
    assert.deepEqual(images.get(digestOf('a')), {
      id: digestOf('a'),
      size: 3,
      created: 1000,
      labels: { a: 'b' },
      parentId: undefined,
      taggedAt: undefined,
    })
    assert.deepEqual(images.layers(digestOf('a')), [base.diffId, top.diffId])
  })

  it('changes nothing when the image is there', () => {
    const { images } = rows()
    images.put(image('a'))
    images.put(image('a'))
    assert.equal(images.list().length, 1)
    assert.equal(images.layers(digestOf('a')).length, 2)
  })

  it('keeps the same layer twice in one image', () => {
    const { images } = rows()
    images.put(image('a', { layers: [base, base] }))
    assert.deepEqual(images.layers(digestOf('a')), [base.diffId, base.diffId])
  })
})

describe('ImageRows.search()', () => {
  it('finds by prefix and tells two apart', () => {
    const { images } = rows()
    images.put(image('a'))
    images.put(image('b', { id: `sha256:aab${'b'.repeat(61)}` }))
    assert.deepEqual(images.search('aaa'), [digestOf('a')])
    assert.equal(images.search('aa').length, 2)
    assert.deepEqual(images.search('f'), [])
    assert.deepEqual(images.search('a'.repeat(64)), [digestOf('a')])
  })
})

describe('ImageRows.list()', () => {
  it('gives the newest first', () => {
    const { images } = rows()
    images.put(image('a', { created: 1 }))
    images.put(image('b', { created: 2 }))
    images.put(image('c', { created: undefined }))
    assert.deepEqual(
      images.list().map(({ id }) => id[7]),
      ['b', 'a', 'c'],
    )
  })
})

describe('ImageRows.remove()', () => {
  it('returns the layers that nothing else has', () => {
    const { images, layers } = rows()
    images.put(image('a'))
    images.put(image('b', { layers: [base, other] }))
    assert.deepEqual(images.remove(digestOf('a')), [top.diffId])
    assert.equal(layers.has(top.diffId), false)
    assert.deepEqual(images.remove(digestOf('b'))?.toSorted(), [base.diffId, other.diffId])
  })

  it('hides an image that a container has, until the container is gone', () => {
    const { db, images, layers, container } = rows()
    images.put(image('a'))
    container(digestOf('a'))

    assert.equal(images.remove(digestOf('a')), undefined)
    assert.equal(images.get(digestOf('a')), undefined)
    assert.deepEqual(images.search('a'), [])
    assert.deepEqual(images.list(), [])
    assert.deepEqual(images.hidden(), [digestOf('a')])
    assert.equal(layers.has(base.diffId), true)

    db.run('DELETE FROM containers')
    assert.equal(images.remove(digestOf('a'))?.length, 2)
    assert.deepEqual(images.hidden(), [])
  })

  it('shows a hidden image again when it is put again', () => {
    const { images, container } = rows()
    images.put(image('a'))
    container(digestOf('a'))
    images.remove(digestOf('a'))
    images.put(image('a'))
    assert.equal(images.get(digestOf('a'))?.size, 3)
  })
})

describe('ReferenceRows', () => {
  it('put() returns the image that lost the name', () => {
    const { images, references } = rows()
    images.put(image('a'))
    images.put(image('b'))
    assert.equal(references.put('docker.io/library/x:1', digestOf('a'), 7), undefined)
    assert.equal(references.put('docker.io/library/x:1', digestOf('a'), 8), undefined)
    assert.equal(references.put('docker.io/library/x:1', digestOf('b'), 9), digestOf('a'))
    assert.equal(references.get('docker.io/library/x:1'), digestOf('b'))
    assert.deepEqual(references.of(digestOf('a')), [])
    assert.equal(images.get(digestOf('b'))?.taggedAt, 9)
  })

  it('put() refuses an image that is not there', () => {
    const { references } = rows()
    assert.throws(() => references.put('x', digestOf('a'), 0), isForeignKeyViolation)
  })

  it('remove() tells whether there was such a name', () => {
    const { images, references } = rows()
    images.put(image('a'))
    references.put('x', digestOf('a'), 0)
    assert.equal(references.remove('x'), true)
    assert.equal(references.remove('x'), false)
    assert.deepEqual(references.list(), [])
  })
})

describe('LayerRows', () => {
  it('shared() has the layers of more than one visible image', () => {
    const { images, layers } = rows()
    images.put(image('a', { layers: [base, base] }))
    assert.deepEqual([...layers.shared()], [])
    images.put(image('b', { layers: [base, other] }))
    assert.deepEqual([...layers.shared()], [base.diffId])
    assert.deepEqual(layers.imagesOn(base.diffId, digestOf('a')), [digestOf('b')])
  })

  it('blobs() has configs and manifests', () => {
    const { images, layers } = rows()
    images.put(image('a'))
    images.putManifest(digestOf('a'), { digest: digestOf('9'), mediaType: 'm', size: 1 })
    assert.deepEqual([...layers.blobs()].toSorted(), [digestOf('9'), digestOf('a')])
    images.remove(digestOf('a'))
    assert.deepEqual([...layers.blobs()], [])
  })
})
