/** Who may knock where: addresses, certificates, the group of the socket. Flags and keys as dockerd's. */
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import { EngineError, messageOf } from '#base/errors.ts'

export interface DoorSettings {
  readonly hosts: readonly string[]
  /** Addresses where only what changes nothing is served, without the values of variables. */
  readonly readOnlyHosts: readonly string[]
  /** Of the unix sockets; a name or a number. */
  readonly group: string
  /** Files for mutual TLS on every TCP address; undefined: plain TCP, on loopback alone. */
  readonly tls: TlsFiles | undefined
}

/** PEM. */
export interface TlsFiles {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

export const doorOptions = {
  host: { type: 'string', short: 'H', multiple: true },
  'read-only-host': { type: 'string', multiple: true },
  group: { type: 'string', short: 'G' },
  tls: { type: 'boolean' },
  tlsverify: { type: 'boolean' },
  tlscacert: { type: 'string' },
  tlscert: { type: 'string' },
  tlskey: { type: 'string' },
} as const

/** Keys of the file; those of lists have plural names there. */
const fileKeys: readonly string[] = [
  'hosts',
  'read-only-hosts',
  'group',
  'tls',
  'tlsverify',
  'tlscacert',
  'tlscert',
  'tlskey',
]

/** The keys of a configuration file that are ours, and all others. */
export function splitDoorKeys(document: Document): readonly [Document, Record<string, unknown>] {
  const entries = Object.entries(document)
  return [
    Object.fromEntries(entries.filter(([key]) => fileKeys.includes(key))),
    Object.fromEntries(entries.filter(([key]) => !fileKeys.includes(key))),
  ]
}

type Document = Readonly<Record<string, unknown>>

const DEFAULT_HOST = 'unix:///run/berth/berth.sock'
const DIRECTORY = '/etc/berth'

/** Flags over file over defaults; lists have plural names in the file. `invalid_argument` names the key. */
export function doorSettings(flags: Document, file: Document): DoorSettings {
  const hosts = addresses('hosts', flags['host'] ?? file['hosts'])
  return {
    hosts: hosts.length === 0 ? [DEFAULT_HOST] : hosts,
    readOnlyHosts: addresses('read-only-hosts', flags['read-only-host'] ?? file['read-only-hosts']),
    group: text('group', flags['group'] ?? file['group']) ?? 'docker',
    tls: tlsFiles({ ...file, ...flags }),
  }
}

/** Without `tlsverify` everybody would be let in who trusts our certificate: TLS always asks for one. */
function tlsFiles(values: Document): TlsFiles | undefined {
  const [tls, verify] = [truth('tls', values['tls']), truth('tlsverify', values['tlsverify'])]
  const [ca, cert, key] = ['tlscacert', 'tlscert', 'tlskey'].map((name) => text(name, values[name]))
  if (verify === false || (tls === true && verify === undefined && ca === undefined)) {
    throw invalid(
      'TLS is served to holders of a certificate alone: set tlsverify, and tlscacert to the authority that signs theirs',
    )
  }
  if (tls === undefined && verify === undefined && [ca, cert, key].every((one) => one === undefined)) {
    return undefined
  }
  return {
    ca: resolve(ca ?? `${DIRECTORY}/ca.pem`),
    cert: resolve(cert ?? `${DIRECTORY}/cert.pem`),
    key: resolve(key ?? `${DIRECTORY}/key.pem`),
  }
}

/** Reads them as they are now. @throws EngineError invalid_argument that names the file */
export function readTlsFiles({ ca, cert, key }: TlsFiles): { ca: Buffer; cert: Buffer; key: Buffer } {
  const mode = fileMode(key)
  if ((mode & 0o077) !== 0) {
    throw invalid(
      `tlskey ${key} may be read by others (mode ${(mode & 0o777).toString(8)}): chmod 600 ${key}`,
    )
  }
  const read = { ca: readPem('tlscacert', ca), cert: readPem('tlscert', cert), key: readPem('tlskey', key) }
  try {
    if (!new X509Certificate(read.cert).checkPrivateKey(createPrivateKey(read.key))) {
      throw invalid(`tlskey ${key} does not belong to tlscert ${cert}`)
    }
    createSecureContext(read)
  } catch (error) {
    if (error instanceof EngineError) throw error
    throw invalid(`cannot use tlscert ${cert} with tlskey ${key}: ${messageOf(error)}`, error)
  }
  return read
}

function fileMode(path: string): number {
  try {
    return statSync(path).mode
  } catch (error) {
    throw invalid(`cannot read tlskey ${path}: ${messageOf(error)}`, error)
  }
}

function readPem(name: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw invalid(`cannot read ${name} ${path}: ${messageOf(error)}`, error)
  }
}

function addresses(key: string, value: unknown): readonly string[] {
  if (value === undefined) return []
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value
  throw invalid(`"${key}" must be a list of addresses`)
}

function text(key: string, value: unknown): string | undefined {
  if (value === undefined || value === '') return undefined
  if (typeof value === 'string') return value
  throw invalid(`"${key}" must be a string`)
}

function truth(key: string, value: unknown): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value
  throw invalid(`"${key}" must be a boolean`)
}

function invalid(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'CONFIG_INVALID', cause })
}
