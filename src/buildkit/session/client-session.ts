import type { RegistryAuth } from '#api/registry-auth.ts'
import type { Clock } from '#base/clock.ts'
import { type ErrorKind, isKind } from '#base/errors.ts'
import type { Duplex } from 'node:stream'
import { GrpcClient } from '../grpc/client.ts'
import {
  BytesMessage,
  CheckAgentRequest,
  CheckAgentResponse,
  CredentialsRequest,
  CredentialsResponse,
  GetSecretRequest,
  GetSecretResponse,
  Packet,
} from '../messages/session.ts'
import { callStream } from './call-stream.ts'
import { type FileQuery, FileSync } from './file-sync.ts'
import { metadataText } from './metadata-text.ts'
import { sendTree } from './send-tree.ts'
import { readFiles, type ReadOptions } from './read-files.ts'

/** What a client says of its session when it opens it. */
export interface SessionFacts {
  readonly id: string
  /** Which of its directories and hosts this is; empty when it does not say. */
  readonly sharedKey: string
  /** Paths of the methods that it offers. */
  readonly methods: ReadonlySet<string>
}

/** Of Docker Hub: what clients know its credentials by. */
const HUB = 'registry-1.docker.io'

const paths = {
  secret: '/moby.buildkit.secrets.v1.Secrets/GetSecret',
  credentials: '/moby.filesync.v1.Auth/Credentials',
  checkAgent: '/moby.sshforward.v1.SSH/CheckAgent',
  forwardAgent: '/moby.sshforward.v1.SSH/ForwardAgent',
  pull: '/moby.upload.v1.Upload/Pull',
  send: '/moby.filesync.v1.FileSend/DiffCopy',
} as const

/** What the client of a build offers, on the connection that it has opened for that. */
export class ClientSession implements Disposable {
  readonly facts: SessionFacts
  readonly #client: GrpcClient

  constructor(facts: SessionFacts, connection: Duplex) {
    this.facts = facts
    this.#client = new GrpcClient(connection)
  }

  /** Resolves when the client has closed it. */
  get closed(): Promise<void> {
    return this.#client.closed
  }

  files(query: FileQuery, signal: AbortSignal): FileSync {
    return new FileSync(this.#client, query, signal)
  }

  readFiles(query: FileQuery, options: ReadOptions): Promise<ReadonlyMap<string, string>> {
    return readFiles(this.#client, query, options)
  }

  /** Undefined when the client has no such secret. */
  async secret(id: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
    if (!this.#offers(paths.secret)) return undefined
    const types = [GetSecretRequest, GetSecretResponse] as const
    const secret = this.#client.unary(paths.secret, types, { id }, { signal })
    return unlessMissing(secret.then(({ data }) => data))
  }

  /** For a registry; undefined when the client has none. */
  async credentials(host: string, signal: AbortSignal): Promise<RegistryAuth | undefined> {
    if (!this.#offers(paths.credentials)) return undefined
    const types = [CredentialsRequest, CredentialsResponse] as const
    const asked = { host: host === 'docker.io' ? HUB : host }
    const { username, secret } = await this.#client.unary(paths.credentials, types, asked, { signal })
    if (secret === '') return undefined
    return username === '' ? { identitytoken: secret } : { username, password: secret }
  }

  /** Makes connections to an ssh agent of the client; undefined when it has none of that id. */
  async agent(id: string, signal: AbortSignal): Promise<(() => Duplex) | undefined> {
    if (!this.#offers(paths.checkAgent)) return undefined
    const types = [CheckAgentRequest, CheckAgentResponse] as const
    const checked = this.#client.unary(paths.checkAgent, types, { id }, { signal })
    // Of an id that they do not have clients say no more than that something is wrong.
    if ((await unlessMissing(checked, 'internal')) === undefined) return undefined
    const metadata = metadataText({ 'buildkit.ssh.id': [id] })
    return () =>
      callStream(
        this.#client.exchange(paths.forwardAgent, [BytesMessage, BytesMessage], { metadata, signal }),
      )
  }

  /** What the client has at `http://HOST/PATH` for us. */
  async *upload({ host, pathname }: URL, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const metadata = metadataText({ urlhost: [host], urlpath: [pathname] })
    using call = this.#client.exchange(paths.pull, [BytesMessage, BytesMessage], { metadata, signal })
    call.end()
    for await (const { data } of call.answers) yield data
  }

  /** Gives the client a stream of bytes that it has asked for: the output of that number. */
  async send(output: number, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    const metadata = metadataText({ 'buildkit-attachable-exporter-id': [String(output)] })
    using call = this.#client.exchange(paths.send, [BytesMessage, BytesMessage], { metadata, signal })
    for await (const data of chunks) await call.send({ data })
    call.end()
    // It ends the call when it has written everything.
    for await (const _ of call.answers);
  }

  /** Gives the client the files of an archive, for a directory of its own: the output of that number. */
  async sendTree(
    output: number,
    tar: AsyncIterable<Uint8Array>,
    { signal, clock }: { readonly signal: AbortSignal; readonly clock: Clock },
  ): Promise<void> {
    const metadata = metadataText({ 'buildkit-attachable-exporter-id': [String(output)] })
    using call = this.#client.exchange(paths.send, [Packet, Packet], { metadata, signal })
    await sendTree(call, tar, clock)
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]()
  }

  #offers(path: string): boolean {
    return this.facts.methods.has(path.toLowerCase())
  }
}

async function unlessMissing<Value>(asked: Promise<Value>, also?: ErrorKind): Promise<Value | undefined> {
  try {
    return await asked
  } catch (error) {
    const missing = ['not_found', 'not_implemented', also] as const
    if (missing.some((kind) => kind !== undefined && isKind(error, kind))) return undefined
    throw error
  }
}
