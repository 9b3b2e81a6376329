/** What containers get that do not say: flags and keys as dockerd's. Read again on SIGHUP. */
import { parseByteSize } from '#base/byte-size.ts'
import { EngineError } from '#base/errors.ts'
import type { ContainerSettings } from '#engine/containers/config/defaults.ts'

export const containerOptions = {
  'log-driver': { type: 'string' },
  'log-opt': { type: 'string', multiple: true },
  init: { type: 'boolean' },
  'default-shm-size': { type: 'string' },
  'default-ipc-mode': { type: 'string' },
  'default-cgroupns-mode': { type: 'string' },
  'default-ulimit': { type: 'string', multiple: true },
  'default-stop-timeout': { type: 'string' },
  'no-new-privileges': { type: 'boolean' },
  dns: { type: 'string', multiple: true },
  'dns-opt': { type: 'string', multiple: true },
  'dns-search': { type: 'string', multiple: true },
} as const

const MEBIBYTE = 1024 * 1024
const ROTATION = { 'max-size': String(20 * MEBIBYTE), 'max-file': '5' } as const
const STOP_TIMEOUT = 10

/** Keys of the file; those of lists and maps have plural names there. */
const fileKeys: readonly string[] = [
  'log-driver',
  'log-opts',
  'init',
  'default-shm-size',
  'default-ipc-mode',
  'default-cgroupns-mode',
  'default-ulimits',
  'default-stop-timeout',
  'no-new-privileges',
  'dns',
  'dns-opts',
  'dns-search',
]

type Document = Readonly<Record<string, unknown>>

/** The keys of a configuration file that are ours, and all others. */
export function splitContainerKeys(document: Document): readonly [Document, Record<string, unknown>] {
  const entries = Object.entries(document)
  return [
    Object.fromEntries(entries.filter(([key]) => fileKeys.includes(key))),
    Object.fromEntries(entries.filter(([key]) => !fileKeys.includes(key))),
  ]
}

/** Flags over file over defaults. `invalid_argument` names the key. */
export function containerSettings(flags: Document, file: Document): ContainerSettings {
  const value = (key: string): unknown => flags[key] ?? file[key]
  const list = (flag: string, key: string): readonly string[] => texts(key, flags[flag] ?? file[key] ?? [])
  return {
    log: {
      driver: text('log-driver', value('log-driver')) || 'json-file',
      options: { ...map('log-opts', file['log-opts']), ...assignments('log-opt', flags['log-opt']) },
      rotation: ROTATION,
    },
    init: truth('init', value('init')),
    shmSize: bytes('default-shm-size', value('default-shm-size')),
    ipcMode: oneOf('default-ipc-mode', value('default-ipc-mode'), ['private', 'shareable']) ?? 'private',
    cgroupnsMode: oneOf('default-cgroupns-mode', value('default-cgroupns-mode'), ['private', 'host']),
    ulimits: ulimits(flags['default-ulimit'], file['default-ulimits']),
    stopTimeout: count('default-stop-timeout', value('default-stop-timeout'), STOP_TIMEOUT),
    noNewPrivileges: truth('no-new-privileges', value('no-new-privileges')),
    dns: list('dns', 'dns'),
    dnsOptions: list('dns-opt', 'dns-opts'),
    dnsSearch: list('dns-search', 'dns-search'),
  }
}

function text(key: string, value: unknown): string {
  if (value === undefined) return ''
  if (typeof value === 'string') return value
  throw invalid(`"${key}" must be a string`)
}

function truth(key: string, value: unknown): boolean {
  if (value === undefined) return false
  if (typeof value === 'boolean') return value
  throw invalid(`"${key}" must be a boolean`)
}

function texts(key: string, value: unknown): readonly string[] {
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value
  throw invalid(`"${key}" must be a list of strings`)
}

function oneOf<Value extends string>(
  key: string,
  value: unknown,
  known: readonly Value[],
): Value | undefined {
  if (value === undefined || value === '') return undefined
  const found = known.find((one) => one === value)
  if (found !== undefined) return found
  throw invalid(`"${key}": ${JSON.stringify(value)} is none of ${known.join(', ')}`)
}

function count(key: string, value: unknown, otherwise: number): number {
  if (value === undefined) return otherwise
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isInteger(number) && number >= -1) return number
  throw invalid(`"${key}" must be a number of seconds, or -1 for no limit`)
}

function bytes(key: string, value: unknown): number {
  if (value === undefined) return 0
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value
  const size = typeof value === 'string' ? parseByteSize(value) : undefined
  if (size === undefined) throw invalid(`"${key}" must be a size such as 64M`)
  return size
}

function map(key: string, value: unknown): Record<string, string> {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(`"${key}" must be an object of strings`)
  }
  for (const [name, one] of Object.entries(value)) {
    if (typeof one !== 'string') throw invalid(`"${key}": the value of "${name}" must be a string`)
  }
  return value as Record<string, string>
}

/** `name=value`, repeated. */
function assignments(flag: string, value: unknown): Record<string, string> {
  const pairs = texts(flag, value ?? []).map((one) => /^([^=]+)=(.*)$/s.exec(one) ?? [one])
  for (const [given, name] of pairs) {
    if (name === undefined) throw invalid(`--${flag} ${given}: want NAME=VALUE`)
  }
  return Object.fromEntries(pairs.map(([, name, one]) => [name, one])) as Record<string, string>
}

/** `nofile=1024:2048` as a flag; an object of Name, Soft and Hard by name in the file. */
function ulimits(flag: unknown, key: unknown): ContainerSettings['ulimits'] {
  if (flag !== undefined) {
    return Object.entries(assignments('default-ulimit', flag)).map(([Name, limits]) => {
      const [, soft, hard] = /^(-?\d+)(?::(-?\d+))?$/.exec(limits) ?? []
      if (soft === undefined) throw invalid(`--default-ulimit ${Name}=${limits}: want NAME=SOFT[:HARD]`)
      return { Name, Soft: Number(soft), Hard: Number(hard ?? soft) }
    })
  }
  if (key === undefined) return []
  if (typeof key !== 'object' || key === null || Array.isArray(key)) {
    throw invalid('"default-ulimits" must be an object of limits by name')
  }
  return Object.entries(key).map(([Name, limit]: [string, unknown]) => {
    const { Soft, Hard } = (limit ?? {}) as { Soft?: unknown; Hard?: unknown }
    if (typeof Soft === 'number' && typeof Hard === 'number') return { Name, Soft, Hard }
    throw invalid(`"default-ulimits": "${Name}" must have the numbers Soft and Hard`)
  })
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'CONFIG_INVALID' })
}
