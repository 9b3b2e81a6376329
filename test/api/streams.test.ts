/** Responses that last: wait, events, logs, stats, progress, archives. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { EngineError } from '#base/errors.ts'
import { FrameReader } from '#api/stdcopy.ts'
import { ApiFixture } from '#test/support/api-server.ts'

describe('a response that lasts', () => {
  let api: ApiFixture
  beforeEach(async () => {
    api = await ApiFixture.start({ closeTimeout: 50 })
  })
  afterEach(() => api[Symbol.asyncDispose]())

  it('wait: registers, sends its head, and sends the result when there is one', async () => {
    await api.container('once', ['exit', '3'], { start: false })
    const response = await api.open('POST', '/containers/once/wait?condition=next-exit')
    assert.equal(response.statusCode, 200)
    assert.deepEqual(api.engine.lastCall('wait')?.slice(0, 2), ['once', 'next-exit'])

    await api.call('POST', '/containers/once/start')
    const body = await Array.fromAsync(response.setEncoding('utf8'))
    assert.deepEqual(JSON.parse(body.join('')), { StatusCode: 3 })
  })

  it('wait: a client that hangs up aborts it', async () => {
    await api.container('web', ['sleep'])
    const response = await api.open('POST', '/containers/web/wait')
    const [, , { signal }] = api.engine.lastCall('wait') as [string, string, { signal: AbortSignal }]
    response.destroy()
    await once(signal, 'abort')
  })

  it('events: the head comes first, then one line per event with exact nanoseconds', async () => {
    const response = await api.open('GET', '/events')
    assert.equal(response.headers['content-type'], 'application/jsonl')
    const line = once(response.setEncoding('utf8'), 'data')
    await api.container('web', ['sleep'], { start: false })
    const [text] = (await line) as [string]
    assert.match(text, /^\{"Type":"container","Action":"create",.*"timeNano":1767323045123456789\}\n$/)

    const [{ signal }] = api.engine.lastCall('subscribe') as [{ signal: AbortSignal }]
    response.destroy()
    await once(signal, 'abort')
  })

  it('events: format follows version and Accept', async () => {
    await api.container('web', ['sleep'], { start: false })
    const events = async (path: string, accept?: string): Promise<readonly [string | undefined, string]> => {
      const headers = accept === undefined ? {} : { Accept: accept }
      const answer = await api.call('GET', `${path}/events?since=1&until=2`, { headers })
      return [answer.headers['content-type'], answer.text]
    }
    const [oldType, oldText] = await events('/v1.51')
    assert.equal(oldType, 'application/json')
    assert.match(oldText, /^\{"status":"create","id":"\w{64}","from":"demo","Type":"container"/)
    assert.equal((await events('/v1.52', '*/*'))[0], 'application/jsonl')
    assert.equal((await events('/v1.52', 'text/html, application/x-ndjson;q=1'))[0], 'application/x-ndjson')
    const [type, text] = await events('', 'application/json-seq')
    assert.equal(type, 'application/json-seq')
    assert.equal(text[0], '\x1e')
    assert.match(text.slice(1), /^\{"Type"[^\n]*\}\n$/)
  })

  it('events: bad filters and times are ordinary errors', async () => {
    assert.equal((await api.call('GET', '/events?filters=x')).status, 400)
    assert.equal((await api.call('GET', '/events?since=noon')).status, 400)
  })

  it('logs: the head comes at once, framed or not, and following ends with the client', async () => {
    await api.container('web', ['sleep'])
    const response = await api.open('GET', '/containers/web/logs?follow=1&stderr=1&tail=x&since=1.5')
    assert.equal(response.headers['content-type'], 'application/vnd.docker.multiplexed-stream')
    const [, options] = api.engine.lastCall('logs') as [string, { signal: AbortSignal; since: bigint }]
    assert.equal(options.since, 1_500_000_000n)
    assert.equal('tail' in options && options.tail, undefined)
    response.destroy()
    await once(options.signal, 'abort')
  })

  it('logs: a failure in the middle is the last frame', async () => {
    const id = await api.container('web', ['sleep'])
    const container = api.engine.containers.find(id)
    container.print(1, 'fine\n')
    container.print(1, 'broken\n')
    const response = await api.open('GET', '/containers/web/logs?stdout=1')
    const reader = new FrameReader()
    const frames = (await Array.fromAsync(response)).flatMap((chunk: Uint8Array) => reader.push(chunk))
    assert.deepEqual(
      frames.map(({ type, payload }) => [type, Buffer.from(payload).toString()]),
      [
        [1, 'fine\n'],
        [1, 'broken\n'],
        [3, 'Error grabbing logs: log file is damaged\n'],
      ],
    )
    assert.equal(api.log.filter(({ level }) => level === 'error').length, 1)
  })

  it('stats: counters beyond 2^53 stay exact', async () => {
    await api.container('web', ['sleep'])
    const { text } = await api.call('GET', '/containers/web/stats?stream=false&one-shot=true')
    assert.match(text, /"total_usage":9007199254740993\b/)
    const response = await api.open('GET', '/containers/web/stats')
    const [line] = (await once(response.setEncoding('utf8'), 'data')) as [string]
    assert.match(line, /9007199254740993.*\n$/)
    response.destroy()
  })

  it('progress: a failure before the first line is an error, after it the last line', async () => {
    const before = await api.call('POST', '/images/load', { raw: '' })
    assert.equal(before.status, 400)
    assert.deepEqual(before.json, { message: 'empty archive' })

    const after = await api.call('POST', '/images/load', { raw: 'abc' })
    assert.equal(after.status, 200)
    const lines = after.text.split('\r\n')
    assert.deepEqual(JSON.parse(lines.at(-2) ?? ''), {
      errorDetail: { message: 'unexpected end of archive' },
      error: 'unexpected end of archive',
    })
  })

  it('archives: a failure in the middle cuts the connection', async () => {
    await api.container('web', ['sleep'])
    api.engine.files.export = async () =>
      (async function* () {
        yield Buffer.from('half')
        throw new EngineError('internal', 'disk is gone', { code: 'DISK_GONE' })
      })()
    const response = await api.open('GET', '/containers/web/export')
    await assert.rejects(Array.fromAsync(response), { code: 'ECONNRESET' })
  })

  it('archives: nothing is produced faster than the client reads', async () => {
    await api.container('web', ['sleep'])
    let produced = 0
    const chunk = Buffer.alloc(64 * 1024)
    const { promise: ended, resolve } = Promise.withResolvers<void>()
    api.engine.files.export = async () =>
      (async function* () {
        try {
          for (;;) {
            produced += chunk.length
            yield chunk
          }
        } finally {
          resolve()
        }
      })()
    const response = await api.open('GET', '/containers/web/export')
    response.pause()
    for (let i = 0; i < 2_000; i += 1) await turn()
    assert.ok(produced < 8 * 2 ** 20, `${produced} bytes were produced for nobody`)
    response.destroy()
    await ended
  })

  it('an upload that the client gives up on fails for the service too', async () => {
    await api.container('web', ['sleep'])
    const { promise, resolve } = Promise.withResolvers<unknown>()
    api.engine.files.put = async (_ref, _path, tar) => {
      try {
        for await (const _chunk of tar) continue
      } catch (error) {
        resolve(error)
        throw error
      }
    }
    using client = await api.dial(
      'PUT /containers/web/archive?path=/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n',
    )
    await turn()
    client.socket.destroy()
    assert.ok((await promise) instanceof Error)
  })
})

