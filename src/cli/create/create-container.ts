import { open, rm, type FileHandle } from 'node:fs/promises'
import { isErrno, isKind, messageOf } from '#base/errors.ts'
import type { ContainerCreateBody } from '#client/containers.ts'
import { formatFamiliar, parseAnyReference, withDefaultTag } from '#oci/reference.ts'
import type { Context } from '../command.ts'
import { commandError } from '../errors.ts'
import { pullImage } from '../pull.ts'
import { putCredentials, withApiSocket } from './api-socket.ts'
import type { CreateFlags } from './flags.ts'

/** Creates a container, fetching its image first when that is missing; returns the id. */
export async function createContainer(
  wanted: ContainerCreateBody,
  flags: CreateFlags,
  context: Context,
): Promise<string> {
  const { client, io } = context
  const { cidfile, pull, quiet } = flags
  await using idFile = cidfile === '' ? undefined : await IdFile.open(cidfile)
  const apiSocket = flags['use-api-socket']
  const body = apiSocket ? withApiSocket(wanted, context) : wanted
  const platform = flags.platform || io.env['DOCKER_DEFAULT_PLATFORM'] || undefined
  const options = { name: flags.name || undefined, platform }
  const image = imageName(body.Image ?? '')
  const fetch = async (): Promise<void> => {
    if (image !== undefined) await pullImage(image, { platform, quiet, to: io.stderr }, context)
  }

  if (pull === 'always') await fetch()
  const created = await createOrFetch()
  for (const warning of created.Warnings ?? []) io.stderr.write(`WARNING: ${warning}\n`)
  const id = created.Id ?? ''
  if (apiSocket) await putCredentials(id, context)
  await idFile?.write(id)
  return id

  async function createOrFetch(): ReturnType<typeof client.containers.create> {
    try {
      return await client.containers.create(body, options)
    } catch (error) {
      // Not found is the image, also when it is here for another platform.
      if (!isKind(error, 'not_found') || image === undefined || pull === 'always') throw error
      if (pull === 'never') {
        throw commandError(
          `No such image: ${image} is not here, and with --pull never it is not fetched; 'berth pull ${image}' gets it`,
          error,
        )
      }
      if (!quiet) io.stderr.write(`Unable to find image '${image}' locally\n`)
      await fetch()
      return client.containers.create(body, options)
    }
  }
}

/** The name to fetch; undefined when it is an id, which no registry knows. */
function imageName(text: string): string | undefined {
  const parsed = parseAnyReference(text)
  return parsed.kind === 'id' ? undefined : formatFamiliar(withDefaultTag(parsed.reference))
}

/** The file that takes the id. It is there before the container, which must not be made when its id cannot be kept. */
class IdFile implements AsyncDisposable {
  readonly #file: FileHandle
  readonly #path: string
  #written = false

  private constructor(file: FileHandle, path: string) {
    this.#file = file
    this.#path = path
  }

  static async open(path: string): Promise<IdFile> {
    try {
      return new IdFile(await open(path, 'wx'), path)
    } catch (error) {
      throw commandError(
        isErrno(error, 'EEXIST')
          ? `container ID file found, make sure the other container isn't running or delete ${path}`
          : `failed to create the container ID file: ${messageOf(error)}`,
        error,
      )
    }
  }

  async write(id: string): Promise<void> {
    await this.#file.writeFile(id)
    this.#written = true
  }

  /** One that was not written is not left behind. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
    if (!this.#written) await rm(this.#path, { force: true })
  }
}
