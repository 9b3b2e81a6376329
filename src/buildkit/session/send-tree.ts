import type { Clock } from '#base/clock.ts'
import { settlesWithin } from '#base/clock.ts'
import { EngineError } from '#base/errors.ts'
import type { TarEntry } from '#oci/tar/entry.ts'
import { readTar } from '#oci/tar/read-tar.ts'
import type { Exchange } from '../grpc/client.ts'
import { type Packet, packets, type Stat } from '../messages/session.ts'
import { goMode } from './go-mode.ts'

/** Milliseconds that a client may take to ask for a file that it has been told of. */
const PATIENCE = 30_000
/** Bytes of content in one message. */
const CHUNK = 32 << 10
const BILLION = 1_000_000_000n

/**
 * Gives the client a tree of files by fsutil's protocol, as the sender: each file is told, and its content follows when it is asked
 * for, which a client that writes into a directory does for every one. `tar` is read once, as it comes.
 */
export async function sendTree(
  exchange: Exchange<Packet, Packet>,
  tar: AsyncIterable<Uint8Array>,
  clock: Clock,
): Promise<void> {
  const answers = exchange.answers[Symbol.asyncIterator]()
  const next = async (): Promise<Packet> => {
    const answer = answers.next()
    if (!(await settlesWithin(clock, PATIENCE, answer))) throw refused('it does not ask for a file')
    const { done, value } = await answer
    if (done === true) throw refused('it has ended the transfer')
    if (value.type === packets.error) throw refused(Buffer.from(value.data).toString('utf8'))
    return value
  }
  let id = 0
  for await (const { entry, data } of readTar(tar)) {
    if (entry.path === '') continue
    await exchange.send({ type: packets.stat, stat: statOf(entry) })
    if (entry.type === 'file') {
      const asked = await next()
      if (asked.type !== packets.request || asked.id !== id) throw refused('it asks for another file')
      await sendContent(exchange, id, data)
    }
    id++
  }
  await exchange.send({ type: packets.stat })
  while ((await next()).type !== packets.finish);
  await exchange.send({ type: packets.finish })
  exchange.end()
}

async function sendContent(
  exchange: Exchange<Packet, Packet>,
  id: number,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  for await (const bytes of content) {
    for (let at = 0; at < bytes.length; at += CHUNK) {
      await exchange.send({ type: packets.data, id, data: bytes.subarray(at, at + CHUNK) })
    }
  }
  await exchange.send({ type: packets.data, id })
}

function statOf({
  type,
  path,
  mode,
  uid,
  gid,
  mtime,
  size,
  link = '',
  major,
  minor,
  xattrs,
}: TarEntry): Stat {
  return {
    path,
    mode: goMode(type, mode),
    uid,
    gid,
    size: BigInt(type === 'file' ? size : 0),
    modified: BigInt(mtime.seconds) * BILLION + BigInt(mtime.nanoseconds),
    link,
    major: BigInt(major ?? 0),
    minor: BigInt(minor ?? 0),
    xattrs: xattrs ?? new Map(),
  }
}

function refused(why: string): EngineError {
  return new EngineError('unavailable', `the client does not take the files: ${why}`, {
    code: 'BUILD_TRANSFER_REFUSED',
  })
}
