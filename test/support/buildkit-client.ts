/**
 * A client of BuildKit's protocol with the same pieces as the daemon's side of it: it calls the daemon on one connection, and on
 * another one it serves what the daemon asks it for.
 */
import { once } from 'node:events'
import { randomUUID } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { GrpcClient } from '#buildkit/grpc/client.ts'
import { type Method, type Methods, serveGrpc, unary } from '#buildkit/grpc/server.ts'
import {
  BridgeSolveRequest,
  BridgeSolveResponse,
  PingRequest,
  PongResponse,
  type Result,
  ReturnRequest,
  ReturnResponse,
} from '#buildkit/messages/bridge.ts'
import {
  SolveRequest,
  SolveResponse,
  StatusRequest,
  StatusResponse,
  type TypedAttributes,
} from '#buildkit/messages/control.ts'
import {
  BytesMessage,
  CredentialsRequest,
  CredentialsResponse,
  GetSecretRequest,
  GetSecretResponse,
  Packet,
  packets,
  type Stat,
} from '#buildkit/messages/session.ts'
import { callStream } from '#buildkit/session/call-stream.ts'
import { metadataText } from '#buildkit/session/metadata-text.ts'
import { EngineError } from '#base/errors.ts'

/** A file of a directory that the client offers. */
export interface OfferedFile {
  readonly stat: Partial<Stat> & { readonly path: string }
  readonly content?: string | Uint8Array
}

export interface Offers {
  /** By the directory's name: its files in the order of the protocol, or all of the conversation. */
  readonly directories?: Readonly<Record<string, readonly OfferedFile[] | Method>>
  readonly secrets?: Readonly<Record<string, string>>
  /** Told the bytes of outputs, by their number. */
  readonly onOutput?: (index: number, bytes: Buffer) => void
  /** Told the paths that the daemon wants the contents of. */
  readonly onRequest?: (path: string) => void
}

export interface BuildWanted {
  readonly attributes?: Readonly<Record<string, string>>
  readonly exporters?: readonly {
    readonly type: string
    readonly attributes?: Readonly<Record<string, string>>
  }[]
  readonly signal?: AbortSignal
  readonly entitlements?: readonly string[]
  readonly onStatus?: (status: StatusResponse) => void
}

export interface Built {
  readonly response: ReadonlyMap<string, string>
  /** What the bridge has answered. */
  readonly result: Result
  readonly statuses: readonly StatusResponse[]
}

const METADATA = 'buildkit-controlapi-buildid'

export class BuildKitClient implements AsyncDisposable {
  readonly session: string
  readonly calls: GrpcClient
  readonly #sockets: readonly Duplex[]
  readonly #serving: Promise<void>
  readonly #closed = new AbortController()

