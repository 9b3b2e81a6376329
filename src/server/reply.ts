import type { Duplex } from 'node:stream'
import type { AttachedStream } from '#engine/services.ts'

export type ReplyHeaders = Readonly<Record<string, string>>

/** What a route answers, as a value; write-reply.ts alone turns it into bytes. */
export type Reply =
  | { readonly kind: 'empty'; readonly status: number; readonly headers?: ReplyHeaders }
  | { readonly kind: 'json'; readonly status: number; readonly body: unknown }
  | {
      readonly kind: 'text'
      readonly status: number
      readonly body: string
      readonly headers?: ReplyHeaders
    }
  /** The head goes out at once and the document when it is there. */
  | { readonly kind: 'pending'; readonly body: Promise<unknown> }
  | RecordsReply
  | BytesReply
  | ProtocolReply
  | { readonly kind: 'upgrade'; readonly attached: AttachedStream; readonly contentType: string }
  /** The connection becomes a websocket; `text`: what it sends are text messages. */
  | { readonly kind: 'websocket'; readonly attached: AttachedStream; readonly text: boolean }

/** The connection goes over to another protocol, which `serve` speaks until it is closed; it never rejects. */
export interface ProtocolReply {
  readonly kind: 'protocol'
  readonly protocol: string
  readonly serve: (connection: Duplex, signal: AbortSignal) => Promise<void>
}

/** One JSON document per line. */
export interface RecordsReply {
  readonly kind: 'records'
  readonly contentType: string
  readonly items: AsyncIterable<unknown>
  readonly before: '' | '\x1e'
  readonly after: '\n' | '\r\n'
  /**
   * `at once`: clients wait for the head before there is anything to say. `with first`: until the first
   * record a failure is still an ordinary HTTP error.
   */
  readonly head: 'at once' | 'with first'
  /** The last record after a failure; without it the connection is cut. */
  readonly failure?: (error: unknown) => unknown
}

export interface BytesReply {
  readonly kind: 'bytes'
  readonly contentType: string
  readonly chunks: AsyncIterable<Uint8Array>
  readonly headers?: ReplyHeaders
  /** The last bytes after a failure; without it the connection is cut. */
  readonly failure?: (error: unknown) => Uint8Array
}

export function empty(status: number, headers: ReplyHeaders = {}): Reply {
  return { kind: 'empty', status, headers }
}

export function json(body: unknown, status = 200): Reply {
  return { kind: 'json', status, body }
}

/** Progress of a pull, load, import: failures after the first line travel as its last line. */
export function progress(items: AsyncIterable<unknown>): Reply {
  return {
    kind: 'records',
    contentType: 'application/json',
    items,
    before: '',
    after: '\r\n',
    head: 'with first',
    failure: (error) => {
      const message = error instanceof Error ? error.message : String(error)
      return { errorDetail: { message }, error: message }
    },
  }
}

export function bytes(
  contentType: string,
  chunks: AsyncIterable<Uint8Array>,
  headers: ReplyHeaders = {},
): Reply {
  return { kind: 'bytes', contentType, chunks, headers }
}
