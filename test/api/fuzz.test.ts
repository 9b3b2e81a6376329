/**
 * Requests of a real client (test/fixtures/requests: docker 28.2), damaged, cut, repeated, glued together, sent in pieces and
 * given up half-way: the server answers or hangs up, blames the client and never itself, and is left with nothing of it.
 */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { ApiFixture } from '#test/support/api-server.ts'
import { type Random, randomOf } from '#test/support/random.ts'

const FIXTURES = join(import.meta.dirname, '../fixtures/requests')
const corpus = readdirSync(FIXTURES).map((name) => readFileSync(join(FIXTURES, name)))
/** `FUZZ_ROUNDS=20000 FUZZ_SEED=7` for a longer search. */
const ROUNDS = Number(process.env['FUZZ_ROUNDS'] ?? 600)
const SEED = Number(process.env['FUZZ_SEED'] ?? 1)
/** After so many a look is taken at what is left. */
const BATCH = 60

const headers = [
  'Content-Length: 5',
  'Content-Length: 99999999999999999999',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
  'Connection: Upgrade\r\nUpgrade: tcp',
  'Connection: Upgrade\r\nUpgrade: h2c',
  'Connection: close',
  'Expect: 100-continue',
  'Host: ',
  ' folded: value',
  `X-Long: ${'x'.repeat(70_000)}`,
  'X-Registry-Auth: e30=\0',
  'Content-Type: application/x-www-form-urlencoded',
]
const values = [
  '-1',
  '1e400',
  '99999999999999999999',
  'null',
  '[]',
  `${'['.repeat(3000)}`,
  '"\\ud800"',
  'NaN',
  '%00',
  '__proto__',
]
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'CONNECT', 'PRI', 'get']

const segments = ['%2e%2e', '%ff', 'a'.repeat(9000), '', '%0d%0a']
const prefixes = ['v1.24', 'v1.55', 'v9.9', 'v1', 'v', 'v1.1.1.1']
const manners = ['end', 'end', 'abort', 'linger'] as const

function one<T>(items: readonly T[], random: Random): T {
  return items[random.below(items.length)] as T
}

type Mutation = (bytes: Buffer, random: Random) => Buffer

const text = (change: (request: string, random: Random) => string): Mutation => {
  return (bytes, random) => Buffer.from(change(bytes.toString('latin1'), random), 'latin1')
}

const mutations: readonly Mutation[] = [
  (bytes, random) => {
    const changed = Buffer.from(bytes)
    for (let i = 0; i <= random.below(4); i++) changed[random.below(changed.length)] = random.below(256)
    return changed
  },
  (bytes, random) => bytes.subarray(0, random.below(bytes.length)),
  (bytes, random) => {
    const at = random.below(bytes.length)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random.below(40))])
  },
  (bytes, random) => Buffer.concat([bytes, one(corpus, random)]),
  (bytes, random) => Buffer.concat(Array.from({ length: 2 + random.below(20) }, () => bytes)),
  (bytes, random) =>
    Buffer.concat([bytes, Buffer.from('\0\r\n\r\nGET / HTTP/9.9\r\n\r\n').subarray(random.below(5))]),
  text((request, random) => request.replace('\r\n', `\r\n${one(headers, random)}\r\n`)),
  text((request, random) => request.replaceAll(/^[A-Z]+(?= \/v)/gm, () => one(methods, random))),
  text((request, random) => request.replace(/(?<=":)(?:"[^"]*"|\d+|null|true|false)/, one(values, random))),
  text((request, random) =>
    request.replaceAll(/(?<=[?&]\w+=)[^& ]*/g, () => encodeURIComponent(one(values, random))),
  ),
  text((request, random) => request.replace(/(?<=\/v1\.50\/\w+\/)\w+/, one(segments, random))),
  text((request, random) => request.replaceAll('v1.50', one(prefixes, random))),
  text((request) => request.replaceAll('\r\n', '\n')),
]

describe('the server', () => {
  let api: ApiFixture
  beforeEach(async () => {
    api = await ApiFixture.start({ headersTimeout: 300 })
  })
  afterEach(() => api[Symbol.asyncDispose]())

  it('answers every request of the corpus without blaming itself', async () => {
    await api.container('web', ['sleep'])
    for (const bytes of corpus) await send([bytes], 'end')
    await settled()
  })

  it('survives what can be made of them', { timeout: 300_000 }, async () => {
    const random = randomOf(SEED)
    for (let round = 0; round < ROUNDS; round += BATCH) {
      await api.call('DELETE', '/containers/web?force=1')
      await api.container('web', ['sleep'])
      const batch = Array.from({ length: BATCH }, () => {
        let bytes: Buffer = one(corpus, random)
        for (let i = 0; i <= random.below(3); i++)
          if (bytes.length > 0) bytes = one(mutations, random)(bytes, random)
        return send(inPieces(bytes, random), one(manners, random))
      })
      await Promise.all(batch)
      await settled(`seed ${SEED}, rounds ${round} to ${round + BATCH}`)
    }
  })

  async function send(pieces: readonly Buffer[], how: 'end' | 'abort' | 'linger'): Promise<void> {
    using client = await api.dial()
    for (const piece of pieces) {
      if (client.socket.destroyed) break
      client.socket.write(piece)
      await delay(0)
    }
    if (how === 'end') client.socket.end()
    if (how !== 'abort') await Promise.race([client.ended(), delay(how === 'linger' ? 400 : 40)])
  }

  /** Nothing is left, and the next client is served. */
  async function settled(where = ''): Promise<void> {
    const until = Date.now() + 5000
    while (api.server.counts.open + api.server.counts.running > 0 && Date.now() < until) await delay(5)
    assert.deepEqual(api.server.counts, { open: 0, running: 0 }, where)
    assert.equal((await api.call('GET', '/_ping')).text, 'OK', where)
    const blamed = api.log.splice(0).filter(({ level }) => level === 'error')
    assert.deepEqual(blamed.slice(0, 2), [], where)
  }
})

function inPieces(bytes: Buffer, random: Random): readonly Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const length = random.below(3) === 0 ? 1 + random.below(200) : bytes.length
    pieces.push(bytes.subarray(at, at + length))
    at += length
  }
  return pieces
}
