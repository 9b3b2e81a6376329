import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, relative, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import type { ContextExtra } from '#api/build-extras.ts'
import { messageOf } from '#base/errors.ts'
import { ignoreFileOf } from '#build/dockerfile/ignore.ts'
import { commandError } from '../errors.ts'
import { cut } from '../flags.ts'
import type { Io } from '../io.ts'

/** Where the files of a build come from, as the command line names it. */
export type BuildContext =
  | { readonly type: 'stdin' }
  /** Absolute, without symlinks. */
  | { readonly type: 'directory'; readonly path: string }
  | { readonly type: 'remote'; readonly url: string }

/** Addresses that the engine fetches: http(s), git and ssh, the scp form of git, and github.com without a scheme. */
const REMOTE = /^(?:https?|git|ssh|git\+https?|git\+ssh):\/\/|^[\w.-]+@[\w.-]+:|^github\.com\/./

export function parseContext(argument: string, { cwd }: Pick<Io, 'cwd'>): BuildContext {
  if (argument === '-') return { type: 'stdin' }
  const path = resolve(cwd, argument)
  if (isDirectory(path)) return { type: 'directory', path: realpathSync(path) }
  if (REMOTE.test(argument)) return { type: 'remote', url: argument }
  const why = existsSync(path) ? 'is not a directory' : 'not found'
  throw commandError(
    `unable to prepare context: path ${JSON.stringify(argument)} ${why}; name a directory, an address or -`,
  )
}

/** `name=value` of `--build-context`; a directory is for the caller to make known to the engine. */
export function parseNamedContext(
  given: string,
  { cwd }: Pick<Io, 'cwd'>,
): { readonly name: string; readonly context: ContextExtra } {
  const [name, value = ''] = cut(given, '=')
  if (name === '' || value === '') {
    throw commandError(`invalid context value: ${given}, expected key=value`)
  }
  if (value.startsWith('docker-image://')) {
    return { name, context: { type: 'image', reference: value.slice('docker-image://'.length) } }
  }
  if (value.startsWith('oci-layout://')) {
    const context = layout(value.slice('oci-layout://'.length), cwd)
    if (isDirectory(context.path)) return { name, context }
    throw commandError(`context ${name}: there is no OCI layout ${context.path}`)
  }
  const path = resolve(cwd, value)
  if (isDirectory(path)) return { name, context: { type: 'directory', path: realpathSync(path) } }
  if (REMOTE.test(value)) return { name, context: { type: 'remote', url: value } }
  throw commandError(
    `context ${name}: ${value} is neither a directory nor an address; write docker-image://NAME for an image`,
  )
}

/** `path[:tag][@digest]` */
function layout(text: string, cwd: string): ContextExtra & { readonly path: string } {
  const [place, digest] = cut(text, '@')
  const tagged = /^(.*):([^/:]+)$/.exec(place)
  const path = resolve(cwd, tagged?.[1] ?? place)
  const reference = digest ?? tagged?.[2]
  return { type: 'oci-layout', path, ...(reference === undefined ? {} : { reference }) }
}

/** A Dockerfile in the context, or one that is not, as text. */
export type DockerfileChoice =
  | { readonly path: string | undefined }
  | { readonly text: string; readonly name: string; readonly ignore?: string | undefined }

/** What `--file` names: for a directory a path as the caller sees it, otherwise a path in the context. */
export async function chooseDockerfile(
  file: string,
  context: BuildContext,
  io: Io,
): Promise<DockerfileChoice> {
  if (file === '') return { path: undefined }
  if (file === '-') {
    if (context.type === 'stdin') {
      throw commandError("invalid argument: can't use stdin for both build context and dockerfile")
    }
    return { text: await text(io.stdin), name: 'Dockerfile' }
  }
  if (/^https?:\/\//.test(file))
    return { text: await fetched(file), name: basename(new URL(file).pathname) || 'Dockerfile' }
  if (context.type !== 'directory') return { path: file }
  const path = resolve(io.cwd, file)
  const inside = relative(context.path, realPlace(path))
  if (!/^(?:\.\.)?(?:\/|$)/.test(inside)) return { path: inside }
  const ignore = ignoreFileOf(path)
  return {
    text: readText(path, file, nearby(context.path, file)),
    name: basename(path),
    ...(existsSync(ignore) ? { ignore: readText(ignore, ignoreFileOf(file)) } : {}),
  }
}

/** The Dockerfile as the client sees it, for messages; undefined when it cannot. */
export function knownDockerfile(
  context: BuildContext,
  choice: DockerfileChoice,
): { readonly name: string; readonly text: string } | undefined {
  if ('text' in choice) return choice
  if (context.type !== 'directory') return undefined
  const name = choice.path ?? defaultDockerfile(context.path)
  const path = resolve(context.path, name)
  return existsSync(path) ? { name, text: readText(path, name) } : undefined
}

/** The path of the Dockerfile of a directory, as `docker build` finds it. */
export function defaultDockerfile(directory: string): string {
  const found = ['Dockerfile', 'dockerfile'].find((name) => existsSync(resolve(directory, name)))
  return found ?? 'Dockerfile'
}

/** Symlinks on the way are followed, but not one that the file itself is. */
function realPlace(path: string): string {
  const directory = dirname(path)
  return existsSync(directory) ? resolve(realpathSync(directory), basename(path)) : path
}

async function fetched(url: string): Promise<string> {
  const response = await fetch(url)
  if (!response.ok)
    throw commandError(`failed to fetch the Dockerfile ${url}: ${response.status} ${response.statusText}`)
  return response.text()
}

function readText(path: string, given: string, hint = ''): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const what = `unable to evaluate symlinks in Dockerfile path ${given}`
    throw commandError(`unable to prepare context: ${what}: ${messageOf(error)}${hint}`, error)
  }
}

/** People expect the path to begin in the context. */
function nearby(directory: string, file: string): string {
  return existsSync(resolve(directory, file))
    ? `\nThe path of --file begins where you are, not in the context: there is a ${file} in ${directory}.`
    : ''
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
