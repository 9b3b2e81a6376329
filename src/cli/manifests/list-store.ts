import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno, messageOf } from '#base/errors.ts'
import { formatReference, type Reference } from '#oci/reference.ts'
import type { ClientConfig } from '../client-config.ts'
import { commandError } from '../errors.ts'
import { decodeListedImage, encodeListedImage, type ListedImage } from './listed-image.ts'

/** A name that is too long for a file cannot be there either. */
const absent = ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'] as const

/**
 * Lists that have not been pushed yet, where Docker keeps them: a directory for each below `manifests` of the configuration, in
 * it a file for each image. A new list appears as a whole, and so does a file. Names of work in progress begin with a dot,
 * which no list's name does.
 */
export class ListStore {
  readonly #directory: string

  constructor(config: ClientConfig) {
    this.#directory = join(config.directory, 'manifests')
  }

  /** The images of a list, in the order in which they are pushed; undefined: there is no such list. */
  async images(list: Reference): Promise<ListedImage[] | undefined> {
    const names = await filesOf(this.#path(list))
    if (names === undefined) return undefined
    const read = names.toSorted().map((name) => this.#read(list, name))
    return (await Promise.all(read)).filter((image) => image !== undefined)
  }

  async image(list: Reference, image: Reference): Promise<ListedImage | undefined> {
    const reference = formatReference(image)
    const found = await this.#read(list, fileName(reference))
    return found?.reference === reference ? found : undefined
  }

  /** False when there is such a list already. */
  async create(list: Reference, images: readonly ListedImage[]): Promise<boolean> {
    const path = this.#path(list)
    const files = new Map<string, ListedImage>()
    for (const image of images) {
      const name = fileName(image.reference)
      checkSame(files.get(name), image)
      files.set(name, image)
    }
    try {
      await using undo = new AsyncDisposableStack()
      const partial = this.#partial()
      await mkdir(partial, { recursive: true })
      undo.defer(() => rm(partial, { recursive: true, force: true }))
      for (const [name, image] of files) await write(join(partial, name), image)
      await rename(partial, path)
      undo.move()
      return true
    } catch (error) {
      if (isErrno(error, 'ENOTEMPTY', 'EEXIST')) return false
      throw this.#failure(list, error)
    }
  }

  /** Puts an image into a list that is there, in place of one of the same reference. */
  async put(list: Reference, image: ListedImage): Promise<void> {
    const name = fileName(image.reference)
    checkSame(await this.#read(list, name), image)
    try {
      await using undo = new AsyncDisposableStack()
      const partial = this.#partial()
      undo.defer(() => rm(partial, { force: true }))
      await write(partial, image)
      await rename(partial, join(this.#path(list), name))
      undo.move()
    } catch (error) {
      throw this.#failure(list, error)
    }
  }

  /** False when there is none. */
  async remove(list: Reference): Promise<boolean> {
    const removed = this.#partial()
    try {
      await rename(this.#path(list), removed)
    } catch (error) {
      if (isErrno(error, ...absent)) return false
      throw this.#failure(list, error)
    }
    await rm(removed, { recursive: true, force: true })
    return true
  }

  #path(list: Reference): string {
    return join(this.#directory, fileName(formatReference(list)))
  }

  #partial(): string {
    return join(this.#directory, `.${randomBytes(8).toString('hex')}`)
  }

  async #read(list: Reference, name: string): Promise<ListedImage | undefined> {
    const file = join(this.#path(list), name)
    let text
    try {
      text = await readFile(file, 'utf8')
    } catch (error) {
      // The list, or the image in it, was removed meanwhile.
      if (isErrno(error, ...absent)) return undefined
      throw this.#failure(list, error)
    }
    const image = decodeListedImage(text)
    if (image !== undefined) return image
    throw commandError(
      `${file} holds no image of a manifest list, or a damaged one; remove the list with ` +
        `'berth manifest rm ${formatReference(list)}' and create it again`,
    )
  }

  #failure(list: Reference, error: unknown): Error {
    const name = formatReference(list)
    if (isErrno(error, 'ENOENT')) return commandError(`manifest list ${name} was removed meanwhile`, error)
    return commandError(`cannot keep manifest list ${name}: ${messageOf(error)}`, error)
  }
}

/** Docker's. The grammar of references leaves nothing that leads out of the directory; that is checked all the same. */
function fileName(reference: string): string {
  const name = reference.replaceAll(':', '-').replaceAll('/', '_')
  if (/^[A-Za-z0-9[][A-Za-z0-9._@[\]-]*$/.test(name)) return name
  throw commandError(`${JSON.stringify(reference)} cannot be the name of a file`)
}

/** `a/b` and `a_b` have one file name. */
function checkSame(there: ListedImage | undefined, { reference }: ListedImage): void {
  if (there === undefined || there.reference === reference) return
  throw commandError(
    `${reference} and ${there.reference} cannot both be listed: they have the same file name`,
  )
}

async function filesOf(directory: string): Promise<string[] | undefined> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (isErrno(error, ...absent)) return undefined
    throw error
  }
}

async function write(file: string, image: ListedImage): Promise<void> {
  await using handle = await open(file, 'wx')
  await handle.writeFile(encodeListedImage(image))
  await handle.sync()
}
