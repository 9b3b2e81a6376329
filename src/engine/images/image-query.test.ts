import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Filters } from '../services.ts'
import { mediaTypes } from '#oci/image-spec.ts'
import { isKind } from '#base/errors.ts'
import { imagesForTest, LAYER_SIZE, NOW } from '#test/support/images.ts'

const digest = `sha256:${'ab'.repeat(32)}` as const

function listing(
  filters: Record<string, string[]> = {},
  change: { all?: boolean; sharedSize?: boolean } = {},
) {
  return {
    all: false,
    sharedSize: false,
    manifests: false,
    filters: new Map(Object.entries(filters)) as Filters,
    ...change,
  }
}

describe('ImageQuery.list()', () => {
  it('shows what Docker shows', async () => {
    const { image, query, container } = imagesForTest()
    const id = await image({
      layers: ['base', 'top'],
      names: ['a:1', `a@${digest}`],
      config: { Labels: { x: 'y' } },
      created: '2026-01-01T00:00:01.5Z',
    })
    container('c', id)
    assert.deepEqual(await query.list(listing()), [
      {
        Id: id,
        ParentId: '',
        RepoTags: ['a:1'],
        RepoDigests: [`a@${digest}`],
        Created: Date.parse('2026-01-01T00:00:01Z') / 1000,
        Size: 2 * LAYER_SIZE,
        SharedSize: -1,
        Labels: { x: 'y' },
        Containers: 1,
      },
    ])
  })

  it('hides nameless parents unless asked for all', async () => {
    const { image, query } = imagesForTest()
    const parent = await image()
    await image({ layers: ['base', 'top'], names: ['a:1'], parentId: parent })
    assert.equal((await query.list(listing())).length, 1)
    assert.equal((await query.list(listing({}, { all: true }))).length, 2)
  })

  it('counts shared layers on request', async () => {
    const { image, query } = imagesForTest()
    await image({ layers: ['base', 'top'] })
    await image({ layers: ['base', 'other'] })
    const list = await query.list(listing({}, { sharedSize: true }))
    assert.deepEqual(
      list.map(({ SharedSize }) => SharedSize),
      [LAYER_SIZE, LAYER_SIZE],
    )
  })

  it('filters', async () => {
    const { image, query } = imagesForTest()
    await image({ layers: ['1'], names: ['a:1', 'host/x/b:1'], created: '2026-01-01T00:00:01Z' })
    await image({
      layers: ['2'],
      names: ['c:1'],
      created: '2026-01-01T00:00:02Z',
      config: { Labels: { k: 'v', l: '' } },
    })
    await image({ layers: ['3'], created: '2026-01-01T00:00:03Z' })
    await image({ layers: ['4'], names: [`d@${digest}`], created: '2026-01-01T00:00:04Z' })
    const tags = async (filters: Record<string, string[]>): Promise<string> =>
      (await query.list(listing(filters)))
        .map(({ RepoTags, RepoDigests }) => [...(RepoTags ?? []), ...(RepoDigests ?? [])].join() || '-')
        .join(' ')

    assert.equal(await tags({}), `d@${digest} - c:1 host/x/b:1,a:1`)
    assert.equal(await tags({ dangling: ['true'] }), `d@${digest} -`)
    assert.equal(await tags({ dangling: ['false'] }), `d@${digest} c:1 host/x/b:1,a:1`)
    assert.equal(await tags({ reference: ['a'] }), 'a:1')
    assert.equal(await tags({ reference: ['*:1'] }), 'c:1 a:1')
    assert.equal(await tags({ reference: ['host/*/b', 'c:?'] }), 'c:1 host/x/b:1')
    assert.equal(await tags({ label: ['k'] }), 'c:1')
    assert.equal(await tags({ label: ['k=v', 'l'] }), 'c:1')
    assert.equal(await tags({ label: ['k=w'] }), '')
    assert.equal(await tags({ 'label!': ['k'] }), `d@${digest} - host/x/b:1,a:1`)
    assert.equal(await tags({ before: ['c:1'] }), 'host/x/b:1,a:1')
    assert.equal(await tags({ since: ['c:1'] }), `d@${digest} -`)
    assert.equal(await tags({ until: ['2026-01-01T00:00:02Z'] }), 'host/x/b:1,a:1')
    const both = { until: ['2026-01-01T00:00:09Z', '2026-01-01T00:00:02Z'] }
    assert.equal(await tags(both), 'host/x/b:1,a:1')
  })

  it('refuses filters that make no sense', async () => {
    const { query } = imagesForTest()
    const refused: [Record<string, string[]>, RegExp][] = [
      [{ nonsense: ['1'] }, /invalid filter 'nonsense'/],
      [{ dangling: ['maybe'] }, /invalid filter 'dangling=\[maybe\]'/],
      [{ before: ['nobody'] }, /No such image: nobody:latest/],
      [{ reference: ['[a'] }, /invalid filter 'reference=\[a'/],
      [{ until: ['tomorrow'] }, /failed to parse value as time or duration: "tomorrow"/],
    ]
    for (const [filters, message] of refused) await assert.rejects(query.list(listing(filters)), message)
  })
})

