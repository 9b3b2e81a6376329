import { text } from 'node:stream/consumers'
import { messageOf } from '#base/errors.ts'
import { readTar } from '#oci/tar/read-tar.ts'
import { writeTar, type TarSource } from '#oci/tar/write-tar.ts'
import { commandError, hasCode } from '../errors.ts'
import { tlsFiles, type ContextDocument, type StoredContext } from './context-store.ts'

/** A context has a few PEM texts; what is longer is no context. */
const LONGEST = 10 << 20

/** The tar archive that `docker context export` writes: `meta.json`, and `tls/docker/` when there is something in it. */
export function exportContext({ document, tls }: StoredContext): AsyncIterable<Uint8Array> {
  const texts = Object.entries(tls)
  const directories = texts.length === 0 ? [] : ['tls', 'tls/docker']
  return writeTar([
    file('meta.json', JSON.stringify(document), 0o644),
    ...directories.map((path): TarSource => ({
      entry: { ...plain, path, type: 'directory', mode: 0o700 },
      data: [],
    })),
    ...texts.map(([name, pem]) => file(`tls/docker/${name}`, pem, 0o600)),
  ])
}

const plain = { uid: 0, gid: 0, size: 0, mtime: { seconds: 0, nanoseconds: 0 } }

function file(path: string, content: string, mode: number): TarSource {
  const data = Buffer.from(content)
  return { entry: { ...plain, path, type: 'file', mode, size: data.length }, data: [data] }
}

/** Reads such an archive; the context gets `name`, whatever it was called where it comes from. */
export async function importContext(
  name: string,
  archive: AsyncIterable<Uint8Array>,
): Promise<StoredContext> {
  const files = await readFiles(archive)
  const meta = files.get('meta.json')
  if (meta === undefined) throw commandError('this is no exported context: it has no meta.json')
  const document = parseMeta(meta)
  const tls = tlsFiles.flatMap((each) => {
    const pem = files.get(`tls/docker/${each}`)
    return pem === undefined ? [] : [[each, pem] as const]
  })
  return { document: { ...document, Name: name }, tls: Object.fromEntries(tls) }
}

async function readFiles(archive: AsyncIterable<Uint8Array>): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>()
  let size = 0
  try {
    for await (const { entry, data } of readTar(archive)) {
      size += entry.size
      if (size > LONGEST) throw commandError('this is no exported context: it is longer than 10 MiB')
      if (entry.type === 'file') files.set(entry.path, await text(data))
    }
  } catch (error) {
    if (!hasCode(error, 'TAR_INVALID')) throw error
    throw commandError(`cannot read the exported context: ${messageOf(error)}`, error)
  }
  return files
}

function parseMeta(meta: string): ContextDocument {
  try {
    const { Metadata = {}, Endpoints = {}, Name = '' } = JSON.parse(meta) as Partial<ContextDocument>
    return { Name, Metadata, Endpoints }
  } catch (error) {
    throw commandError(`cannot read the exported context: meta.json: ${messageOf(error)}`, error)
  }
}
