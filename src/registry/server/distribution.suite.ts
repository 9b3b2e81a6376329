/**
 * What the OCI distribution-spec 1.1 asks of a registry, as a list of cases of our own: pull, push, content discovery,
 * content management, and what strangers must not be able to do.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { describe, it } from 'node:test'
import { digestOf } from '#base/digest.ts'

export interface RegistryUnderTest extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
}

const OCI = 'application/vnd.oci.image.manifest.v1+json'
const OCI_INDEX = 'application/vnd.oci.image.index.v1+json'
const DOCKER = 'application/vnd.docker.distribution.manifest.v2+json'
const CONFIG = 'application/vnd.oci.image.config.v1+json'
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip'
const EMPTY = 'application/vnd.oci.empty.v1+json'

type Body = string | Uint8Array

/** Requests to one registry, with the moves that most cases need. */
export class TestClient {
  readonly url: string

  constructor(url: string) {
    this.url = url
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(new URL(path, this.url), { redirect: 'manual', ...init })
  }

  async begin(name: string): Promise<string> {
    const response = await this.fetch(`/v2/${name}/blobs/uploads/`, { method: 'POST' })
    assert.equal(response.status, 202)
    return response.headers.get('location') ?? ''
  }

  async putBlob(name: string, bytes: Body): Promise<{ digest: string; size: number }> {
    const digest = digestOf(bytes)
    const location = await this.begin(name)
    const response = await this.fetch(closing(location, digest), {
      method: 'PUT',
      body: Buffer.from(bytes),
    })
    assert.equal(response.status, 201, await response.text())
    return { digest, size: Buffer.byteLength(bytes) }
  }

  putManifest(name: string, reference: string, document: object, type: string = OCI): Promise<Response> {
    return this.fetch(`/v2/${name}/manifests/${reference}`, {
      method: 'PUT',
      body: JSON.stringify(document),
      headers: { 'Content-Type': type },
    })
  }

  /** An image of one layer; the manifest's digest. */
  async putImage(name: string, tag: string, seed: string = tag, extra: object = {}): Promise<string> {
    const document = await this.image(name, seed, extra)
    const response = await this.putManifest(name, tag, document)
    assert.equal(response.status, 201, await response.text())
    return digestOf(JSON.stringify(document))
  }

  async image(name: string, seed: string, extra: object = {}): Promise<object> {
    const config = await this.putBlob(name, `{"seed":${JSON.stringify(seed)}}`)
    const layer = await this.putBlob(name, `layer ${seed}`)
    return {
      schemaVersion: 2,
      mediaType: OCI,
      config: { mediaType: CONFIG, ...config },
      layers: [{ mediaType: LAYER, ...layer }],
      ...extra,
    }
  }

  /** Sends the path as it is: `fetch` would tidy it up. */
  raw(path: string, method = 'GET', headers: Record<string, string> = {}): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const { hostname, port } = new URL(this.url)
    const sent = httpRequest({ hostname, port, path, method, headers }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    sent.on('error', reject).end()
    return promise
  }
}

/** Where an upload ends; a registry may have put a query of its own into its address. end-6 */
function closing(location: string, digest: string): string {
  return `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`
}

export async function codeOf(response: Response): Promise<string> {
  const { errors } = (await response.json()) as { errors: readonly { code: string; message: string }[] }
  assert.ok(errors[0]?.message)
  return errors[0].code
}

