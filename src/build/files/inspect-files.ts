import { createHash } from 'node:crypto'
import { type Digest, digestFrom, digestOf } from '#base/digest.ts'
import type { CopyStep } from '../graph/operations.ts'
import type { CopyInputs } from '../solve/ports.ts'
import type { SourceFile } from '../sources/file-source.ts'
import { Turns } from '../sources/turns.ts'
import type { Taken } from './take-files.ts'

type FilesOf = Extract<CopyStep['sources'][number], { type: 'files' }>

/**
 * What a step takes, in the order of its sources; times are left out. Documents are no part of it: the step has them. Of an
 * archive that is unpacked its bytes are what counts.
 */
export async function inspectFiles(
  { sources }: Pick<CopyStep, 'sources'>,
  take: (source: FilesOf) => AsyncIterable<Taken>,
  signal: AbortSignal,
): Promise<CopyInputs> {
  const hash = createHash('sha256')
  const files: { path: string; digest: Digest }[] = []
  const turns = new Turns()
  const add = async (file: SourceFile, path: string, from: string): Promise<void> => {
    await turns.next()
    const digest = digestOf(await lineOf(file, from))
    hash.update(`${JSON.stringify(path)} ${digest}\n`)
    files.push({ path: from, digest })
  }
  for (const [number, source] of sources.entries()) {
    if (source.type !== 'files') continue
    hash.update(`source ${number}\n`)
    for await (const taken of take(source)) {
      signal.throwIfAborted()
      hash.update(`${taken.kind}\n`)
      if (taken.kind === 'file') await add(taken.file, taken.name, taken.file.attributes.path)
      else for await (const { file, path, from } of taken.files()) await add(file, path, from)
    }
  }
  files.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
  return { digest: digestFrom(hash), files }
}

/** All that a layer has of the file, but its time. `from` is another path than its own for a further name of it. */
async function lineOf(file: SourceFile, from: string): Promise<string> {
  const { path, type, mode, uid, gid, link, major, minor, xattrs } = file.attributes
  const attributes = [...(xattrs ?? [])]
    .map(([name, value]) => [name, Buffer.from(value).toString('base64')] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([
    type,
    mode,
    uid,
    gid,
    type === 'file' ? await file.digest() : null,
    link ?? null,
    major ?? null,
    minor ?? null,
    attributes,
    path === from ? null : path,
  ])
}