describe('ImageQuery.inspect()', () => {
  it('shows what Docker shows', async () => {
    const { image, query, store } = imagesForTest()
    const id = await image({ names: ['a:1', `a@${digest}`], config: { Cmd: ['sh'], Env: ['A=1'] } })
    const document = await query.inspect('a:1', { manifests: false })
    const { Descriptor, ...rest } = document
    assert.deepEqual(rest, {
      Id: id,
      RepoTags: ['a:1'],
      RepoDigests: [`a@${digest}`],
      Comment: '',
      Created: '2026-01-01T00:00:00Z',
      Author: '',
      Config: {
        User: '',
        Env: ['A=1'],
        Cmd: ['sh'],
        Entrypoint: null,
        Volumes: null,
        WorkingDir: '',
        OnBuild: null,
        Labels: null,
      },
      Architecture: 'amd64',
      Os: 'linux',
      Size: LAYER_SIZE,
      GraphDriver: { Name: 'directory', Data: {} },
      RootFS: { Type: 'layers', Layers: store.rows.layers(id) },
      Metadata: { LastTagTime: new Date(NOW).toISOString() },
      Parent: '',
      DockerVersion: '',
    })
    assert.equal(Descriptor?.mediaType, 'application/vnd.oci.image.manifest.v1+json')
  })

  it('gives the manifest that the image came with', async () => {
    const { image, query, store } = imagesForTest()
    const id = await image({ names: ['a:1'] })
    store.rows.putManifest(id, { digest, mediaType: mediaTypes.ociManifest, size: 7 })
    const { Descriptor, Manifests } = await query.inspect('a:1', { manifests: true })
    assert.deepEqual(Descriptor, { digest, mediaType: mediaTypes.ociManifest, size: 7 })
    assert.equal(Manifests?.[0]?.ID, digest)
    assert.equal(Manifests?.[0]?.ImageData?.Platform?.architecture, 'amd64')
  })

  it('refuses another platform', async () => {
    const { image, query } = imagesForTest()
    await image({ names: ['a:1'] })
    await query.inspect('a:1', { manifests: false, platform: 'linux/amd64' })
    await assert.rejects(
      query.inspect('a:1', { manifests: false, platform: 'linux/arm64' }),
      (error) =>
        isKind(error, 'not_found') &&
        /platform \(linux\/amd64\) does not match the specified platform \(linux\/arm64\)/.test(
          String(error),
        ),
    )
  })
})

describe('ImageQuery.history()', () => {
  it('goes from the newest step to the oldest, with sizes of layers', async () => {
    const { image, query } = imagesForTest()
    const id = await image({
      layers: ['base', 'topmost'],
      names: ['a:1'],
      history: [
        { created: '1970-01-01T00:00:07Z', created_by: 'ADD', comment: 'c' },
        { created_by: 'ENV', empty_layer: true },
        { created_by: 'RUN' },
      ],
    })
    assert.deepEqual(await query.history('a:1'), [
      { Id: id, Created: 0, CreatedBy: 'RUN', Tags: ['a:1'], Size: LAYER_SIZE, Comment: '' },
      { Id: '<missing>', Created: 0, CreatedBy: 'ENV', Tags: null, Size: 0, Comment: '' },
      { Id: '<missing>', Created: 7, CreatedBy: 'ADD', Tags: null, Size: LAYER_SIZE, Comment: 'c' },
    ])
  })

  it('names the parents that are here', async () => {
    const { image, query } = imagesForTest()
    const parent = await image({ names: ['p:1'] })
    const child = await image({ layers: ['base', 'top'], parentId: parent })
    assert.deepEqual(
      (await query.history(child)).map(({ Id, Tags }) => [Id, Tags]),
      [
        [child, null],
        [parent, ['p:1']],
      ],
    )
  })

  it('copes with more steps than layers', async () => {
    const { image, query } = imagesForTest()
    const id = await image({ layers: [], history: [{ created_by: 'x' }] })
    assert.equal((await query.history(id))[0]?.Size, 0)
  })
})