export function distributionSuite(name: string, make: () => Promise<RegistryUnderTest>): void {
  const test = (title: string, run: (client: TestClient) => Promise<void>): void => {
    it(title, async () => {
      await using under = await make()
      await run(new TestClient(under.url))
    })
  }

  describe(`${name}: pull`, () => {
    test('end-1: says which API it speaks', async (client) => {
      for (const path of ['/v2/', '/v2']) {
        const response = await client.fetch(path)
        assert.equal(response.status, 200)
        assert.equal(response.headers.get('docker-distribution-api-version'), 'registry/2.0')
        assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
        assert.deepEqual(await response.json(), {})
      }
    })

    test('end-2: gives a blob, its head, and 404 for others', async (client) => {
      const { digest } = await client.putBlob('a/b', 'hello')
      const get = await client.fetch(`/v2/a/b/blobs/${digest}`)
      assert.equal(get.status, 200)
      assert.equal(get.headers.get('docker-content-digest'), digest)
      assert.equal(get.headers.get('content-type'), 'application/octet-stream')
      assert.equal(await get.text(), 'hello')
      const head = await client.fetch(`/v2/a/b/blobs/${digest}`, { method: 'HEAD' })
      assert.equal(head.status, 200)
      assert.equal(head.headers.get('content-length'), '5')
      assert.equal(head.headers.get('docker-content-digest'), digest)
      const missing = digestOf('missing')
      assert.equal(await codeOf(await client.fetch(`/v2/a/b/blobs/${missing}`)), 'BLOB_UNKNOWN')
      assert.equal((await client.fetch(`/v2/a/b/blobs/${missing}`, { method: 'HEAD' })).status, 404)
      assert.equal((await client.fetch(`/v2/other/blobs/${digest}`)).status, 404)
    })

    test('end-2: gives ranges of a blob', async (client) => {
      const { digest } = await client.putBlob('a', '0123456789')
      const range = async (value: string): Promise<readonly (number | string | null)[]> => {
        const response = await client.fetch(`/v2/a/blobs/${digest}`, { headers: { Range: value } })
        const text = response.status === 416 ? '' : await response.text()
        return [response.status, text, response.headers.get('content-range')]
      }
      assert.deepEqual(await range('bytes=2-4'), [206, '234', 'bytes 2-4/10'])
      assert.deepEqual(await range('bytes=7-'), [206, '789', 'bytes 7-9/10'])
      assert.deepEqual(await range('bytes=-2'), [206, '89', 'bytes 8-9/10'])
      assert.deepEqual(await range('bytes=8-99'), [206, '89', 'bytes 8-9/10'])
      assert.deepEqual(await range('bytes=10-'), [416, '', 'bytes */10'])
      assert.deepEqual(await range('bytes=0-1,3-4'), [200, '0123456789', null])
      assert.deepEqual(await range('bytes=4-2'), [200, '0123456789', null])
      assert.deepEqual(await range('lines=1-2'), [200, '0123456789', null])
    })

    test('end-2: answers 304 to who has the blob', async (client) => {
      const { digest } = await client.putBlob('a', 'x')
      const headers = { 'If-None-Match': `"${digest}"` }
      assert.equal((await client.fetch(`/v2/a/blobs/${digest}`, { headers })).status, 304)
    })

    test('end-3: gives a manifest by tag and digest, byte for byte', async (client) => {
      const digest = await client.putImage('a/b', 'v1')
      for (const reference of ['v1', digest]) {
        for (const method of ['GET', 'HEAD']) {
          const response = await client.fetch(`/v2/a/b/manifests/${reference}`, { method })
          assert.equal(response.status, 200)
          assert.equal(response.headers.get('docker-content-digest'), digest)
          assert.equal(response.headers.get('content-type'), OCI)
          const text = await response.text()
          if (method === 'GET') assert.equal(digestOf(text), digest)
          else assert.ok(Number(response.headers.get('content-length')) > 100)
        }
      }
      for (const reference of ['none', '.INVALID_MANIFEST_NAME', digestOf('none')]) {
        for (const method of ['GET', 'HEAD']) {
          assert.equal((await client.fetch(`/v2/a/b/manifests/${reference}`, { method })).status, 404)
        }
      }
    })

    test('end-3: keeps to what the client accepts', async (client) => {
      await client.putImage('a', 'v1')
      const get = (Accept: string): Promise<Response> =>
        client.fetch('/v2/a/manifests/v1', { headers: { Accept } })
      assert.equal((await get(`${DOCKER}, ${OCI};q=0.5`)).status, 200)
      assert.equal((await get('*/*')).status, 200)
      assert.equal(await codeOf(await get(DOCKER)), 'MANIFEST_UNKNOWN')
    })
  })

  describe(`${name}: push`, () => {
    test('end-4b: takes a blob in one POST', async (client) => {
      const digest = digestOf('single')
      const response = await client.fetch(`/v2/a/blobs/uploads/?digest=${digest}`, {
        method: 'POST',
        body: 'single',
      })
      assert.equal(response.status, 201)
      assert.equal(response.headers.get('location'), `/v2/a/blobs/${digest}`)
      assert.equal(await (await client.fetch(`/v2/a/blobs/${digest}`)).text(), 'single')
    })

    test('end-5: takes a blob in chunks, and tells how far it is', async (client) => {
      let location = await client.begin('a')
      for (const [chunk, range, end] of [
        ['hello', '0-4', '0-4'],
        [' world', '5-10', '0-10'],
      ] as const) {
        const response = await client.fetch(location, {
          method: 'PATCH',
          body: chunk,
          headers: { 'Content-Range': range, 'Content-Type': 'application/octet-stream' },
        })
        assert.equal(response.status, 202)
        assert.equal(response.headers.get('range'), end)
        location = response.headers.get('location') ?? ''
        const status = await client.fetch(location)
        assert.equal(status.status, 204)
        assert.equal(status.headers.get('range'), end)
        assert.ok(location.endsWith(status.headers.get('docker-upload-uuid') ?? '?'))
      }
      const digest = digestOf('hello world!')
      const done = await client.fetch(closing(location, digest), {
        method: 'PUT',
        body: '!',
        headers: { 'Content-Range': '11-11' },
      })
      assert.equal(done.status, 201)
      assert.equal(done.headers.get('docker-content-digest'), digest)
      assert.equal((await client.fetch(location)).status, 404)
    })

    test('end-5: refuses a chunk out of order, and one whose range lies', async (client) => {
      const location = await client.begin('a')
      const patch = (body: string, range: string): Promise<Response> =>
        client.fetch(location, { method: 'PATCH', body, headers: { 'Content-Range': range } })
      const early = await patch('late', '5-8')
      assert.equal(early.status, 416)
      assert.equal(early.headers.get('range'), '0-0')
      assert.equal(early.headers.get('location'), location)
      assert.equal((await patch('abc', '0-2')).status, 202)
      const again = await patch('abc', '0-2')
      assert.equal(again.status, 416)
      assert.equal(again.headers.get('range'), '0-2')
      assert.equal(await codeOf(await patch('abc', '3-100')), 'SIZE_INVALID')
      assert.equal((await patch('abc', '5-3')).status, 400)
      assert.equal((await patch('abc', 'x')).status, 400)
      assert.equal((await client.fetch(location)).headers.get('range'), '0-2')
    })

    test('end-5: takes a stream of unknown length, as Docker sends it', async (client) => {
      const location = await client.begin('a')
      const pieces = Array.from({ length: 50 }, () => randomBytes(100_000))
      const response = await client.fetch(location, {
        method: 'PATCH',
        body: ReadableStream.from(pieces),
        duplex: 'half',
      })
      assert.equal(response.status, 202)
      assert.equal(response.headers.get('range'), '0-4999999')
      const digest = digestOf(Buffer.concat(pieces))
      assert.equal((await client.fetch(closing(location, digest), { method: 'PUT' })).status, 201)
      const back = await (await client.fetch(`/v2/a/blobs/${digest}`)).bytes()
      assert.equal(digestOf(back), digest)
    })

    test('end-6: takes an empty blob', async (client) => {
      const { digest } = await client.putBlob('a', '')
      assert.equal(await (await client.fetch(`/v2/a/blobs/${digest}`)).text(), '')
    })

    test('end-6: refuses a blob with another digest, and forgets it', async (client) => {
      const location = await client.begin('a')
      const response = await client.fetch(closing(location, digestOf('other')), {
        method: 'PUT',
        body: 'bytes',
      })
      assert.equal(response.status, 400)
      assert.equal(await codeOf(response), 'DIGEST_INVALID')
      assert.equal((await client.fetch(location)).status, 404)
      assert.equal((await client.fetch(`/v2/a/blobs/${digestOf('other')}`)).status, 404)
      assert.equal((await client.fetch(`/v2/a/blobs/${digestOf('bytes')}`)).status, 404)
    })

    test('end-6: refuses digests it does not keep', async (client) => {
      const location = await client.begin('a')
      const sha512 = `sha512:${'0'.repeat(128)}`
      for (const query of ['', '?digest=', '?digest=sha256:xyz', `?digest=${sha512}`]) {
        const response = await client.fetch(`${location}${query}`, { method: 'PUT', body: 'x' })
        assert.equal(await codeOf(response), 'DIGEST_INVALID', query)
      }
      assert.equal((await client.fetch(location)).status, 204)
    })

    test('end-11: mounts a blob, or begins an upload', async (client) => {
      const { digest } = await client.putBlob('from/here', 'shared')
      const mount = (query: string): Promise<Response> =>
        client.fetch(`/v2/to/blobs/uploads/?${query}`, { method: 'POST' })
      assert.equal((await mount(`mount=${digest}&from=nowhere`)).status, 202)
      const mounted = await mount(`mount=${digest}&from=from/here`)
      assert.equal(mounted.status, 201)
      assert.equal(mounted.headers.get('location'), `/v2/to/blobs/${digest}`)
      assert.equal(await (await client.fetch(`/v2/to/blobs/${digest}`)).text(), 'shared')
      const anywhere = await client.fetch(`/v2/three/blobs/uploads/?mount=${digest}`, { method: 'POST' })
      assert.equal(anywhere.status, 201)
      const unknown = await mount(`mount=${digestOf('unknown')}&from=from/here`)
      assert.equal(unknown.status, 202)
      assert.match(unknown.headers.get('location') ?? '', /uploads\/./)
    })

    test('end-13: cancels an upload', async (client) => {
      const location = await client.begin('a')
      assert.equal((await client.fetch(location, { method: 'DELETE' })).status, 204)
      assert.equal(await codeOf(await client.fetch(location)), 'BLOB_UPLOAD_UNKNOWN')
      assert.equal((await client.fetch(location, { method: 'PATCH', body: 'x' })).status, 404)
    })

    test('an upload belongs to its repository', async (client) => {
      const location = await client.begin('mine')
      const elsewhere = location.replace('/mine/', '/yours/')
      for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
        const response = await client.fetch(`${elsewhere}?digest=${digestOf('')}`, { method })
        assert.equal(response.status, 404, method)
      }
      assert.equal((await client.fetch(location)).status, 204)
    })
  })

  describe(`${name}: push of manifests`, () => {
    test('end-7: takes images, artifacts without layers, indexes of indexes', async (client) => {
      const digest = await client.putImage('a', 'v1')
      const empty = await client.putBlob('a', '{}')
      const artifact = {
        schemaVersion: 2,
        mediaType: OCI,
        artifactType: 'application/x',
        config: { mediaType: EMPTY, ...empty, data: 'e30=' },
        layers: [],
      }
      assert.equal((await client.putManifest('a', 'artifact', artifact)).status, 201)
      const child = await (await client.fetch('/v2/a/manifests/v1')).text()
      const inner = {
        schemaVersion: 2,
        mediaType: OCI_INDEX,
        manifests: [{ mediaType: OCI, digest, size: child.length }],
      }
      const text = JSON.stringify(inner)
      assert.equal((await client.putManifest('a', digestOf(text), inner, OCI_INDEX)).status, 201)
      const outer = {
        ...inner,
        manifests: [{ mediaType: OCI_INDEX, digest: digestOf(text), size: text.length }],
      }
      const response = await client.putManifest('a', 'outer', outer, OCI_INDEX)
      assert.equal(response.status, 201)
      assert.equal(response.headers.get('location'), `/v2/a/manifests/${digestOf(JSON.stringify(outer))}`)
    })

    test('end-7: takes several tags beside a digest', async (client) => {
      const document = await client.image('a', 'x')
      const digest = digestOf(JSON.stringify(document))
      const response = await client.putManifest('a', `${digest}?tag=one&tag=two`, document)
      assert.equal(response.status, 201)
      assert.equal(response.headers.get('oci-tag'), 'one, two')
      const tags = (await (await client.fetch('/v2/a/tags/list')).json()) as object
      assert.deepEqual(tags, { name: 'a', tags: ['one', 'two'] })
    })

    test('end-7: refuses a manifest whose blobs are not there', async (client) => {
      const document = await client.image('a', 'x')
      assert.equal(await codeOf(await client.putManifest('b', 'v1', document)), 'MANIFEST_BLOB_UNKNOWN')
      const index = {
        schemaVersion: 2,
        mediaType: OCI_INDEX,
        manifests: [{ mediaType: OCI, digest: digestOf('none'), size: 4 }],
      }
      assert.equal(
        await codeOf(await client.putManifest('a', 'v1', index, OCI_INDEX)),
        'MANIFEST_BLOB_UNKNOWN',
      )
      const foreign = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'
      const layer = {
        mediaType: foreign,
        digest: digestOf('elsewhere'),
        size: 9,
        urls: ['https://x.invalid/'],
      }
      assert.equal((await client.putManifest('a', 'w', { ...document, layers: [layer] })).status, 201)
    })

    test('end-7: refuses what it cannot be sure of', async (client) => {
      const document = await client.image('a', 'x')
      const put = async (body: object, type: string = OCI, reference = 'v1'): Promise<string> =>
        codeOf(await client.putManifest('a', reference, body, type))
      assert.equal(await put(document, DOCKER), 'MANIFEST_INVALID')
      assert.equal(await put({ ...document, manifests: [] }), 'MANIFEST_INVALID', 'CVE-2021-41190')
      assert.equal(await put({ ...document, Manifests: [] }), 'MANIFEST_INVALID', 'CVE-2021-41190')
      assert.equal(await put({ ...document, schemaVersion: 1 }), 'MANIFEST_INVALID')
      assert.equal(await put(document, 'text/html'), 'MANIFEST_INVALID')
      assert.equal(
        await put(document, 'application/vnd.docker.distribution.manifest.v1+prettyjws'),
        'MANIFEST_INVALID',
      )
      assert.equal(await put(document, OCI, digestOf('other')), 'DIGEST_INVALID')
      assert.equal(await put(document, OCI, '.hidden'), 'TAG_INVALID')
      assert.equal(
        await put({ ...document, subject: { digest: 'sha256:x' } }),
        'MANIFEST_INVALID',
        'CVE-2026-95839',
      )
      const config = { mediaType: CONFIG, digest: digestOf('{"seed":"x"}'), size: 3 }
      assert.equal(await put({ ...document, config }), 'SIZE_INVALID')
      assert.equal((await client.fetch('/v2/a/manifests/v1')).status, 404)
    })

    test('end-7: takes 4 MiB and no more (CVE-2021-21285)', async (client) => {
      const document = await client.image('a', 'x', { annotations: { padding: '' } })
      const room = (4 << 20) - JSON.stringify(document).length
      const padded = (length: number): object => ({
        ...document,
        annotations: { padding: 'p'.repeat(length) },
      })
      assert.equal((await client.putManifest('a', 'big', padded(room))).status, 201)
      assert.equal((await client.putManifest('a', 'bigger', padded(room + 1))).status, 413)
    })
  })

  describe(`${name}: content discovery`, () => {
    test('end-8: lists tags in order, page by page', async (client) => {
      for (const tag of ['b', 'a', 'c']) await client.putImage('x/y', tag, 'same')
      const get = async (query: string): Promise<readonly unknown[]> => {
        const response = await client.fetch(`/v2/x/y/tags/list${query}`)
        const { tags } = (await response.json()) as { tags: readonly string[] }
        return [tags.join(), response.headers.get('link')]
      }
      assert.deepEqual(await get(''), ['a,b,c', null])
      assert.deepEqual(await get('?n=2'), ['a,b', '</v2/x/y/tags/list?n=2&last=b>; rel="next"'])
      assert.deepEqual(await get('?n=2&last=b'), ['c', null])
      assert.deepEqual(await get('?last=a'), ['b,c', null])
      assert.deepEqual(await get('?n=0'), ['', null])
      assert.deepEqual(await get('?n=99999999999'), ['a,b,c', null])
      assert.equal(await codeOf(await client.fetch('/v2/x/y/tags/list?n=-1')), 'PAGINATION_NUMBER_INVALID')
      assert.equal(await codeOf(await client.fetch('/v2/none/tags/list')), 'NAME_UNKNOWN')
    })

    test('the catalogue lists repositories page by page', async (client) => {
      for (const name of ['b/b', 'a', 'c']) await client.putImage(name, 'latest')
      const first = await client.fetch('/v2/_catalog?n=2')
      assert.deepEqual(await first.json(), { repositories: ['a', 'b/b'] })
      const next = /<([^>]+)>; rel="next"/.exec(first.headers.get('link') ?? '')?.[1] ?? ''
      const second = await client.fetch(next)
      assert.deepEqual(await second.json(), { repositories: ['c'] })
      assert.equal(second.headers.get('link'), null)
    })

    test('end-12: lists referrers, filters them, and knows none of what is missing', async (client) => {
      const subject = digestOf('not pushed yet')
      const refer = (artifactType: string, seed: string): Promise<Response> =>
        client.image('a', seed, { artifactType, annotations: { seed } }).then((image) =>
          client.putManifest('a', seed, {
            ...image,
            subject: { mediaType: OCI, digest: subject, size: 1 },
          }),
        )
      const response = await refer('x/signature', 'one')
      assert.equal(response.status, 201)
      assert.equal(response.headers.get('oci-subject'), subject)
      await refer('x/sbom', 'two')
      await refer('x/sbom', 'three')

      const list = async (query: string): Promise<{ seeds: readonly string[]; response: Response }> => {
        const response = await client.fetch(`/v2/a/referrers/${query}`)
        assert.equal(response.status, 200)
        assert.equal(response.headers.get('content-type'), OCI_INDEX)
        const { manifests } = (await response.json()) as {
          manifests: readonly { annotations: { seed: string }; artifactType: string }[]
        }
        return { seeds: manifests.map(({ annotations: { seed } }) => seed).toSorted(), response }
      }
      assert.deepEqual((await list(subject)).seeds, ['one', 'three', 'two'])
      const filtered = await list(`${subject}?artifactType=x/sbom`)
      assert.deepEqual(filtered.seeds, ['three', 'two'])
      assert.equal(filtered.response.headers.get('oci-filters-applied'), 'artifactType')
      const page = await list(`${subject}?artifactType=x/sbom&n=1`)
      assert.equal(page.seeds.length, 1)
      assert.match(page.response.headers.get('link') ?? '', /artifactType=x%2Fsbom>; rel="next"/)
      assert.deepEqual((await list(digestOf('no referrers'))).seeds, [])
      assert.equal((await client.fetch('/v2/a/referrers/latest')).status, 400)
      await client.fetch('/v2/a/manifests/one', { method: 'DELETE' })
      assert.equal((await list(subject)).seeds.length, 3)
    })
  })

  describe(`${name}: content management`, () => {
    test('end-9: deletes a tag and leaves the manifest', async (client) => {
      const digest = await client.putImage('a', 'v1')
      await client.putManifest('a', 'v2', await client.image('a', 'v1'))
      assert.equal((await client.fetch('/v2/a/manifests/v1', { method: 'DELETE' })).status, 202)
      assert.equal((await client.fetch('/v2/a/manifests/v1')).status, 404)
      assert.equal((await client.fetch('/v2/a/manifests/v2')).status, 200)
      assert.equal((await client.fetch(`/v2/a/manifests/${digest}`)).status, 200)
      assert.equal((await client.fetch('/v2/a/manifests/v1', { method: 'DELETE' })).status, 404)
    })

    test('end-9: deletes a manifest with its tags', async (client) => {
      const digest = await client.putImage('a', 'v1')
      assert.equal((await client.fetch(`/v2/a/manifests/${digest}`, { method: 'DELETE' })).status, 202)
      assert.equal((await client.fetch('/v2/a/manifests/v1')).status, 404)
      assert.equal((await client.fetch(`/v2/a/manifests/${digest}`)).status, 404)
      assert.deepEqual(await (await client.fetch('/v2/a/tags/list')).json(), { name: 'a', tags: [] })
    })

    test('end-10: deletes a blob that no manifest needs', async (client) => {
      const { digest } = await client.putBlob('a', 'alone')
      assert.equal((await client.fetch(`/v2/a/blobs/${digest}`, { method: 'DELETE' })).status, 202)
      assert.equal((await client.fetch(`/v2/a/blobs/${digest}`)).status, 404)
      assert.equal((await client.fetch(`/v2/a/blobs/${digest}`, { method: 'DELETE' })).status, 404)
      await client.putImage('a', 'v1')
      const needed = await client.fetch(`/v2/a/blobs/${digestOf('layer v1')}`, { method: 'DELETE' })
      assert.equal(needed.status, 405)
      assert.equal(await codeOf(needed), 'UNSUPPORTED')
    })
  })

  describe(`${name}: strangers`, () => {
    test('paths do not lead out of the registry', async (client) => {
      const digest = digestOf('x')
      for (const path of [
        '/v2/../../etc/passwd',
        `/v2/..%2f..%2fetc/blobs/${digest}`,
        `/v2/a%00b/blobs/${digest}`,
        '/v2/a/blobs/sha256:..%2f..%2f..%2fregistry.db',
        '/v2/a/blobs/uploads/..%2f..%2fregistry.db',
        '/v2/a/blobs/uploads/%2e%2e',
        '/v2/a/manifests/..%2f..%2fregistry.db',
        `/v2/A/blobs/${digest}`,
        '/v2/a/manifests/%zz',
      ]) {
        for (const method of ['GET', 'PUT', 'DELETE']) {
          const status = await client.raw(path, method)
          assert.ok(status === 400 || status === 404 || status === 405, `${method} ${path}: ${status}`)
        }
      }
    })

    test('content is never sniffed', async (client) => {
      const { digest } = await client.putBlob('a', '<html><script>alert(1)</script>')
      const { headers } = await client.fetch(`/v2/a/blobs/${digest}`, { headers: { Accept: 'text/html' } })
      assert.equal(headers.get('content-type'), 'application/octet-stream')
      assert.equal(headers.get('x-content-type-options'), 'nosniff')
    })

    test('a method that is not one of the path is refused with those that are', async (client) => {
      const response = await client.fetch('/v2/_catalog', { method: 'DELETE' })
      assert.equal(response.status, 405)
      assert.equal(response.headers.get('allow'), 'GET')
      assert.equal((await client.fetch('/nothing')).status, 404)
    })

    test('a hostile document is refused, and the registry lives (CVE-2021-21285)', async (client) => {
      const put = (body: string): Promise<Response> =>
        client.fetch('/v2/a/manifests/v1', { method: 'PUT', body, headers: { 'Content-Type': OCI } })
      for (const body of ['', '{', 'null', '[]', '['.repeat(4 << 20), '{"config":'.repeat(400_000)]) {
        assert.equal(await codeOf(await put(body)), 'MANIFEST_INVALID')
      }
      assert.equal((await client.fetch('/v2/')).status, 200)
    })

    test('who is refused may send on, and asks again on the same connection', async (client) => {
      const body = new Uint8Array(3 << 20)
      for (const _time of [1, 2]) {
        const response = await client.fetch('/v2/a/blobs/uploads/none', { method: 'PATCH', body })
        assert.equal(response.status, 404)
      }
    })
  })
}
