import { EngineError } from '#base/errors.ts'
import type { TarEntry } from '#oci/tar/entry.ts'
import { writeTar, type TarSource } from '#oci/tar/write-tar.ts'
import type { BuildSessions } from '#engine/builds/service.ts'
import type { Stat } from '../messages/session.ts'
import type { FileSync, WantedFile } from './file-sync.ts'
import { permissionsOfMode, typeOfMode } from './go-mode.ts'

export interface ContextReceiver {
  readonly sessions: Pick<BuildSessions, 'putContext' | 'putFiles'>
  /** Of the engine's, for the build. */
  readonly session: string
  /** Of the context in it. */
  readonly name: string
  /** What the client calls the directory, the same the next time. */
  readonly directory: string
  /** Told how many bytes have come in all. */
  readonly onBytes: (total: number) => void
}

interface ListedFile extends WantedFile {
  readonly entry: TarEntry
}

/** Takes a directory of the client into the engine's session: the list, then the contents that the engine does not know. */
export async function receiveContext(sync: FileSync, receiver: ContextReceiver): Promise<void> {
  const { sessions, session, name } = receiver
  const files = new Map<string, ListedFile>()
  const { wanted } = await sessions.putContext(session, name, listOf(sync, receiver, files))
  const asked = wanted.flatMap((path) => files.get(path) ?? [])
  if (asked.length > 0) await sessions.putFiles(session, name, writeTar(sourcesOf(sync, asked, receiver)))
  await sync.finish()
}

/** Lines of the list are put together until they are this long. */
const BATCH = 64 << 10

/** The list as the engine takes it; `files` gets those that have content. */
async function* listOf(
  sync: FileSync,
  { directory, onBytes }: ContextReceiver,
  files: Map<string, ListedFile>,
): AsyncGenerator<Uint8Array> {
  const directories = new Set([''])
  let text = directory === '' ? '' : `${JSON.stringify({ directory })}\n`
  let id = -1
  let total = 0
  for await (const stat of sync.list()) {
    id++
    const entry = entryOf(stat)
    if (entry === undefined) continue
    checkPlace(entry, directories)
    if (entry.type === 'directory') directories.add(entry.path)
    if (entry.type === 'file' && entry.size > 0) files.set(entry.path, { id, size: entry.size, entry })
    text += `${JSON.stringify(entry)}\n`
    if (text.length < BATCH) continue
    total += text.length
    onBytes(total)
    yield Buffer.from(text)
    text = ''
  }
  yield Buffer.from(text)
}

async function* sourcesOf(
  sync: FileSync,
  files: readonly ListedFile[],
  { onBytes }: ContextReceiver,
): AsyncGenerator<TarSource> {
  let total = 0
  for await (const { file, data } of sync.contents(files)) {
    yield { entry: file.entry, data }
    total += file.size
    onBytes(total)
  }
}

/** What an entry of the client's list says; undefined for a socket, which nothing can copy. Owners are not looked at. */
export function entryOf(stat: Stat): TarEntry | undefined {
  const { path, mode, link, modified } = stat
  const kind = typeOfMode(mode)
  if (kind === 'socket') return undefined
  const type = kind === 'file' && link !== '' ? 'hardlink' : kind
  const hasLink = type === 'symlink' || type === 'hardlink'
  const seconds = modified / BILLION - (modified % BILLION < 0n ? 1n : 0n)
  return {
    type,
    path,
    mode: permissionsOfMode(mode),
    uid: 0,
    gid: 0,
    mtime: { seconds: Number(seconds), nanoseconds: Number(modified - seconds * BILLION) },
    size: type === 'file' ? Number(stat.size) : 0,
    ...(hasLink ? { link } : {}),
    ...(type === 'char' || type === 'block' ? { major: Number(stat.major), minor: Number(stat.minor) } : {}),
  }
}

const BILLION = 1_000_000_000n

/** Every file lies in a directory of the list: never below a symlink, or outside. */
function checkPlace({ path }: TarEntry, directories: ReadonlySet<string>): void {
  const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : ''
  if (path !== '' && directories.has(parent)) return
  throw new EngineError(
    'invalid_argument',
    `list of files of a context: ${JSON.stringify(path)} is in no directory of the list`,
    { code: 'CONTEXT_LIST_INVALID', details: { path } },
  )
}
