/** BuildKit's protocol against a real daemon, by a client of our own that says every message. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import type { BuildReasons } from '#api/build-updates.ts'
import { isErrno, isKind } from '#base/errors.ts'
import type { Method } from '#buildkit/grpc/server.ts'
import { ReturnRequest, ReturnResponse } from '#buildkit/messages/bridge.ts'
import { SolveRequest, SolveResponse, StatusRequest, StatusResponse } from '#buildkit/messages/control.ts'
import { Packet, packets, type Stat } from '#buildkit/messages/session.ts'
import {
  BuildKitClient,
  DIRECTORY,
  type Offers,
  type OfferedFile,
  plainStat,
  sendFiles,
  SYMLINK,
} from '#test/support/buildkit-client.ts'
import { EngineApi } from '#test/support/engine-api.ts'
import { Relay } from '#test/support/relay.ts'

let api: EngineApi
before(async () => {
  api = await EngineApi.start()
})
after(() => api[Symbol.asyncDispose]())

const file = (path: string, content: string, more: Partial<Stat> = {}): OfferedFile => ({
  stat: { path, ...more },
  content,
})
const directory = (path: string): OfferedFile => ({ stat: { path, mode: DIRECTORY } })
const symlink = (path: string, link: string): OfferedFile => ({ stat: { path, mode: SYMLINK, link } })

function offering(dockerfile: string, context: readonly OfferedFile[] | Method = []): Offers {
  return { directories: { dockerfile: [file('Dockerfile', dockerfile)], context } }
}

function connect(offers: Offers, sharedKey = ''): Promise<BuildKitClient> {
  return BuildKitClient.connect(api.daemon.socket, offers, sharedKey)
}

const moby = (name: string) => [{ type: 'moby', attributes: { name } }]

async function output(image: string, ...cmd: string[]): Promise<string> {
  const { out, code } = await api.run({ Image: image, Cmd: cmd })
  assert.equal(code, 0)
  return out
}

describe('a build over BuildKit’s protocol', () => {
  it('sends the context, runs, names the image, and says what goes on', async () => {
    const context = [directory('src'), file('src/run', 'echo ran', { mode: 0o755 }), symlink('to', 'src/run')]
    await using client = await connect(offering('FROM busybox\nCOPY . /app\nRUN cp /app/to /made\n', context))
    const { response, result, statuses } = await client.build({ exporters: moby('first:1') })

    assert.match(response.get('containerimage.config.digest') ?? '', /^sha256:[0-9a-f]{64}$/)
    // The real Compose keeps it as the id of the image that a container is made of.
    assert.equal(response.get('containerimage.digest'), response.get('containerimage.config.digest'))
    assert.equal(response.get('image.name'), 'first:1')
    assert.notEqual(result.ref?.id ?? '', '')
    assert.equal(await output('first:1', 'sh', '/made'), 'ran\n')
    const vertexes = statuses.flatMap((status) => status.vertexes ?? [])
    for (const name of [
      '[internal] load build definition from Dockerfile',
      '[internal] load .dockerignore',
      '[internal] load build context',
      '[3/3] RUN cp /app/to /made',
      'exporting to image',
    ]) {
      const last = vertexes.findLast((vertex) => vertex.name === name)
      assert.notEqual(last?.completed, undefined, name)
      assert.equal(last?.error, '', name)
    }
  })

  it('leaves out what .dockerignore says, and keeps modes and links', async () => {
    const context = [
      file('.dockerignore', 'secret\n'),
      file('kept', 'k', { mode: 0o640 }),
      file('other', '', { link: 'kept', size: 0n }),
      file('secret', 's'),
    ]
    await using client = await connect(offering('FROM busybox\nCOPY . /app\n', context))
    await client.build({ exporters: moby('ignored') })
    const listed = await output('ignored', 'sh', '-c', 'cd /app && stat -c "%n %a %h" *')
    assert.equal(listed, 'kept 640 2\nother 640 2\n')
  })

  it('asks only for what it does not know of a directory', async () => {
    const asked: string[] = []
    const offers = (content: string): Offers => ({
      ...offering('FROM busybox\nCOPY . /app\n', [file('big', 'same'), file('small', content)]),
      onRequest: (path) => void asked.push(path),
    })
    for (const content of ['a', 'bb']) {
      await using client = await connect(offers(content), 'host:/directory')
      await client.build({ exporters: moby('again') })
    }
    assert.deepEqual(
      asked.filter((path) => path !== 'Dockerfile'),
      ['big', 'small', 'small'],
    )
    assert.equal(await output('again', 'cat', '/app/small'), 'bb')
  })

  it('is compared with the one before it of the same name, or of the same directory', async () => {
    const dockerfile = 'FROM busybox\nCOPY told /told\n'
    const why = async (): Promise<unknown> => {
      const { name, misses } = (await api.call('GET', '/berth/builds/why')).json<BuildReasons>()
      return { name, misses: misses.map(({ reason, subject }) => ({ reason, subject })) }
    }
    const misses = [{ reason: 'file', subject: 'told' }]
    for (const [sharedKey, exporters, name] of [
      ['', moby('told:1,told:2'), 'told:1'],
      ['a directory', [{ type: 'moby' }], 'session'],
    ] as const) {
      for (const content of ['first', 'second']) {
        await using client = await connect(
          offering(dockerfile, [file('told', `${name} ${content}`)]),
          sharedKey,
        )
        await client.build({ exporters })
      }
      assert.deepEqual(await why(), { name, misses })
    }
  })

  it('takes a session within a call as well', async () => {
    await using client = await BuildKitClient.connect(
      api.daemon.socket,
      offering('FROM busybox\nCOPY a /a\n', [file('a', 'within')]),
      '',
      'within a call',
    )
    await client.build({ exporters: moby('within') })
    assert.equal(await output('within', 'cat', '/a'), 'within')
  })

  it('asks for a secret when a step needs it, and never before', async () => {
    const text =
      'FROM busybox\nRUN --mount=type=secret,id=token,required=true wc -c < /run/secrets/token > /size\n'
    await using client = await connect({ ...offering(text), secrets: { token: 'hidden' } })
    const { statuses } = await client.build({ exporters: moby('secret') })
    assert.equal((await output('secret', 'cat', '/size')).trim(), '6')
    assert.ok(!JSON.stringify(statuses, plain).includes('hidden'))
    await using other = await connect({ ...offering(text), secrets: {} })
    await assert.rejects(other.build({ attributes: { 'no-cache': '' } }), /token/)
  })

  it('gives the client what it writes itself', async () => {
    const outputs: Buffer[] = []
    const offers = { ...offering('FROM scratch\nCOPY a /a\n', [file('a', 'content')]) }
    await using client = await connect({ ...offers, onOutput: (index, bytes) => (outputs[index] = bytes) })
    await client.build({ exporters: [{ type: 'tar' }] })
    assert.match(outputs[0]?.toString('latin1') ?? '', /^a\0.*content/s)
  })

  it('answers questions about the Dockerfile without building it', async () => {
    await using client = await connect(offering('FROM busybox AS x\nrun false\nRUN true\n'))
    const { result } = await client.build({ attributes: { requestid: 'frontend.lint' } })
    const text = (name: string): string => Buffer.from(result.metadata?.get(name) ?? '').toString()
    assert.match(text('result.txt'), /1 warning has been found/)
    assert.equal(text('result.statuscode'), '1')
    const { warnings, sources } = JSON.parse(text('result.json')) as Record<string, object[]>
    assert.deepEqual(
      warnings?.map((warning) => ({ ...warning, description: '' })),
      [
        {
          ruleName: 'ConsistentInstructionCasing',
          description: '',
          detail: "Command 'run' should match the case of the command majority (uppercase)",
          location: { ranges: [{ start: { line: 2 }, end: { line: 2 } }] },
        },
      ],
    )
    assert.deepEqual(sources, [
      {
        filename: 'Dockerfile',
        language: 'Dockerfile',
        data: 'RlJPTSBidXN5Ym94IEFTIHgKcnVuIGZhbHNlClJVTiB0cnVlCg==',
      },
    ])
    assert.equal(result.ref, undefined)
  })
})

function plain(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
  return typeof value === 'bigint' ? String(value) : value
}

describe('a build that fails', () => {
  it('may be followed when it is over already, as a short one is before its client asks', async () => {
    await using client = await connect({})
    const ref = randomUUID()
    const metadata = new Map([['buildkit-controlapi-buildid', [ref]]])
    const control = '/moby.buildkit.v1.Control'
    const solving = client.calls.unary(`${control}/Solve`, [SolveRequest, SolveResponse], {
      ref,
      session: client.session,
    })
    const bridge = '/moby.buildkit.v1.frontend.LLBBridge'
    const nothing = { result: { ref: undefined, refs: undefined, metadata: new Map() } }
    await client.calls.unary(`${bridge}/Return`, [ReturnRequest, ReturnResponse], nothing, { metadata })
    await solving

    const begun = performance.now()
    using following = client.calls.exchange(`${control}/Status`, [StatusRequest, StatusResponse])
    await following.send({ ref })
    following.end()
    assert.deepEqual(await Array.fromAsync(following.answers), [])
    assert.ok(performance.now() - begun < 1_000)
  })

  it('says what a step has ended with, and where that is', async () => {
    await using client = await connect(offering('FROM busybox\nRUN exit \\\n 3\n'))
    await assert.rejects(client.build({ exporters: moby('failed') }), (error: Error) => {
      assert.equal(error.message, 'process "/bin/sh -c exit  3" did not complete successfully: exit code: 3')
      const place = placeOf(error)
      assert.equal(place.info.filename, 'Dockerfile')
      assert.equal(Buffer.from(place.info.data, 'base64').toString(), 'FROM busybox\nRUN exit \\\n 3\n')
      assert.deepEqual(place.ranges, [{ start: { line: 2 }, end: { line: 3 } }])
      return true
    })
    await api.refused(404, 'GET', '/images/failed/json')
  })

  it('refuses other frontends and graphs of operations', async () => {
    await using client = await connect(offering('FROM busybox\n'))
    await assert.rejects(
      client.calls.unary('/moby.buildkit.v1.Control/Solve', [SolveRequest, SolveResponse], {
        ref: 'graph',
        session: client.session,
        definition: { operations: [Buffer.from('x')] },
      }),
      (error) => isKind(error, 'not_implemented'),
    )
  })

  it('refuses a Dockerfile that is wrong before the context is sent', async () => {
    let asked = false
    const context: Method = async function* never() {
      asked = true
      yield* []
    }
    await using client = await connect(offering('FROM busybox\nNONSENSE\n', context))
    await assert.rejects(client.build(), (error: Error) => {
      assert.match(
        String(error),
        /^EngineError: dockerfile parse error on line 2: unknown instruction: NONSENSE/,
      )
      assert.deepEqual(placeOf(error).ranges, [{ start: { line: 2 }, end: { line: 2 } }])
      return true
    })
    assert.equal(asked, false)
  })

  it('is cancelled with its call', async () => {
    await using client = await connect(offering('FROM busybox\nRUN echo begun && sleep 1000\n'))
    const cancel = new AbortController()
    const building = client.build({
      signal: cancel.signal,
      exporters: moby('cancelled'),
      onStatus: ({ logs = [] }) => {
        if (logs.length > 0) cancel.abort()
      },
    })
    await assert.rejects(building)
    await api.refused(404, 'GET', '/images/cancelled/json')
  })
})

/** Processes of this machine with that command line. */
function running(...command: readonly string[]): readonly string[] {
  const line = `${command.join('\0')}\0`
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1') === line
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ESRCH')) return false
      throw error
    }
  })
}

