import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { pipeline, Readable } from 'node:stream'
import { createZstdCompress } from 'node:zlib'
import { isErrno, messageOf } from '#base/errors.ts'
import { IgnoreMatcher, ignoreFileOf, parseIgnore } from '#build/dockerfile/ignore.ts'
import { writeTar, type TarSource } from '#oci/tar/write-tar.ts'
import type { Context } from '../command.ts'
import { pack } from '../copy/pack.ts'
import { commandError } from '../errors.ts'
import { humanSize } from '../format/units.ts'

export interface Upload {
  readonly session: string
  /** Of the context. */
  readonly name: string
  readonly directory: string
  /** Contents of the ignore file that applies. */
  readonly ignore: string
  /** Hears how much is sent, before it is; a line. */
  readonly say: (text: string) => void
}

/** Gives an engine elsewhere a directory: first the list of its files, then the contents that it does not know yet. */
export async function uploadDirectory(
  { session, name, directory, ignore, say }: Upload,
  { client, signal }: Pick<Context, 'client' | 'signal'>,
): Promise<void> {
  const matcher = new IgnoreMatcher(parseIgnore(ignore))
  const files = (): Generator<TarSource> => contextFiles(directory, matcher)
  const sizes = new Map<string, number>()
  const lines = entryLines({ directory: `${hostname()}:${directory}` }, noting(files(), sizes))
  // Whoever reads the list is told of what goes wrong with it.
  const list = pipeline(Readable.from(lines), createZstdCompress(), () => undefined)
  const wanted = new Set(await client.builds.putContext(session, name, list, { signal }))
  const bytes = wanted.values().reduce((sum, path) => sum + (sizes.get(path) ?? 0), 0)
  const count = (files: number): string => files.toLocaleString('en')
  say(`${name}: ${count(wanted.size)} of ${count(sizes.size)} files are sent, ${humanSize(bytes)}\n`)
  if (wanted.size === 0) return
  const tar = Readable.from(writeTar(only(files(), wanted)), { objectMode: false })
  await client.builds.putFiles(session, name, tar, { signal })
}

/** The ignore file of a Dockerfile, or else that of the context; empty without either. */
export function ignoreText(directory: string, dockerfile: string | undefined): string {
  const own = dockerfile === undefined ? undefined : textOf(join(directory, ignoreFileOf(dockerfile)))
  return own ?? textOf(join(directory, '.dockerignore')) ?? ''
}

/** What is not ignored of a directory. */
export function contextFiles(directory: string, ignore: IgnoreMatcher): Generator<TarSource> {
  const skips = (path: string, isDirectory: boolean): boolean =>
    ignore.ignores(path) && !(isDirectory && ignore.exceptions && ignore.mayHoldWanted(path))
  return pack(directory, '', skips)
}

/** How many files go into one piece of the list. */
const BATCH = 500

function* entryLines(head: object, files: Iterable<TarSource>): Generator<string> {
  let lines = [`${JSON.stringify(head)}\n`]
  for (const { entry } of files) {
    lines.push(`${JSON.stringify(entry)}\n`)
    if (lines.length === BATCH) {
      yield lines.join('')
      lines = []
    }
  }
  yield lines.join('')
}

/** `sizes`: of the files, by path. */
function* noting(files: Iterable<TarSource>, sizes: Map<string, number>): Generator<TarSource> {
  for (const file of files) {
    const { type, path, size } = file.entry
    if (type === 'file') sizes.set(path, size)
    yield file
  }
}

function* only(files: Iterable<TarSource>, wanted: ReadonlySet<string>): Generator<TarSource> {
  for (const file of files) if (wanted.has(file.entry.path)) yield file
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR')) return undefined
    throw commandError(`cannot read ${file}: ${messageOf(error)}`, error)
  }
}
