/** What one step showed, in a form in which it can be compared field by field. */
import { FrameReader, streamType } from '#api/stdcopy.ts'
import { readTar } from '#oci/tar/read-tar.ts'

export interface Observation {
  /** The step without its variables: `GET /containers/{c}/json`. */
  readonly step: string
  readonly document: unknown
  /** The step's `expect`, when the answer was something else. */
  readonly unexpected?: string
}

/** Headers that clients act upon; the rest is the business of the HTTP implementation. */
const telling = [
  'content-type',
  'connection',
  'upgrade',
  'location',
  'ostype',
  'docker-experimental',
  'builder-version',
  'swarm',
  'cache-control',
  'pragma',
  'x-docker-container-path-stat',
]

type Headers = Readonly<Record<string, string | string[] | undefined>>

export function headersOf(headers: Headers, status: number): Record<string, unknown> {
  const told = telling
    // How long a connection is kept is nobody's business unless it is taken over.
    .filter((name) => headers[name] !== undefined && (name !== 'connection' || status === 101))
    .map((name) => [name, headers[name]] as const)
  const shown = Object.fromEntries(told) as Record<string, unknown>
  const stat = shown['x-docker-container-path-stat']
  if (typeof stat === 'string') {
    shown['x-docker-container-path-stat'] = JSON.parse(Buffer.from(stat, 'base64').toString()) as unknown
  }
  return shown
}

/** A body as a document: JSON, records, frames, the entries of an archive, or text. */
export async function bodyOf(bytes: Buffer, contentType: string): Promise<unknown> {
  if (bytes.length === 0) return ''
  if (/stream/.test(contentType) && isFramed(bytes)) return framesOf(bytes)
  if (/x-tar/.test(contentType) || bytes.subarray(257, 262).toString() === 'ustar') return entriesOf(bytes)
  const text = bytes.toString()
  if (/json/.test(contentType)) return jsonOf(text)
  return text
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return joined(recordsOf(text))
  }
}

/** Records of a build that only say more of the output are one: how they are cut says nothing. */
function joined(records: unknown): unknown {
  if (!Array.isArray(records)) return records
  const all: unknown[] = []
  for (const record of records as readonly { readonly stream?: string }[]) {
    const last = all.at(-1) as { readonly stream?: string } | undefined
    if (record.stream === undefined || last?.stream === undefined) all.push(record)
    else all[all.length - 1] = { stream: last.stream + record.stream }
  }
  return all
}

/** One document per line, or one after the other. */
export function recordsOf(text: string): unknown {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  try {
    return lines.map((line) => JSON.parse(line) as unknown)
  } catch {
    return text
  }
}

function isFramed(bytes: Buffer): boolean {
  return bytes.length >= 8 && bytes[0]! <= 3 && bytes[1] === 0 && bytes[2] === 0 && bytes[3] === 0
}

/** What each stream said: how that was cut, and which was first, is chance. */
export function framesOf(bytes: Buffer): unknown {
  const names = new Map<number, string>(Object.entries(streamType).map(([name, type]) => [type, name]))
  const texts: Record<string, string> = {}
  for (const { type, payload } of new FrameReader().push(bytes)) {
    const stream = names.get(type) ?? String(type)
    texts[stream] = `${texts[stream] ?? ''}${Buffer.from(payload).toString()}`
  }
  return texts
}

async function entriesOf(bytes: Buffer): Promise<unknown> {
  const entries: Record<string, object> = {}
  const once = async function* (): AsyncGenerator<Uint8Array> {
    yield bytes
  }
  for await (const { entry } of readTar(once())) {
    const { path, mtime: _time, ...rest } = { ...entry }
    entries[path] = rest
  }
  return entries
}
