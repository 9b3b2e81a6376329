export type ReplyHeaders = Readonly<Record<string, string>>

/** What a route answers, as a value; write-reply.ts alone turns it into bytes. */
export type Reply =
  /** No body; `Content-Length` may be given, to answer HEAD. */
  | { readonly kind: 'empty'; readonly status: number; readonly headers: ReplyHeaders }
  | {
      readonly kind: 'bytes'
      readonly status: number
      readonly contentType: string
      readonly bytes: Uint8Array
      readonly headers: ReplyHeaders
    }
  | StreamReply

export interface StreamReply {
  readonly kind: 'stream'
  readonly status: number
  readonly contentType: string
  /** Bytes; undefined when it is not known before the end. */
  readonly size: number | undefined
  readonly chunks: AsyncIterable<Uint8Array> | SteadyChunks
  readonly headers: ReplyHeaders
}

/** Chunks whose memory is used again as soon as each has been written: nothing is allocated on the way. */
export interface SteadyChunks extends AsyncIterable<Uint8Array> {
  send(write: (chunk: Uint8Array) => Promise<void>): Promise<void>
}

export function empty(status: number, headers: ReplyHeaders = {}): Reply {
  return { kind: 'empty', status, headers }
}

export function bytes(
  contentType: string,
  content: Uint8Array,
  headers: ReplyHeaders = {},
  status = 200,
): Reply {
  return { kind: 'bytes', status, contentType, bytes: content, headers }
}

export function json(body: unknown, headers: ReplyHeaders = {}, status = 200): Reply {
  return bytes('application/json', Buffer.from(JSON.stringify(body)), headers, status)
}
