import { chown, mkdir, open, readFile, readlink, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { EngineError, isErrno, messageOf, jsonProblemOf } from '#base/errors.ts'
import { commandError } from '../errors.ts'

/** A JSON object with keys of whoever wrote it. */
export type Document = Record<string, unknown>

const MAX_LINKS = 40

/**
 * Changes the client configuration `config.json` in `directory`: read anew, changed by `change`, and put in place as a
 * whole, readable by its owner alone. What `change` leaves alone stays as it is, in its order; a symlink stays one, and
 * the file it leads to is replaced. A file that cannot be understood is left alone: that is an error.
 */
export async function updateConfig(directory: string, change: (document: Document) => void): Promise<void> {
  const named = join(directory, 'config.json')
  try {
    const file = await destinationOf(named)
    const document = await readDocument(file)
    change(document)
    await replace(file, `${JSON.stringify(document, undefined, '\t')}\n`)
  } catch (error) {
    if (error instanceof EngineError) throw error
    throw commandError(`cannot write ${named}: ${messageOf(error)}`, error)
  }
}

/** Where symlinks lead to in the end; that file need not exist. */
async function destinationOf(file: string): Promise<string> {
  let path = file
  for (let links = 0; links < MAX_LINKS; links += 1) {
    try {
      path = resolve(dirname(path), await readlink(path))
    } catch (error) {
      if (isErrno(error, 'EINVAL', 'ENOENT')) return path
      throw error
    }
  }
  throw commandError(`cannot write ${file}: too many symlinks`)
}

async function readDocument(file: string): Promise<Document> {
  let text
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return {}
    throw error
  }
  if (text.trim() === '') return {}
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Document
  } catch (error) {
    throw commandError(`cannot read ${file}: ${jsonProblemOf(error)}; correct or remove the file`)
  }
  throw commandError(`cannot read ${file}: it holds no JSON object; correct or remove the file`)
}

async function replace(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const { randomBytes } = await import('node:crypto')
  const partial = `${file}.${randomBytes(6).toString('hex')}`
  try {
    {
      await using handle = await open(partial, 'wx', 0o600)
      await handle.writeFile(text)
      await handle.sync()
    }
    await keepOwner(file, partial)
    await rename(partial, file)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}

/** Under sudo the configuration may be that of somebody else, and has to stay readable to them. */
async function keepOwner(file: string, partial: string): Promise<void> {
  if (process.getuid?.() !== 0) return
  try {
    const { uid, gid } = await stat(file)
    await chown(partial, uid, gid)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}
