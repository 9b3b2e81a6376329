/**
 * What is trusted, and shown, per registry: `certs.d/HOST[:PORT]/` with `*.crt` (authorities, PEM) and pairs of
 * `NAME.cert` and `NAME.key` (our own certificate), as Docker lays it out.
 */
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { getCACertificates } from 'node:tls'
import { EngineError, isErrno, messageOf } from '#base/errors.ts'

export interface Certificates {
  /** PEM; in addition to those of the machine. */
  readonly authorities: readonly string[]
  readonly own: readonly { readonly cert: string; readonly key: string }[]
}

const none: Certificates = { authorities: [], own: [] }

/** From the first of `directories` that has one for `host`. */
export async function certificatesOf(directories: readonly string[], host: string): Promise<Certificates> {
  for (const directory of directories) {
    const found = await readDirectory(join(directory, host.toLowerCase()))
    if (found !== undefined) return found
  }
  return none
}

let machine: readonly string[] | undefined

/** The authorities that this machine and Node trust; read once, for it takes milliseconds. */
export function machineAuthorities(): readonly string[] {
  machine ??= [...new Set([...getCACertificates('default'), ...getCACertificates('system')])]
  return machine
}

async function readDirectory(directory: string): Promise<Certificates | undefined> {
  try {
    const names = (await readdir(directory)).toSorted()
    const read = (name: string): Promise<string> => readFile(join(directory, name), 'utf8')
    const certs = names.filter((name) => name.endsWith('.cert'))
    for (const cert of certs) checkPair(directory, cert, names)
    return {
      authorities: await Promise.all(names.filter((name) => name.endsWith('.crt')).map(read)),
      own: await Promise.all(
        certs.map(async (cert) => ({ cert: await read(cert), key: await read(keyOf(cert)) })),
      ),
    }
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    if (error instanceof EngineError) throw error
    throw invalid(`cannot read certificates in ${directory}: ${messageOf(error)}`, error)
  }
}

function checkPair(directory: string, cert: string, names: readonly string[]): void {
  if (names.includes(keyOf(cert))) return
  throw invalid(
    `missing key ${keyOf(cert)} for client certificate ${cert} in ${directory}; CA certificates must use the extension .crt`,
  )
}

function keyOf(cert: string): string {
  return `${cert.slice(0, -'.cert'.length)}.key`
}

function invalid(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'REGISTRY_CERTIFICATES_INVALID', cause })
}
