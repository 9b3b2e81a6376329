import { StringDecoder } from 'node:string_decoder'
import { isErrno, isKind } from '#base/errors.ts'
import type { Client } from '#client/client.ts'
import type { LogsOptions } from '#client/container-streams.ts'
import { demultiplex } from '#client/stdcopy.ts'
import type { LogPrinter } from './log-printer.ts'

/** Prints what a container has written, and with `follow` what it writes, until it ends or the signal comes. */
export async function printLogs(
  client: Client,
  { id, name }: { readonly id: string; readonly name: string },
  printer: LogPrinter,
  options: LogsOptions,
): Promise<void> {
  try {
    const { Config } = await client.containerQuery.inspect(id)
    const logs = await client.containerStreams.logs(id, options)
    const text = Config?.Tty === true ? plain(logs) : demultiplex(logs)
    for await (const line of lines(text)) printer.line(name, line)
  } catch (error) {
    if (options.signal?.aborted === true || isKind(error, 'not_found') || isErrno(error, 'ECONNRESET')) return
    // A log driver that cannot be read is said once, and is nobody's failure.
    if (!isKind(error, 'not_implemented') && !/does not support reading/.test(String(error))) throw error
    printer.status(name, 'has a log that cannot be read')
  }
}

interface Piece {
  readonly stream: string
  readonly data: Uint8Array
}

async function* plain(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Piece> {
  for await (const data of chunks) yield { stream: 'stdout', data }
}

/** Whole lines, those of stdout and stderr apart; characters that were cut are put together. */
async function* lines(pieces: AsyncIterable<Piece>): AsyncGenerator<string> {
  const rests = new Map<string, { readonly decoder: StringDecoder; text: string }>()
  for await (const { stream, data } of pieces) {
    const rest = rests.get(stream) ?? { decoder: new StringDecoder('utf8'), text: '' }
    rests.set(stream, rest)
    const parts = (rest.text + rest.decoder.write(Buffer.from(data))).split('\n')
    rest.text = parts.pop() ?? ''
    for (const part of parts) yield part.replace(/\r$/, '')
  }
  for (const { text } of rests.values()) if (text !== '') yield text
}
