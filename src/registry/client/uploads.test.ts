import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { digestOf } from '#base/digest.ts'
import { type Fault, FakeRegistry, type SeenRequest } from '#test/support/fake-registry.ts'
import { PauseClock, watchedForHours } from '#test/support/pause-clock.ts'
import { openRegistryClient } from './client.ts'
import type { Repository, UploadSource } from './repository.ts'

const content = randomBytes(400_000)
const digest = digestOf(content)

let registry: FakeRegistry
let repository: Repository
let opened: AsyncDisposableStack

beforeEach(async () => {
  opened = new AsyncDisposableStack()
  registry = opened.use(await FakeRegistry.start())
  const client = opened.use(openRegistryClient({ clock: new PauseClock(), limits: watchedForHours }))
  repository = client.repository({ domain: registry.host, path: 'team/app' })
})
afterEach(() => opened.disposeAsync())

/** Says where it was asked to begin. */
function source(known: Partial<UploadSource> = {}): UploadSource & { readonly starts: readonly number[] } {
  const starts: number[] = []
  return {
    ...known,
    starts,
    async *read(offset) {
      starts.push(offset)
      for (let at = offset; at < content.length; at += 10_000) yield content.subarray(at, at + 10_000)
    },
  }
}

/** The first request that fits gets the fault. */
function once(method: string, fault: Fault): void {
  let done = false
  registry.fault = (request: SeenRequest) => {
    if (done || request.method !== method) return undefined
    done = true
    return fault
  }
}

const methods = (): string[] => registry.requests.map(({ method }) => method)

