/** What the distribution-spec 1.1 asks of every registry, of ours and of Debian's: the same requests, the same answers. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { digestOf } from '#base/digest.ts'
import { mediaTypes } from '#oci/image-spec.ts'
import { missingPeer, type PeerKind } from '#test/support/registry-peer.ts'
import { RegistryProcess } from '#test/support/registry-process.ts'

const BLOB = Buffer.from('0123456789')
const ACCEPT = { accept: `${mediaTypes.ociManifest}, ${mediaTypes.ociIndex}` }

for (const kind of ['berth', 'docker-registry'] as const) {
  describe(`distribution-spec, by ${kind}`, { skip: missingPeer(kind) }, () => protocol(kind))
}

function protocol(kind: PeerKind): void {
  const stack = new AsyncDisposableStack()
  let origin = ''
  before(async () => {
    origin = stack.use(await (kind === 'berth' ? RegistryProcess.start() : DebianRegistry.start())).url
  })
  after(() => stack.disposeAsync())

  const send = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(new URL(path, origin), { redirect: 'manual', ...init })
  const codeOf = async (response: Response): Promise<string | undefined> =>
    ((await response.json()) as { errors: { code: string }[] }).errors[0]?.code
  const begin = async (name: string): Promise<string> => {
    const response = await send(`/v2/${name}/blobs/uploads/`, { method: 'POST' })
    assert.equal(response.status, 202)
    return response.headers.get('location') ?? ''
  }
  const closing = (location: string, digest: string): string =>
    `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`
  const putBlob = async (name: string, body: Buffer): Promise<string> => {
    const digest = digestOf(body)
    const response = await send(closing(await begin(name), digest), { method: 'PUT', body })
    assert.equal(response.status, 201)
    return digest
  }
  const manifestOf = async (name: string, layer: Buffer): Promise<string> => {
    const config = Buffer.from('{}')
    return JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: await putBlob(name, config), size: config.length },
      layers: [
        { mediaType: mediaTypes.ociLayerGzip, digest: await putBlob(name, layer), size: layer.length },
      ],
    })
  }
  const putManifest = (name: string, tag: string, body: string): Promise<Response> =>
    send(`/v2/${name}/manifests/${tag}`, {
      method: 'PUT',
      body,
      headers: { 'content-type': mediaTypes.ociManifest },
    })

  it('end-1: speaks the API', async () => {
    const response = await send('/v2/')
    assert.equal(response.status, 200)
    assert.equal(response.headers.get('docker-distribution-api-version'), 'registry/2.0')
  })

  it('end-2: gives blobs, their heads and their parts', async () => {
    const digest = await putBlob('team/blobs', BLOB)
    const path = `/v2/team/blobs/blobs/${digest}`
    const whole = await send(path)
    assert.deepEqual([whole.status, await whole.text()], [200, String(BLOB)])
    assert.equal(whole.headers.get('docker-content-digest'), digest)
    const head = await send(path, { method: 'HEAD' })
    assert.deepEqual([head.status, head.headers.get('content-length')], [200, '10'])
    const part = await send(path, { headers: { range: 'bytes=3-5' } })
    assert.deepEqual([part.status, await part.text()], [206, '345'])
    assert.equal(part.headers.get('content-range'), 'bytes 3-5/10')
    const none = await send(`/v2/team/blobs/blobs/${digestOf('none')}`)
    assert.deepEqual([none.status, await codeOf(none)], [404, 'BLOB_UNKNOWN'])
  })

  it('end-3, end-7: gives manifests as they came, by tag and by digest', async () => {
    const text = await manifestOf('team/manifests', BLOB)
    const digest = digestOf(text)
    const put = await putManifest('team/manifests', 'v1', text)
    assert.deepEqual([put.status, put.headers.get('docker-content-digest')], [201, digest])
    for (const reference of ['v1', digest]) {
      const got = await send(`/v2/team/manifests/manifests/${reference}`, { headers: ACCEPT })
      assert.deepEqual([got.status, await got.text()], [200, text])
      assert.equal(got.headers.get('content-type'), mediaTypes.ociManifest)
      assert.equal(got.headers.get('docker-content-digest'), digest)
      const head = await send(`/v2/team/manifests/manifests/${reference}`, {
        method: 'HEAD',
        headers: ACCEPT,
      })
      assert.deepEqual([head.status, head.headers.get('content-length')], [200, String(text.length)])
    }
    const none = await send('/v2/team/manifests/manifests/v2', { headers: ACCEPT })
    assert.deepEqual([none.status, await codeOf(none)], [404, 'MANIFEST_UNKNOWN'])
  })

  it('end-5, end-6, end-13: takes a blob in pieces, and says how far it is', async () => {
    let location = await begin('team/pieces')
    for (const [from, to] of [
      [0, 3],
      [4, 9],
    ] as const) {
      const response = await send(location, {
        method: 'PATCH',
        body: BLOB.subarray(from, to + 1),
        headers: { 'content-range': `${from}-${to}`, 'content-type': 'application/octet-stream' },
      })
      assert.deepEqual([response.status, response.headers.get('range')], [202, `0-${to}`])
      location = response.headers.get('location') ?? ''
      const far = await send(location)
      assert.deepEqual([far.status, far.headers.get('range')], [204, `0-${to}`])
      location = far.headers.get('location') ?? location
    }
    const done = await send(closing(location, digestOf(BLOB)), { method: 'PUT' })
    assert.deepEqual([done.status, done.headers.get('docker-content-digest')], [201, digestOf(BLOB)])
    assert.equal(await (await send(done.headers.get('location') ?? '')).text(), String(BLOB))
  })

  it('end-6: refuses a blob with another digest', async () => {
    const response = await send(closing(await begin('team/wrong'), digestOf('x')), {
      method: 'PUT',
      body: BLOB,
    })
    assert.deepEqual([response.status, await codeOf(response)], [400, 'DIGEST_INVALID'])
    assert.equal((await send(`/v2/team/wrong/blobs/${digestOf('x')}`)).status, 404)
  })

  it('end-7: refuses a manifest whose blobs are not there', async () => {
    const text = await manifestOf('team/whole', Buffer.from('only there'))
    const response = await putManifest('team/empty', 'v1', text)
    assert.ok(response.status >= 400 && response.status < 500, String(response.status))
    assert.equal(await codeOf(response), 'MANIFEST_BLOB_UNKNOWN')
  })

  it('end-8: lists tags page by page', async () => {
    const text = await manifestOf('team/tags', BLOB)
    for (const tag of ['a', 'b', 'c']) assert.equal((await putManifest('team/tags', tag, text)).status, 201)
    const tags = async (query: string): Promise<string[]> => {
      const { tags: listed } = (await (await send(`/v2/team/tags/tags/list${query}`)).json()) as {
        tags: string[]
      }
      return listed.toSorted()
    }
    assert.deepEqual(await tags(''), ['a', 'b', 'c'])
    const none = await send('/v2/team/unknown/tags/list')
    assert.deepEqual([none.status, await codeOf(none)], [404, 'NAME_UNKNOWN'])
    // Debian's is older than paging of tags.
    if (kind === 'berth') assert.deepEqual(await tags('?n=2&last=a'), ['b', 'c'])
  })

  it('end-9: deletes a manifest by digest', async () => {
    const text = await manifestOf('team/deleted', BLOB)
    await putManifest('team/deleted', 'v1', text)
    const path = `/v2/team/deleted/manifests/${digestOf(text)}`
    assert.equal((await send(path, { method: 'DELETE' })).status, 202)
    assert.equal((await send(path, { headers: ACCEPT })).status, 404)
    assert.equal((await send('/v2/team/deleted/manifests/v1', { headers: ACCEPT })).status, 404)
  })

  it('end-11: mounts what is there, and begins an upload for what is not', async () => {
    const digest = await putBlob('team/from', Buffer.from('to be mounted'))
    const mount = (what: string): Promise<Response> =>
      send(`/v2/team/onto/blobs/uploads/?mount=${what}&from=team/from`, { method: 'POST' })
    const mounted = await mount(digest)
    assert.deepEqual([mounted.status, mounted.headers.get('docker-content-digest')], [201, digest])
    assert.equal((await send(`/v2/team/onto/blobs/${digest}`, { method: 'HEAD' })).status, 200)
    assert.equal((await mount(digestOf('nowhere'))).status, 202)
  })

  it('end-13: forgets an upload that is given up', async () => {
    const location = await begin('team/given-up')
    assert.equal((await send(location, { method: 'DELETE' })).status, 204)
    const gone = await send(location)
    assert.deepEqual([gone.status, await codeOf(gone)], [404, 'BLOB_UPLOAD_UNKNOWN'])
  })
}

/** Debian's docker-registry on a free port of loopback. */
class DebianRegistry implements AsyncDisposable {
  readonly url: string
  readonly #root: string
  readonly #process: ChildProcess

  private constructor(url: string, root: string, process: ChildProcess) {
    this.url = url
    this.#root = root
    this.#process = process
  }

  static async start(): Promise<DebianRegistry> {
    const root = mkdtempSync(join(tmpdir(), 'berth-peer-'))
    const config = {
      version: 0.1,
      log: { level: 'info', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: join(root, 'data') }, delete: { enabled: true } },
      http: { addr: '127.0.0.1:0' },
    }
    writeFileSync(join(root, 'config.json'), JSON.stringify(config))
    const child = spawn('docker-registry', ['serve', join(root, 'config.json')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    for await (const line of createInterface(child.stderr)) {
      const [, address] = /listening on (127\.0\.0\.1:\d+)/.exec(line) ?? []
      if (address === undefined) continue
      child.stderr.resume()
      return new DebianRegistry(`http://${address}`, root, child)
    }
    throw new Error('docker-registry does not start')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await ended
    rmSync(this.#root, { recursive: true })
  }
}
