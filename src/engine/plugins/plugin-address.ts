import { readFile, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { EngineError, isErrno, messageOf } from '#base/errors.ts'

/** Where a plugin listens: a socket of this host, or a server. */
export type PluginAddress =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number; readonly tls?: PluginTls | undefined }

/** Files as a `.json` specification names them. */
export interface PluginTls {
  readonly InsecureSkipVerify?: boolean
  readonly CAFile?: string
  readonly CertFile?: string
  readonly KeyFile?: string
}

export interface PluginDirectories {
  readonly sockets: string
  /** Of `NAME.spec` and `NAME.json`. */
  readonly specifications: readonly string[]
}

/** Docker's places. */
export const dockerPlugins: PluginDirectories = {
  sockets: '/run/docker/plugins',
  specifications: ['/etc/docker/plugins', '/usr/lib/docker/plugins'],
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.:@/-]*$/

/** Names of all plugins that are there, whatever they are. */
export async function pluginNames({ sockets, specifications }: PluginDirectories): Promise<string[]> {
  const found = [
    ...(await namesIn(sockets, /^(.+)\.sock$/)),
    ...(
      await Promise.all(specifications.map((directory) => namesIn(directory, /^(.+)\.(?:spec|json)$/)))
    ).flat(),
  ]
  return [...new Set(found)].toSorted()
}

/** Undefined when there is no such plugin; sockets come before specifications, as in Docker. */
export async function pluginAddress(
  name: string,
  { sockets, specifications }: PluginDirectories,
): Promise<PluginAddress | undefined> {
  if (!NAME.test(name) || name.includes('..')) return undefined
  for (const path of [join(sockets, `${name}.sock`), join(sockets, name, `${name}.sock`)]) {
    if (await isSocket(path)) return { socketPath: path }
  }
  for (const directory of specifications) {
    const spec = await readIfThere(join(directory, `${name}.spec`))
    if (spec !== undefined) return parseAddress(name, spec.trim())
    const json = await readIfThere(join(directory, `${name}.json`))
    if (json !== undefined) return parseSpecification(name, json)
  }
  return undefined
}

function parseSpecification(name: string, text: string): PluginAddress {
  let document: { readonly Addr?: unknown; readonly TLSConfig?: PluginTls | null }
  try {
    document = JSON.parse(text) as typeof document
  } catch (error) {
    throw invalid(name, messageOf(error))
  }
  return parseAddress(
    name,
    typeof document.Addr === 'string' ? document.Addr : '',
    document.TLSConfig ?? undefined,
  )
}

/** `unix:///path`, `tcp://host:port`, `http://…`, `https://…`. */
function parseAddress(name: string, text: string, tls?: PluginTls): PluginAddress {
  if (text.startsWith('unix://')) return { socketPath: text.slice('unix://'.length) }
  const url = URL.parse(text.replace(/^tcp:/, 'http:'))
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.port === '') {
    throw invalid(name, `its address ${JSON.stringify(text)} is neither unix:///PATH nor tcp://HOST:PORT`)
  }
  const secure = tls ?? (url.protocol === 'https:' ? {} : undefined)
  return { host: url.hostname, port: Number(url.port), tls: secure }
}

async function namesIn(directory: string, pattern: RegExp): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true })
    const named = entries.flatMap(({ name }) => pattern.exec(name)?.[1] ?? [])
    const nested = await Promise.all(
      entries.map(async (entry) =>
        entry.isDirectory() && (await isSocket(join(directory, entry.name, `${entry.name}.sock`)))
          ? [entry.name]
          : [],
      ),
    )
    return [...named, ...nested.flat()]
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return []
    throw error
  }
}

async function isSocket(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isSocket()
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return false
    throw error
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined
    throw error
  }
}

function invalid(name: string, why: string): EngineError {
  return new EngineError('unavailable', `the specification of plugin "${name}" is invalid: ${why}`, {
    code: 'PLUGIN_SPEC_INVALID',
    details: { name },
  })
}