  private constructor(calls: GrpcClient, sockets: readonly Duplex[], session: string, methods: Methods) {
    this.calls = calls
    this.#sockets = sockets
    this.session = session
    this.#serving = serveGrpc(sockets[1]!, methods, {
      signal: this.#closed.signal,
      onFailure: () => undefined,
    })
  }

  /** The session has a connection of its own, or is within a call on the other one. */
  static async connect(
    path: string,
    offers: Offers = {},
    sharedKey = '',
    place: 'own connection' | 'within a call' = 'own connection',
  ): Promise<BuildKitClient> {
    const session = randomUUID()
    const methods = methodsOf(offers)
    const control = await upgraded(path, '/grpc', [])
    const offered = Object.keys(methods).map((name) => `X-Docker-Expose-Session-Grpc-Method: ${name}`)
    const calls = new GrpcClient(control)
    if (place === 'within a call') {
      const metadata = metadataText({
        'x-docker-expose-session-uuid': [session],
        'x-docker-expose-session-sharedkey': [sharedKey],
        'x-docker-expose-session-grpc-method': Object.keys(methods),
      })
      const types = [BytesMessage, BytesMessage] as const
      const tunnel = callStream(calls.exchange('/moby.buildkit.v1.Control/Session', types, { metadata }))
      return new BuildKitClient(calls, [control, tunnel], session, methods)
    }
    const reverse = await upgraded(path, '/session', [
      `X-Docker-Expose-Session-Uuid: ${session}`,
      `X-Docker-Expose-Session-Sharedkey: ${sharedKey}`,
      ...offered,
    ])
    return new BuildKitClient(calls, [control, reverse], session, methods)
  }

  /** As buildx does it: the build lasts as long as `Control.Solve`, and what is built comes over the bridge. */
  async build({
    attributes = {},
    exporters = [],
    signal,
    entitlements = [],
    onStatus,
  }: BuildWanted = {}): Promise<Built> {
    const ref = randomUUID()
    const metadata = new Map([[METADATA, [ref]]])
    const statuses: StatusResponse[] = []
    const following = this.#follow(
      ref,
      (status) => {
        statuses.push(status)
        onStatus?.(status)
      },
      signal,
    )
    following.catch(() => undefined)
    const solving = this.calls.unary(
      '/moby.buildkit.v1.Control/Solve',
      [SolveRequest, SolveResponse],
      { ref, session: this.session, exporters: exporters.map(typed), entitlements },
      { signal },
    )
    solving.catch(() => undefined)
    await this.calls.unary(bridge('Ping'), [PingRequest, PongResponse], {}, { metadata, signal })
    const wanted = { frontend: 'dockerfile.v0', frontendOptions: new Map(Object.entries(attributes)) }
    let result: Result
    try {
      const types = [BridgeSolveRequest, BridgeSolveResponse] as const
      result = (await this.calls.unary(bridge('Solve'), types, wanted, { metadata, signal })).result ?? {}
    } catch (error) {
      const told = { error: { code: 2, message: String(error), details: [] } }
      if (signal?.aborted !== true) {
        await this.calls.unary(bridge('Return'), [ReturnRequest, ReturnResponse], told, { metadata })
      }
      await Promise.allSettled([solving, following])
      throw error
    }
    const { ref: reference, refs, metadata: said = new Map() } = result
    const returned = { result: { ref: reference, refs, metadata: said } }
    await this.calls.unary(bridge('Return'), [ReturnRequest, ReturnResponse], returned, { metadata, signal })
    const { exporterResponse } = await solving
    await following
    return { response: exporterResponse, result, statuses }
  }

  async #follow(
    ref: string,
    told: (status: StatusResponse) => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    using call = this.calls.exchange('/moby.buildkit.v1.Control/Status', [StatusRequest, StatusResponse], {
      signal,
    })
    await call.send({ ref })
    call.end()
    try {
      for await (const status of call.answers) told(status)
    } catch (error) {
      if (signal?.aborted !== true) throw error
    }
  }

  /** Leaves without a word. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.calls[Symbol.dispose]()
    this.#closed.abort()
    await this.#serving
    this.hangUp()
  }
}

function bridge(method: string): string {
  return `/moby.buildkit.v1.frontend.LLBBridge/${method}`
}

function typed({
  type,
  attributes = {},
}: {
  readonly type: string
  readonly attributes?: Readonly<Record<string, string>>
}): TypedAttributes {
  return { type, attributes: new Map(Object.entries(attributes)) }
}

/** A connection that has become HTTP/2. */
export async function upgraded(path: string, target: string, headers: readonly string[]): Promise<Socket> {
  const socket = connect({ path })
  await once(socket, 'connect')
  const lines = ['Host: docker', 'Connection: Upgrade', 'Upgrade: h2c', ...headers]
  socket.write(`POST ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
  let head = ''
  while (!head.includes('\r\n\r\n')) {
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    const end = chunk.indexOf('\r\n\r\n')
    head += chunk.toString('latin1')
    if (end >= 0 && end + 4 < chunk.length) socket.unshift(chunk.subarray(end + 4))
  }
  socket.pause()
  if (!head.startsWith('HTTP/1.1 101 ')) throw new Error(`no upgrade: ${head}`)
  return socket
}

function methodsOf({ directories = {}, secrets, onOutput, onRequest }: Offers): Methods {
  return {
    '/moby.filesync.v1.FileSync/DiffCopy': (requests, call) => {
      const name = call.metadata.get('dir-name')?.[0] ?? ''
      const offered = directories[name] ?? []
      if (typeof offered === 'function') return offered(requests, call)
      const only = call.metadata.get('include-patterns')
      const files = only === undefined ? offered : offered.filter(({ stat }) => only.includes(stat.path))
      return sendFiles(files, requests, onRequest)
    },
    '/moby.filesync.v1.FileSend/DiffCopy': async function* take(requests, { metadata }) {
      const index = Number(metadata.get('buildkit-attachable-exporter-id')?.[0])
      const chunks: Uint8Array[] = []
      for await (const request of requests) chunks.push(BytesMessage.decode(request).data)
      onOutput?.(index, Buffer.concat(chunks))
      yield* []
    },
    '/moby.filesync.v1.Auth/Credentials': unary(CredentialsRequest, CredentialsResponse, () => ({})),
    ...(secrets === undefined
      ? {}
      : {
          '/moby.buildkit.secrets.v1.Secrets/GetSecret': unary(
            GetSecretRequest,
            GetSecretResponse,
            ({ id }) => {
              const secret = secrets[id]
              if (secret !== undefined) return { data: Buffer.from(secret) }
              throw new EngineError('not_found', `no secret ${id}`, { code: 'BUILD_SECRET_MISSING' })
            },
          ),
        }),
  }
}

/** The sender's part of fsutil's protocol. */
export async function* sendFiles(
  files: readonly OfferedFile[],
  requests: AsyncIterable<Uint8Array>,
  onRequest?: (path: string) => void,
): AsyncGenerator<Uint8Array> {
  for (const { stat, content = '' } of files) {
    const size = BigInt(Buffer.byteLength(content))
    yield Packet.encode({ type: packets.stat, stat: { ...plainStat, size, ...stat } })
  }
  yield Packet.encode({ type: packets.stat })
  for await (const request of requests) {
    const { type, id } = Packet.decode(request)
    if (type === packets.finish) yield Packet.encode({ type: packets.finish })
    if (type !== packets.request) continue
    const file = files[id]
    onRequest?.(file?.stat.path ?? '')
    yield Packet.encode({ type: packets.data, id, data: Buffer.from(file?.content ?? '') })
    yield Packet.encode({ type: packets.data, id })
  }
}

export const plainStat: Stat = {
  path: '',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0n,
  modified: 1_700_000_000_000_000_000n,
  link: '',
  major: 0n,
  minor: 0n,
  xattrs: new Map(),
}

/** Go's bit of a directory, and its permissions. */
export const DIRECTORY = 2 ** 31 + 0o755
export const SYMLINK = (1 << 27) | 0o777
