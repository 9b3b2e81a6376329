import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, it } from 'node:test'
import { isKind, type ErrorKind } from '#base/errors.ts'
import { openRemoteArchive } from './remote-archive.ts'

const { signal } = new AbortController()
let server: Server | undefined

afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function textOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  return Buffer.concat(await Array.fromAsync(bytes)).toString()
}

function refused(promise: Promise<unknown>, kind: ErrorKind, pattern: RegExp): Promise<void> {
  return assert.rejects(promise, (error) => {
    assert.ok(isKind(error, kind), String(error))
    assert.match((error as Error).message, pattern)
    return true
  })
}

describe('openRemoteArchive()', () => {
  it('fetches by http when the address does not say how, and follows redirects without credentials', async () => {
    const seen: unknown[] = []
    const host = await serve(({ url, headers }, response) => {
      seen.push(headers.authorization ?? headers.cookie)
      if (url === '/a') response.writeHead(302, { location: '/b', 'set-cookie': 'x=1' }).end()
      else response.writeHead(200, { 'content-length': 5 }).end('bytes')
    })
    const { url, size, bytes } = await openRemoteArchive(`${host}/a`, { signal })
    assert.deepEqual([url, size, await textOf(bytes)], [`http://${host}/a`, 5, 'bytes'])
    assert.deepEqual(seen, [undefined, undefined])
  })

  it('says what the server said', async () => {
    const host = await serve((_request, response) => response.writeHead(404).end('no such \u0007file\n'))
    await refused(
      openRemoteArchive(`http://${host}/x`, { signal }),
      'not_found',
      /failed to GET http:\/\/127.0.0.1:\d+\/x with status 404 Not Found: no such file$/,
    )
  })

  it('names a server that is not there', async () => {
    await refused(
      openRemoteArchive('http://127.0.0.1:1/x', { signal }),
      'unavailable',
      /cannot fetch http:\/\/127.0.0.1:1\/x: /,
    )
  })

  it('refuses other schemes, passwords, circles, and what redirects to them', async () => {
    await refused(
      openRemoteArchive('file:///etc/shadow', { signal }),
      'invalid_argument',
      /only http and https/,
    )
    await refused(openRemoteArchive('http://u:p@host/x', { signal }), 'invalid_argument', /password/)
    const host = await serve(({ url }, response) =>
      response.writeHead(302, { location: url === '/file' ? 'file:///etc/shadow' : '/circle' }).end(),
    )
    await refused(
      openRemoteArchive(`${host}/circle`, { signal }),
      'invalid_argument',
      /more than 5 redirects/,
    )
    await refused(openRemoteArchive(`${host}/file`, { signal }), 'invalid_argument', /only http and https/)
  })

  it('gives up on a server that falls silent, before the answer and within it', async () => {
    const host = await serve(({ url }, response) => {
      if (url === '/half') response.writeHead(200, { 'content-length': 10 }).write('half')
    })
    await refused(
      openRemoteArchive(`${host}/nothing`, { signal, patience: 50 }),
      'unavailable',
      /silent for 50 ms/,
    )
    const { bytes } = await openRemoteArchive(`${host}/half`, { signal, patience: 50 })
    await assert.rejects(textOf(bytes), /silent for 50 ms/)
  })

  it('fails when the server breaks off, and ends with its caller', async () => {
    const host = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': 10 }).write('half', () => response.destroy())
    })
    const { bytes } = await openRemoteArchive(host, { signal })
    await assert.rejects(textOf(bytes))
    await assert.rejects(openRemoteArchive(host, { signal: AbortSignal.abort(new Error('left')) }), /left/)
  })
})