describe('Repository.upload()', () => {
  it('sends what is known in two requests', async () => {
    const sent: number[] = []
    const from = source({ digest, size: content.length })
    assert.deepEqual(await repository.upload(from, { onProgress: (bytes) => sent.push(bytes) }), {
      digest,
      size: content.length,
    })
    assert.deepEqual(methods(), ['POST', 'PUT'])
    assert.equal(registry.requests[1]?.headers['content-length'], String(content.length))
    assert.equal(sent.at(-1), content.length)
    assert.deepEqual(registry.blobs.get(digest), content)
  })

  it('finds out the digest while it sends', async () => {
    assert.deepEqual(await repository.upload(source()), { digest, size: content.length })
    assert.deepEqual(methods(), ['POST', 'PATCH', 'PUT'])
    assert.deepEqual(registry.blobs.get(digest), content)
  })

  for (const known of [{}, { digest, size: content.length }, { size: content.length }]) {
    it(`goes on after a cut from what the registry has, knowing ${Object.keys(known).join(' and ') || 'nothing'}`, async () => {
      once('digest' in known ? 'PUT' : 'PATCH', { kind: 'cut', after: 123_456 })
      const from = source(known)
      assert.deepEqual(await repository.upload(from), { digest, size: content.length })
      assert.deepEqual(registry.blobs.get(digest), content)
      assert.deepEqual(from.starts, [0, 123_456])
      assert.deepEqual(methods().slice(2), ['GET', 'PATCH', 'PUT'])
    })
  }

  it('begins anew where the registry has forgotten the upload', async () => {
    let cut = false
    registry.fault = ({ method }) => {
      if (method === 'GET') return { kind: 'answer', status: 404 }
      if (cut || method !== 'PATCH') return undefined
      cut = true
      return { kind: 'cut', after: 50_000 }
    }
    const from = source()
    assert.equal((await repository.upload(from)).digest, digest)
    assert.deepEqual(from.starts, [0, 0])
  })

  it('sends small chunks where large ones are refused', async () => {
    const large = randomBytes(3_500_000)
    const name = digestOf(large)
    for (const known of [{}, { digest: name, size: large.length }]) {
      registry.blobs.clear()
      let refusals = 2
      registry.fault = ({ method }) => {
        if (method !== 'PATCH' && method !== 'PUT') return undefined
        refusals -= 1
        return refusals < 0 ? undefined : { kind: 'answer', status: 413 }
      }
      const before = registry.requests.length
      const read = async function* (offset: number): AsyncGenerator<Uint8Array> {
        for (let at = offset; at < large.length; at += 300_000) yield large.subarray(at, at + 300_000)
      }
      assert.deepEqual(await repository.upload({ ...known, read }), { digest: name, size: large.length })
      assert.deepEqual(registry.blobs.get(name), large)
      const patches = registry.requests.slice(before).filter(({ method }) => method === 'PATCH')
      assert.equal(patches.filter(({ url }) => url === patches.at(-1)?.url).length, 4)
    }
  })

  it('asks whether a blob has arrived when the last answer is lost, and does not send it again', async () => {
    registry.fault = ({ method }) => {
      if (method !== 'PUT') return undefined
      registry.addBlob(content)
      registry.uploads.clear()
      return { kind: 'drop' }
    }
    const from = source()
    assert.deepEqual(await repository.upload(from), { digest, size: content.length })
    assert.deepEqual(from.starts, [0])
    assert.equal(methods().at(-1), 'HEAD')
  })

  it('gives up, and takes the upload away, when nothing more gets through', async () => {
    registry.fault = ({ method }) => (method === 'PATCH' ? { kind: 'cut', after: 0 } : undefined)
    await assert.rejects(repository.upload(source()), { kind: 'unavailable' })
    assert.equal(methods().filter((method) => method === 'PATCH').length, 5)
    assert.equal(methods().at(-1), 'DELETE')
  })

  it('does not repeat what the registry refuses, and reads its answer while it still sends', async () => {
    const body = '{"errors":[{"code":"DENIED","message":"quota exceeded"}]}'
    once('PATCH', { kind: 'answer', status: 403, headers: { 'content-type': 'application/json' }, body })
    await assert.rejects(repository.upload(source()), {
      kind: 'permission_denied',
      message: 'denied: quota exceeded',
    })
    assert.deepEqual(methods(), ['POST', 'PATCH', 'DELETE'])
  })

  it('fails when the source has another digest or length than it said', async () => {
    await assert.rejects(
      repository.upload(source({ digest: `sha256:${'0'.repeat(64)}`, size: content.length })),
      /digest/,
    )
    await assert.rejects(repository.upload(source({ digest, size: 5 })), /has more than 5 bytes/)
    await assert.rejects(
      repository.upload(source({ digest, size: 500_000 })),
      /has 400000 bytes, want 500000/,
    )
    assert.equal(registry.blobs.size, 0)
  })

  it('hands on why a source cannot be read', async () => {
    const broken = new Error('disk on fire')
    const read = async function* (): AsyncGenerator<Uint8Array> {
      yield content.subarray(0, 1000)
      throw broken
    }
    await assert.rejects(repository.upload({ read }), broken)
  })

  it('is cancelled by its caller, and leaves nothing open', async () => {
    const abort = new AbortController()
    const onProgress = (sent: number): void => {
      if (sent > 100_000) abort.abort(new Error('stop'))
    }
    await assert.rejects(repository.upload(source(), { signal: abort.signal, onProgress }), /stop/)
    assert.equal(registry.uploads.size, 0)
  })

  it('is cancelled while it asks how to go on, and leaves nothing open', async () => {
    const abort = new AbortController()
    registry.fault = ({ method }) => {
      if (method === 'PATCH') return { kind: 'cut', after: 50_000 }
      if (method !== 'GET') return undefined
      abort.abort(new Error('stop'))
      return { kind: 'stall', after: 0 }
    }
    await assert.rejects(repository.upload(source(), { signal: abort.signal }), /stop/)
    assert.equal(registry.uploads.size, 0)
  })

  it('sends an empty blob', async () => {
    const empty = createHash('sha256').digest('hex')
    const result = await repository.upload({ async *read() {} })
    assert.deepEqual(result, { digest: `sha256:${empty}`, size: 0 })
  })

  it('refuses to send to another server than the registry', async () => {
    await using stranger = await FakeRegistry.start()
    const headers = { location: `${stranger.origin}/v2/x/blobs/uploads/1` }
    once('POST', { kind: 'answer', status: 202, headers })
    await assert.rejects(repository.upload(source()), { code: 'REGISTRY_TARGET_REFUSED' })
    assert.deepEqual(stranger.log, [])
  })
})

describe('Repository.mount()', () => {
  it('takes over what the registry has, and leaves no upload behind where it cannot', async () => {
    const blob = registry.addBlob('x')
    assert.equal(await repository.mount(blob.digest, 'other/app'), true)
    assert.match(registry.requests[0]?.url ?? '', /\?mount=sha256:[0-9a-f]+&from=other%2Fapp$/)
    assert.equal(await repository.mount(digest, 'other/app'), false)
    assert.equal(registry.uploads.size, 0)
  })
})