describe('ApiServer.close()', () => {
  it('ends streams, lets what runs finish, and leaves no socket file', async () => {
    const api = await ApiFixture.start()
    const { promise: slow, resolve } = Promise.withResolvers<void>()
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>()
    const version = await api.engine.system.version()
    api.engine.system.version = async () => {
      ask()
      await slow
      return version
    }
    const events = await api.open('GET', '/events')
    using attached = await api.dial()
    await api.container('web', ['sleep'])
    attached.socket.write(
      'POST /containers/web/attach?stream=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n',
    )
    await attached.until('101')
    const running = api.call('GET', '/version')
    await asked

    const closed = api.server.close()
    await Array.fromAsync(events)
    await attached.ended()
    resolve()
    assert.equal((await running).status, 200)
    await closed
    await assert.rejects(api.call('GET', '/_ping'), { code: 'ENOENT' })
    await api[Symbol.asyncDispose]()
  })

  it('cuts what does not finish by the deadline', async () => {
    const api = await ApiFixture.start({ closeTimeout: 20 })
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>()
    api.engine.system.version = () => {
      ask()
      return Promise.withResolvers<never>().promise
    }
    const running = assert.rejects(api.call('GET', '/version'), { code: 'ECONNRESET' })
    await asked
    await api[Symbol.asyncDispose]()
    await running
  })
})

describe('a failure that is ours', () => {
  it('is a 500 with its message, logged once with its causes', async () => {
    await using api = await ApiFixture.start()
    api.engine.system.info = () => Promise.reject(new Error('no /proc', { cause: new Error('not mounted') }))
    const answer = await api.call('GET', '/info')
    assert.equal(answer.status, 500)
    assert.deepEqual(answer.json, { message: 'no /proc' })
    const errors = api.log.filter(({ level }) => level === 'error')
    assert.equal(errors.length, 1)
    assert.match(JSON.stringify(errors[0]), /no \/proc.*not mounted/)
  })
})
