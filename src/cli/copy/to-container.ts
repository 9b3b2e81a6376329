import { lstatSync, realpathSync, statSync } from 'node:fs'
import { Readable } from 'node:stream'
import { messageOf } from '#base/errors.ts'
import { writeTar, type TarSource } from '#oci/tar/write-tar.ts'
import type { Context } from '../command.ts'
import { commandError } from '../errors.ts'
import { pack } from './pack.ts'
import { assertsDirectory, planCopy, splitPath, type Source } from './paths.ts'
import { absolute, insideDestination, type CopyOptions, type Inside } from './to-host.ts'

/** Copies a path here into a container; returns the bytes of the files. */
export async function copyToContainer(
  from: string,
  to: Inside,
  options: CopyOptions,
  context: Context,
): Promise<number> {
  const { source, real } = localSource(absolute(from, context.io.cwd), options.followLink)
  const plan = planCopy(source, await insideDestination(to, context))
  const { base } = splitPath(source.path)
  const top = plan.to === '.' ? base : plan.to
  const name = top === '.' || top === '/' ? '' : top
  const counter = { bytes: 0 }
  const tar = Readable.from(writeTar(counted(pack(real, name), counter)), { objectMode: false })
  await put(to.container, plan.directory, tar, options, context)
  return counter.bytes
}

/** Unpacks an archive from stdin in a directory of a container. */
export async function streamToContainer(to: Inside, options: CopyOptions, context: Context): Promise<void> {
  const destination = await insideDestination(to, context)
  if (!destination.isDirectory) {
    throw commandError(`destination "${to.container}:${to.path}" must be a directory`)
  }
  await put(to.container, destination.path, context.io.stdin, options, context)
}

async function put(
  container: string,
  path: string,
  tar: Readable,
  options: CopyOptions,
  context: Context,
): Promise<void> {
  await context.client.containerFiles.put(container, path, tar, {
    noOverwriteDirNonDir: true,
    copyUIDGID: options.archive,
    signal: context.signal,
  })
}

function localSource(path: string, follow: boolean): { readonly source: Source; readonly real: string } {
  try {
    // A trailing slash makes the kernel follow the link as well.
    const followed = follow || assertsDirectory(path)
    const isDirectory = (followed ? statSync(path) : lstatSync(path)).isDirectory()
    if (assertsDirectory(path) && !isDirectory) throw new Error('not a directory')
    return { source: { path, isDirectory }, real: followed ? realpathSync(path) : path }
  } catch (error) {
    throw commandError(`cannot copy ${path}: ${messageOf(error)}`, error)
  }
}

function* counted(files: Iterable<TarSource>, counter: { bytes: number }): Generator<TarSource> {
  for (const file of files) {
    counter.bytes += file.entry.size
    yield file
  }
}