describe('a client that is not to be trusted', () => {
  const dockerfile = 'FROM busybox\nCOPY . /app\n'
  const refusals: readonly [string, readonly OfferedFile[]][] = [
    ['a path out of the context', [file('../outside', 'x')]],
    ['an absolute path', [file('/etc/passwd', 'x')]],
    ['a path below a symlink', [symlink('a', '/etc'), file('a/passwd', 'x')]],
    ['a path below a file', [file('a', 'x'), file('a/b', 'x')]],
    ['a file in no directory', [file('a/b', 'x')]],
    ['an empty path', [file('', 'x')]],
    ['a negative size', [file('a', 'x', { size: -1n })]],
  ]
  for (const [name, files] of refusals) {
    it(`is refused ${name}`, async () => {
      await using client = await connect(offering(dockerfile, files))
      await assert.rejects(client.build({ exporters: moby('hostile') }), /list of files of a context: /)
      await api.refused(404, 'GET', '/images/hostile/json')
    })
  }

  it('is refused more bytes than its list has said', async () => {
    const context: Method = async function* more(requests) {
      const stat = { ...plainStat, path: 'a', size: 2n }
      yield Packet.encode({ type: packets.stat, stat })
      yield Packet.encode({ type: packets.stat })
      for await (const _ of requests) {
        for (;;) yield Packet.encode({ type: packets.data, id: 0, data: Buffer.alloc(1 << 16) })
      }
    }
    await using client = await connect(offering(dockerfile, context))
    await assert.rejects(client.build(), /longer than its entry/)
  })

  it('is refused content that nobody has asked for', async () => {
    const context: Method = async function* more(requests) {
      yield Packet.encode({ type: packets.stat, stat: { ...plainStat, path: 'a', size: 2n } })
      yield Packet.encode({ type: packets.stat })
      for await (const _ of requests) {
        yield Packet.encode({ type: packets.data, id: 7, data: Buffer.from('hi') })
      }
    }
    await using client = await connect(offering(dockerfile, context))
    await assert.rejects(client.build(), /not asked for/)
  })

  it('may leave in the middle of a file, and nothing of it stays', async () => {
    const begun = Promise.withResolvers<void>()
    const context: Method = async function* slow(requests) {
      yield Packet.encode({ type: packets.stat, stat: { ...plainStat, path: 'a', size: 100n } })
      yield Packet.encode({ type: packets.stat })
      for await (const _ of requests) {
        yield Packet.encode({ type: packets.data, id: 0, data: Buffer.from('first part') })
        begun.resolve()
      }
    }
    await using client = await connect(offering(dockerfile, context))
    const building = client.build({ exporters: moby('left') })
    building.catch(() => undefined)
    await begun.promise
    client.hangUp()
    await assert.rejects(building)
    await api.refused(404, 'GET', '/images/left/json')
    await using next = await connect(offering('FROM busybox\n'))
    await next.build()
  })

  it('may be killed while a step runs, which ends with it', async () => {
    const seconds = String(100_000 + process.pid)
    const offers = offering(`FROM busybox\nRUN exec sleep ${seconds}\n`)
    // What is between them cuts the connections without a word of HTTP/2, as the kernel does for a process that is gone.
    await using relay = await Relay.start(api.daemon.socket)
    await using client = await BuildKitClient.connect(relay.path, offers)
    const building = client.build({ exporters: moby('killed') })
    building.catch(() => undefined)
    await api.until('the step to run', async () => running('sleep', seconds).length > 0)
    relay.cut()
    await assert.rejects(building)
    await api.until('the step to end', async () => running('sleep', seconds).length === 0)
  })

  it('may fail to read its own files', async () => {
    const context: Method = async function* failing(requests) {
      yield* sendFiles([], requestsUntil(requests))
      yield Packet.encode({ type: packets.error, data: Buffer.from('open secret: permission denied') })
    }
    await using client = await connect(offering(dockerfile, context))
    await assert.rejects(client.build(), /permission denied/)
  })
})

async function* requestsUntil(_requests: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* []
}

/** Where in the Dockerfile a build has failed, as clients show it. */
function placeOf(error: Error): {
  readonly info: { readonly data: string; readonly filename: string }
  readonly ranges: readonly object[]
} {
  const { details } = error as Error & { details: { rpcStatus: { details: { value: Uint8Array }[] } } }
  return JSON.parse(Buffer.from(details.rpcStatus.details[0]?.value ?? []).toString()) as ReturnType<
    typeof placeOf
  >
}
