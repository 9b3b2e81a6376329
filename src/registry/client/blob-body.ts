/** The bytes of a blob, or a range of them. distribution-spec "Pulling blobs"; RFC 9110 section 14 */
import type { Descriptor } from '#oci/image-spec.ts'
import { badAnswer, cutShort } from './errors.ts'
import type { RegistryExchange, RegistryRequest } from './exchange.ts'
import type { BlobBody, ReadableRepository } from './repository.ts'
import type { HttpReply } from './transport.ts'

export async function openBlob(
  exchange: RegistryExchange,
  request: RegistryRequest,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
  { offset = 0, end = size, signal }: NonNullable<Parameters<ReadableRepository['blob']>[1]>,
): Promise<BlobBody> {
  if (offset >= end) return { offset, chunks: nothing() }
  const part = offset > 0 || end < size
  const reply = await exchange.send({
    ...request,
    signal,
    headers: part ? { range: `bytes=${offset}-${end - 1}` } : {},
  })
  try {
    const start = reply.status === 206 ? rangeStart(reply, offset, end) : 0
    const length = reply.status === 206 ? end - offset : size
    checkLength(reply, digest, length)
    return { offset: start, chunks: exactly(reply, length) }
  } catch (error) {
    reply[Symbol.dispose]()
    throw error
  }
}

/** The registry must have understood the range as it was meant. */
function rangeStart(reply: HttpReply, offset: number, end: number): number {
  const said = reply.headers['content-range'] ?? ''
  const [, from, to] = /^bytes (\d+)-(\d+)\//.exec(said) ?? []
  if (Number(from) === offset && Number(to) === end - 1) return offset
  throw badAnswer(reply.url.host, `asked for bytes ${offset}-${end - 1} it sent others`)
}

function checkLength(reply: HttpReply, digest: string, length: number): void {
  const said = reply.headers['content-length']
  if (said !== undefined && Number(said) !== length) {
    throw badAnswer(reply.url.host, `blob ${digest}: it sends ${Number(said)} bytes, want ${length}`)
  }
  const encoding = reply.headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') throw badAnswer(reply.url.host, `blob ${digest} comes in another encoding`)
}

async function* exactly(reply: HttpReply, length: number): AsyncGenerator<Uint8Array> {
  using body = reply
  let left = length
  for await (const chunk of body.chunks()) {
    left -= chunk.length
    if (left < 0) throw badAnswer(body.url.host, `it sends more than the ${length} bytes that were asked for`)
    yield chunk
  }
  if (left > 0) throw cutShort(body.url.host)
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
