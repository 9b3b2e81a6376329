import { posix } from 'node:path'
import { EngineError } from '#base/errors.ts'
import { cleanPath, ignoreFileOf } from '../dockerfile/ignore.ts'
import { nearest } from '#base/nearest.ts'
import type { FileSource } from './file-source.ts'

export interface FoundIgnore {
  /** Path in the context. */
  readonly file: string
  readonly text: string
}

export interface FoundDockerfile {
  /** Path in the context. */
  readonly name: string
  readonly text: string
}

const DEFAULT = 'Dockerfile'
/** Bytes; the same for ignore files. */
const LARGEST = 4 << 20

/**
 * The Dockerfile of a context, whether an ignore file names it or not. Without a path it is `Dockerfile`, or `dockerfile`
 * where that is missing. `not_found` in BuildKit's words.
 */
export async function findDockerfile(
  source: FileSource,
  path?: string,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<FoundDockerfile> {
  const name = insideContext(path === undefined || path === '' ? DEFAULT : path)
  const text = await readText(source, name, options.signal)
  if (text !== undefined) return { name, text }
  if (name === DEFAULT) {
    const lower = await readText(source, 'dockerfile', options.signal)
    if (lower !== undefined) return { name: 'dockerfile', text: lower }
  }
  throw await missing(source, name)
}

/**
 * What the ignore file says that applies to the context: the one of the Dockerfile before the one of the context. Undefined
 * without either. `dockerfile` is a path in the context; undefined when it comes from elsewhere.
 */
export async function findIgnore(
  source: FileSource,
  dockerfile?: string,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<FoundIgnore | undefined> {
  const names = dockerfile === undefined ? [] : [ignoreFileOf(dockerfile)]
  for (const file of [...names, '.dockerignore']) {
    const text = await readText(source, file, options.signal)
    if (text !== undefined) return { file, text }
  }
  return undefined
}

function insideContext(path: string): string {
  const name = cleanPath(path).replace(/^\/+/, '')
  if (name !== '..' && !name.startsWith('../') && name !== '.') return name
  throw new EngineError('invalid_argument', `the Dockerfile (${path}) must be within the build context`, {
    code: 'DOCKERFILE_OUTSIDE',
    details: { path },
  })
}

/** Undefined when there is no such file. */
async function readText(
  source: FileSource,
  path: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const file = await source.find(path)
  if (file === undefined) return undefined
  const { type, size } = file.attributes
  if (type !== 'file') throw unreadable(path, type === 'directory' ? 'is a directory' : 'is no regular file')
  if (size > LARGEST) throw unreadable(path, `has ${size} bytes; at most ${LARGEST} are read`)
  const chunks: Uint8Array[] = []
  for await (const chunk of file.read()) {
    signal?.throwIfAborted()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function missing(source: FileSource, name: string): Promise<EngineError> {
  const directory = posix.dirname(name)
  const names = await namesIn(source, directory === '.' ? '' : directory)
  const near = nearest(posix.basename(name), names) ?? names.find((other) => /dockerfile/i.test(other))
  const hint =
    near === undefined
      ? `There is no such file in ${source.name}; "-f" names another one.`
      : `Did you mean "-f ${posix.join(directory, near)}"?`
  return new EngineError(
    'not_found',
    `failed to read dockerfile: open ${name}: no such file or directory\n${hint}`,
    { code: 'DOCKERFILE_NOT_FOUND', details: { name } },
  )
}

async function namesIn(source: FileSource, directory: string): Promise<readonly string[]> {
  const names: string[] = []
  for await (const { attributes } of source.walk(directory, { descend: (path) => path === directory })) {
    if (attributes.type === 'file') names.push(posix.basename(attributes.path))
  }
  return names
}

function unreadable(path: string, why: string): EngineError {
  return new EngineError('invalid_argument', `failed to read dockerfile: ${path} ${why}`, {
    code: 'DOCKERFILE_UNREADABLE',
    details: { path },
  })
}
