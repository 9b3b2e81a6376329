import assert from 'node:assert/strict'
import { readdir, rm, truncate } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { digestOf } from '#base/digest.ts'
import { engineErrorOf, isKind } from '#base/errors.ts'
import { FakeClock } from '#base/fake-clock.ts'
import { type DownloadOptions, Downloads, type DownloadsDeps } from './download.ts'
import { downloadName } from '../graph/download-name.ts'
import { contentOf } from './sources.suite.ts'
import { testSpool } from './spool.fixture.ts'
import { serve } from './web.fixture.ts'

async function world(listener: RequestListener, deps: Partial<DownloadsDeps> = {}) {
  const owned = new AsyncDisposableStack()
  const web = owned.use(await serve(listener))
  const at = owned.use(await testSpool())
  const clock = new FakeClock(new Date())
  const helper = { removeTree: (path: string) => rm(path, { recursive: true, force: true }) }
  const common = { dataRoot: at.path, helper, spool: at.spool, environment: {}, clock, ...deps }
  const downloads = new Downloads(common)
  return {
    web,
    clock,
    dataRoot: at.path,
    left: () => at.left(),
    again: () => new Downloads(common),
    /** Content, after the source has been disposed. */
    async get(path: string, checksum?: string, options?: DownloadOptions) {
      const url = `${web.url}${path}`
      const origin = { kind: 'download', url, checksum: checksum as `sha256:${string}` } as const
      await using source = await downloads.open(origin, options)
      return await contentOf(await source.find(downloadName(url)))
    },
    downloads,
    kept: () => readdir(join(at.path, 'build', 'downloads')),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

const code = (name: string) => (error: unknown) => engineErrorOf(error)?.code === name

describe('Downloads', () => {
  it('is one file of mode 0600, named by the path, of the time the server says', async () => {
    await using at = await world((_request, response) =>
      response.writeHead(200, { 'last-modified': 'Wed, 21 Oct 2015 07:28:00 GMT' }).end('bytes'),
    )
    const url = `${at.web.url}/a/some%20tool.tar?x=/y`
    await using source = await at.downloads.open({ kind: 'download', url, checksum: undefined })

    const files = await Array.fromAsync(source.walk(''))
    const file = files[1]
    assert.equal(files.length, 2)
    assert.deepEqual(
      { ...file?.attributes },
      {
        path: 'some tool.tar',
        type: 'file',
        mode: 0o600,
        uid: 0,
        gid: 0,
        mtime: { seconds: 1_445_412_480, nanoseconds: 0 },
        size: 5,
      },
    )
    assert.equal(await file?.digest(), digestOf('bytes'))
    assert.equal(await contentOf(file), 'bytes')
  })

  it('is of 1970 when the server says no time, or nonsense', async () => {
    await using at = await world(({ url }, response) =>
      response.writeHead(200, url === '/a' ? {} : { 'last-modified': 'yesterday' }).end(),
    )
    for (const path of ['/a', '/b']) {
      const url = `${at.web.url}${path}`
      await using source = await at.downloads.open({ kind: 'download', url, checksum: undefined })
      assert.deepEqual((await source.find(path.slice(1)))?.attributes.mtime, { seconds: 0, nanoseconds: 0 })
    }
  })

  it('fetches once what the server says is still current, also after a restart', async () => {
    let content = 'first'
    let bodies = 0
    await using at = await world(({ headers }, response) => {
      const etag = `"${content}"`
      if (headers['if-none-match'] === etag) response.writeHead(304, { etag }).end()
      else {
        bodies++
        response.writeHead(200, { etag }).end(content)
      }
    })
    assert.equal(await at.get('/x'), 'first')
    assert.equal(await at.get('/x'), 'first')
    const origin = { kind: 'download', url: `${at.web.url}/x`, checksum: undefined } as const
    await using after = await at.again().open(origin)
    assert.equal(await contentOf(await after.find('x')), 'first')
    assert.equal(bodies, 1)

    content = 'second'
    assert.equal(await at.get('/x'), 'second')
    assert.equal(bodies, 2)
    // Who has opened it before still reads what it was.
    assert.equal(await contentOf(await after.find('x')), 'first')
  })

  it('asks nobody when it has what the checksum says', async () => {
    await using at = await world((_request, response) => response.end('bytes'))
    const checksum = digestOf('bytes')

    assert.equal(await at.get('/x', checksum), 'bytes')
    assert.equal(await at.get('/x', checksum), 'bytes')

    assert.equal(at.web.asked.length, 1)
  })

  it('refuses what has another checksum, and keeps none of it', async () => {
    await using at = await world((_request, response) => response.end('other'))

    await assert.rejects(at.get('/x', digestOf('bytes')), (error) => {
      assert.match(String(error), /digest mismatch sha256:[0-9a-f]{64}: sha256:/)
      return code('DOWNLOAD_CHECKSUM')(error)
    })

    assert.deepEqual(await at.left(), [])
    assert.deepEqual(await at.kept().catch(() => []), [])
  })

  it('fetches again what is damaged on the disk', async () => {
    await using at = await world((_request, response) => response.end('bytes'))
    await at.get('/x', digestOf('bytes'))
    const [name = ''] = await at.kept()
    await truncate(join(at.dataRoot, 'build', 'downloads', name, 'body'), 2)

    assert.equal(await at.get('/x', digestOf('bytes')), 'bytes')
  })

  it('names address and status of a failure', async () => {
    await using at = await world(({ url }, response) =>
      response.writeHead(url === '/404' ? 404 : 503).end('not \u0007 here\n'),
    )
    await assert.rejects(at.get('/404'), (error) => {
      assert.match(
        String(error),
        /failed to GET http:\/\/127.0.0.1:\d+\/404 with status 404 Not Found: not here$/,
      )
      return isKind(error, 'not_found')
    })
    await assert.rejects(at.get('/503'), (error) => isKind(error, 'unavailable'))
    const origin = { kind: 'download', url: 'http://127.0.0.1:1/x', checksum: undefined } as const
    await assert.rejects(at.downloads.open(origin), /cannot fetch http:\/\/127.0.0.1:1\/x: .*ECONNREFUSED/)
  })

  it('refuses other schemes, passwords, and circles of redirects', async () => {
    await using at = await world(({ url }, response) =>
      response.writeHead(302, { location: url === '/file' ? 'file:///etc/shadow' : '/circle' }).end(),
    )
    const open = (url: string) => at.downloads.open({ kind: 'download', url, checksum: undefined })
    await assert.rejects(open('file:///etc/shadow'), /only http and https/)
    await assert.rejects(open('http://u:p@127.0.0.1/x'), /password/)
    await assert.rejects(at.get('/file'), /only http and https/)
    await assert.rejects(at.get('/circle'), /more than 10 redirects/)
  })

  it('sends credentials to the host of the address and to no other', async () => {
    const seen: unknown[] = []
    const listener: RequestListener = ({ url, headers }, response) => {
      seen.push([url, headers.authorization])
      if (url === '/same') response.writeHead(302, { location: '/x' }).end()
      else if (url === '/other') response.writeHead(302, { location: `${other.url}/x` }).end()
      else response.end('bytes')
    }
    await using other = await serve(listener)
    await using at = await world(listener)

    await at.get('/same', undefined, { authorization: 'Bearer t' })
    await at.get('/other', undefined, { authorization: 'Bearer t' })

    assert.deepEqual(seen, [
      ['/same', 'Bearer t'],
      ['/x', 'Bearer t'],
      ['/other', 'Bearer t'],
      ['/x', undefined],
    ])
  })

  it('refuses what is too large, whether the server says so before or not', async () => {
    await using at = await world(
      ({ url }, response) => {
        if (url === '/said') response.writeHead(200, { 'content-length': 5000 }).end('x'.repeat(5000))
        else for (let i = 0; i < 50; i++) response.write('x'.repeat(100))
        response.end()
      },
      { largest: 1000 },
    )
    for (const path of ['/said', '/sent']) {
      await assert.rejects(at.get(path), (error) => isKind(error, 'resource_exhausted'), path)
    }
    assert.deepEqual(await at.left(), [])
  })

  it('fails when the body is cut off, and keeps none of it', async () => {
    await using at = await world((_request, response) => {
      response.writeHead(200, { 'content-length': 100 })
      response.write('part', () => response.destroy())
    })
    await assert.rejects(at.get('/x'), (error) => isKind(error, 'unavailable'))
    assert.deepEqual(await at.left(), [])
  })

  it('stops when it is aborted', async () => {
    const controller = new AbortController()
    await using at = await world((_request, response) => {
      response.writeHead(200)
      response.write('part', () => controller.abort(new Error('enough')))
    })
    await assert.rejects(at.get('/x', undefined, { signal: controller.signal }), /enough/)
    assert.deepEqual(await at.left(), [])
  })

  it('goes through the proxy that the environment names', async () => {
    await using proxy = await serve(({ url }, response) => response.end(`proxied ${url}`))
    await using at = await world((_request, response) => response.end('direct'), {
      environment: { HTTP_PROXY: proxy.url },
    })
    const url = 'http://berth.invalid/x'
    await using source = await at.downloads.open({ kind: 'download', url, checksum: undefined })
    assert.equal(await contentOf(await source.find('x')), `proxied ${url}`)
  })

  it('keeps what was used last when it becomes too much', async () => {
    await using at = await world((_request, response) => response.end('x'.repeat(16_000)), { kept: 50_000 })
    for (const path of ['/a', '/b', '/a', '/c']) {
      await at.get(path)
      await at.clock.advance(1000)
    }
    assert.equal((await at.kept()).length, 2)
    const asked = at.web.asked.length
    await at.get('/a', digestOf('x'.repeat(16_000)))
    assert.equal(at.web.asked.length, asked)
    const [first] = await at.downloads.store.list()
    assert.match(await at.downloads.describe(first?.key ?? ''), /^http url http:\/\/127.0.0.1:\d+\/c$/)
    assert.equal(await at.downloads.store.remove(first?.key ?? ''), true)
    assert.equal((await at.kept()).length, 1)
  })
})
