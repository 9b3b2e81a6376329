import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { callPlugin } from './plugin-client.ts'

let root: string
let server: Server

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-plugin-'))
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
  rmSync(root, { recursive: true })
})

async function answering(listener: RequestListener, timeout = 5_000, signal?: AbortSignal): Promise<object> {
  const socketPath = join(root, 'sock')
  server = createServer(listener).listen(socketPath)
  await once(server, 'listening')
  return callPlugin(
    { name: 'store', address: { socketPath } },
    'VolumeDriver.Get',
    { Name: 'x' },
    { timeout, signal },
  )
}

describe('callPlugin()', () => {
  it('gives the document', async () => {
    const got = await answering((request, response) => {
      request.resume()
      assert.equal(request.method, 'POST')
      assert.equal(request.url, '/VolumeDriver.Get')
      response.end('{"Volume":{"Name":"x"},"Err":""}')
    })
    assert.deepEqual(got, { Volume: { Name: 'x' }, Err: '' })
  })

  it('tells what the plugin says, with any status', async () => {
    const failed = answering((_request, response) => response.writeHead(500).end('{"Err":"no disk"}'))
    await assert.rejects(failed, { code: 'PLUGIN_FAILED', message: 'VolumeDriver.Get: no disk' })
  })

  it('gives up on one that does not answer', async () => {
    const failed = answering(() => undefined, 20)
    await assert.rejects(failed, { code: 'PLUGIN_UNREACHABLE', message: /no answer within 0.02 s/ })
  })

  it('refuses what is no document, and what has no end', async () => {
    await assert.rejects(
      answering((_request, response) => response.end('hello')),
      { code: 'PLUGIN_FAILED', message: 'VolumeDriver.Get: hello' },
    )
    server.close()
    const endless = answering((_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(1 << 20, 0x20)));
        response.once('drain', more)
      }
      more()
    })
    await assert.rejects(endless, { code: 'PLUGIN_UNREACHABLE', message: /more than 16777216 bytes/ })
  })

  it('ends with the caller', async () => {
    const caller = new AbortController()
    const asked = answering(() => caller.abort(), 5_000, caller.signal)
    await assert.rejects(asked, { name: 'AbortError' })
  })
})
