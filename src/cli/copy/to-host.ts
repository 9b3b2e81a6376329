import { lstatSync, readlinkSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { isDirectory, isSymlink } from '#client/container-files.ts'
import type { Readable } from 'node:stream'
import { isKind } from '#base/errors.ts'
import type { Context } from '../command.ts'
import { commandError } from '../errors.ts'
import {
  assertsDirectory,
  followLink,
  planCopy,
  splitPath,
  type Destination,
  type Plan,
  type Source,
} from './paths.ts'
import { unpack } from './unpack.ts'

/** A path in a container. */
export interface Inside {
  readonly container: string
  readonly path: string
}

export interface CopyOptions {
  readonly archive: boolean
  readonly followLink: boolean
}

/** Opens what is to be copied out of a container; with `followLink`, a symlink stands for what it leads to. */
export async function openInside(
  { container, path }: Inside,
  options: CopyOptions,
  { client, signal }: Context,
): Promise<{ readonly source: Source; readonly tar: Readable }> {
  const { path: real, name } = options.followLink ? await resolved() : { path, name: undefined }
  const { stat, tar } = await client.containerFiles.get(container, real, { signal })
  const source = { path: real, isDirectory: isDirectory(stat), name }
  if (assertsDirectory(path) && !source.isDirectory) {
    tar.destroy()
    throw commandError(`${path} in ${container} is not a directory; leave the / at its end out`)
  }
  return { source, tar }

  async function resolved(): Promise<{ path: string; name: string | undefined }> {
    const stat = await client.containerFiles.stat(container, path)
    if (!isSymlink(stat) || stat.linkTarget === '') return { path, name: undefined }
    const target = followLink(path, stat.linkTarget)
    const { base } = splitPath(path)
    return { path: target, name: base === splitPath(target).base ? undefined : base }
  }
}

/** Copies out of a container to a path here; returns the bytes of the files. */
export async function copyToHost(
  from: Inside,
  to: string,
  options: CopyOptions,
  context: Context,
): Promise<number> {
  const target = absolute(to, context.io.cwd)
  const { source, tar } = await openInside(from, options, context)
  let plan: Plan
  try {
    plan = planCopy(source, localDestination(target))
    if (statSync(plan.directory, { throwIfNoEntry: false })?.isDirectory() !== true) {
      throw commandError(`invalid output path: directory "${plan.directory}" does not exist; create it first`)
    }
  } catch (error) {
    tar.destroy()
    throw error
  }
  const { bytes } = await unpack(tar, plan, {
    owners: options.archive && context.io.uid === 0,
    skipped: (name, why) => context.err(`berth: ${name} was not copied: ${why}\n`),
  })
  return bytes
}

/** Links in a row that the kernel follows. path_resolution(7) */
const MAX_LINKS = 40

/** What is at a path here; a symlink that the person named leads to where it points, also where nothing is yet. */
function localDestination(path: string): Destination {
  let real = path
  for (let links = 0; links < MAX_LINKS; links++) {
    const found = lstatSync(real, { throwIfNoEntry: false })
    if (found === undefined) return { path: real, exists: false, isDirectory: false }
    if (!found.isSymbolicLink()) return { path: real, exists: true, isDirectory: found.isDirectory() }
    real = followLink(real, readlinkSync(real))
  }
  throw commandError(`${path} leads through too many symbolic links`)
}

/** Made absolute, with a trailing `/` or `/.` kept: it has a meaning. */
export function absolute(path: string, cwd: string): string {
  const plain = resolve(cwd, path)
  if (path === '.' || path.endsWith('/.')) return `${plain}/.`
  return path.endsWith('/') && plain !== '/' ? `${plain}/` : plain
}

/** Where a path in a container leads as a destination; one that does not exist may be created. */
export async function insideDestination(
  { container, path }: Inside,
  { client }: Context,
): Promise<Destination> {
  const stat = async (at: string): ReturnType<typeof client.containerFiles.stat> =>
    client.containerFiles.stat(container, at)
  let real = path
  try {
    let found = await stat(path)
    if (isSymlink(found)) {
      real = followLink(path, found.linkTarget)
      found = await stat(real)
    }
    return { path: real, exists: true, isDirectory: isDirectory(found) }
  } catch (error) {
    if (!isKind(error, 'not_found') || /no such container/i.test(String(error))) throw error
    // What a link leads to is made, not the link replaced.
    return { path: real, exists: false, isDirectory: false }
  }
}
