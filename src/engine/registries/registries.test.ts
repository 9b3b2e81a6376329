import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { digestOf } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import { mediaTypes } from '#oci/image-spec.ts'
import { FakeRegistries } from '#test/support/fake-registries.ts'
import { encodeJson } from '../images/manifest.ts'
import { Registries } from './registries.ts'

function registriesForTest() {
  const client = new FakeRegistries()
  return { client, registries: new Registries(client) }
}

const nobody = { auth: undefined }
const unfiltered = { limit: undefined, filters: new Map<string, string[]>(), auth: undefined }

describe('Registries.login()', () => {
  it('asks the host of the address, Docker Hub by default', async () => {
    const { client, registries } = registriesForTest()
    const auth = { username: 'a', password: 'b' }
    for (const serveraddress of ['https://index.docker.io/v1/', '', 'http://r.example:5000/v2/']) {
      const answer = await registries.login({ ...auth, serveraddress })
      assert.deepEqual(answer, { Status: 'Login Succeeded', IdentityToken: '' })
    }
    assert.deepEqual(client.requests, ['docker.io: login a', 'docker.io: login a', 'r.example:5000: login a'])
  })

  it('hands the identity token over, and refusals on', async () => {
    const { registries } = registriesForTest()
    const { IdentityToken } = await registries.login({ username: 'a', password: 'for-token' })
    assert.equal(IdentityToken, 'a-token')
    const refused = registries.login({ username: 'a', password: 'wrong' })
    await assert.rejects(refused, (error) => isKind(error, 'unauthenticated'))
  })
})

describe('Registries.search()', () => {
  const row = { name: 'x', description: 'd', stars: 3, official: false, automated: true }

  it('searches the host that stands before the term', async () => {
    const { client, registries } = registriesForTest()
    for (const term of ['nginx', 'team/nginx', 'localhost:5000/team/nginx', 'r.example/x']) {
      await registries.search(term, unfiltered)
    }
    assert.deepEqual(client.requests, [
      'docker.io: search nginx 25',
      'docker.io: search team/nginx 25',
      'localhost:5000: search team/nginx 25',
      'r.example: search x 25',
    ])
  })

  it('filters by stars and official', async () => {
    const { client, registries } = registriesForTest()
    client.results = [row, { ...row, name: 'y', stars: 9, official: true }]
    const names = async (filters: readonly (readonly [string, string[]])[]): Promise<string[]> =>
      (await registries.search('x', { ...unfiltered, filters: new Map(filters) })).map(({ name }) => name)
    assert.deepEqual(await names([['stars', ['3']]]), ['x', 'y'])
    assert.deepEqual(await names([['stars', ['3', '4']]]), ['y'])
    assert.deepEqual(await names([['is-official', ['true']]]), ['y'])
    assert.deepEqual(await names([['is-official', ['0']]]), ['x'])
    assert.deepEqual(await names([['is-automated', ['false']]]), ['x', 'y'])
    assert.deepEqual(await registries.search('x', unfiltered), [
      { name: 'x', description: 'd', star_count: 3, is_official: false, is_automated: false },
      { name: 'y', description: 'd', star_count: 9, is_official: true, is_automated: false },
    ])
  })

  it("refuses limits and filters in Docker's words", async () => {
    const { client, registries } = registriesForTest()
    for (const limit of [-1, 101]) {
      const refused = registries.search('x', { ...unfiltered, limit })
      await assert.rejects(refused, new RegExp(`limit ${limit} is outside the range of \\[1, 100\\]`))
    }
    for (const [name, value] of [
      ['stars', 'many'],
      ['is-official', 'perhaps'],
      ['colour', 'red'],
    ] as const) {
      const refused = registries.search('x', { ...unfiltered, filters: new Map([[name, [value]]]) })
      await assert.rejects(refused, new RegExp(`invalid filter '${name}`))
    }
    assert.deepEqual(client.requests, [])
  })
})

describe('Registries.inspect()', () => {
  const config = encodeJson({
    architecture: 'arm64',
    os: 'linux',
    variant: 'v8',
    rootfs: { type: 'layers', diff_ids: [] },
  })
  const manifest = encodeJson({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length },
    layers: [],
  })

  it('reads the platform of a single image from its config', async () => {
    const { client, registries } = registriesForTest()
    const repository = client.at('docker.io/library/x')
    repository.blobs.set(digestOf(config), config)
    repository.manifests.set('latest', { bytes: manifest, mediaType: mediaTypes.ociManifest })
    assert.deepEqual(await registries.inspect('x', nobody), {
      Descriptor: { mediaType: mediaTypes.ociManifest, digest: digestOf(manifest), size: manifest.length },
      Platforms: [{ architecture: 'arm64', os: 'linux', variant: 'v8' }],
    })
  })

  it('lists the platforms of an index', async () => {
    const { client, registries } = registriesForTest()
    const entry = { mediaType: mediaTypes.ociManifest, digest: digestOf(manifest), size: manifest.length }
    const index = encodeJson({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [
        { ...entry, platform: { os: 'linux', architecture: 'amd64' } },
        { ...entry, platform: { os: 'windows', architecture: 'amd64', 'os.version': '10' } },
      ],
    })
    const digest = digestOf(index)
    const repository = client.at('r.example/x')
    repository.manifests.set(digest, { bytes: index, mediaType: mediaTypes.ociIndex })
    const { Platforms } = await registries.inspect(`r.example/x:ignored@${digest}`, nobody)
    assert.deepEqual(Platforms, [
      { architecture: 'amd64', os: 'linux' },
      { architecture: 'amd64', os: 'windows', 'os.version': '10' },
    ])
  })

  it('refuses what is no image, and what is not there', async () => {
    const { client, registries } = registriesForTest()
    const chart = encodeJson({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: 'application/vnd.cncf.helm.config.v1+json', digest: digestOf(config), size: 2 },
      layers: [],
    })
    client.at('r.example/x').manifests.set('1', { bytes: chart, mediaType: mediaTypes.ociManifest })
    await assert.rejects(registries.inspect('r.example/x:1', nobody), (error) =>
      isKind(error, 'invalid_argument'),
    )
    await assert.rejects(registries.inspect('r.example/x:2', nobody), (error) => isKind(error, 'not_found'))
  })
})
