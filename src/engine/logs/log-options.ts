/** Where the output of a container goes, as `HostConfig.LogConfig` says it; names and values are Docker's. */
import type { HostConfig } from '#api/generated/types.ts'
import { parseByteSize } from '#base/byte-size.ts'
import { EngineError } from '#base/errors.ts'

export type LogConfig = NonNullable<HostConfig['LogConfig']>
type Options = Readonly<Record<string, string>>

/** Drivers that are part of the engine; every other name is a plugin's. */
export const logDrivers = ['json-file', 'local', 'none', 'syslog', 'journald'] as const
type LogDriver = (typeof logDrivers)[number]

/** What every driver takes. */
const DELIVERY = ['mode', 'max-buffer-size']
/** Which of the container's words come with each record. */
const ATTRIBUTES = ['labels', 'labels-regex', 'env', 'env-regex', 'tag']
const ROTATION = ['max-size', 'max-file', 'compress']
/** Of the copy that is kept for `docker logs` where the driver itself cannot be read. */
const CACHE = ['cache-disabled', 'cache-max-size', 'cache-max-file', 'cache-compress']
const SYSLOG = ['address', 'facility', 'tls-ca-cert', 'tls-cert', 'tls-key', 'tls-skip-verify', 'format']

const options: Readonly<Record<LogDriver, readonly string[]>> = {
  'json-file': [...DELIVERY, ...ATTRIBUTES, ...ROTATION],
  local: [...DELIVERY, ...ATTRIBUTES, ...ROTATION],
  none: [],
  syslog: [...DELIVERY, ...ATTRIBUTES, ...CACHE, ...SYSLOG.map((option) => `syslog-${option}`)],
  journald: [...DELIVERY, ...ATTRIBUTES, ...CACHE],
}

/** A file of Docker's json-file form and its rotation. */
export interface LogRotation {
  /** Bytes; 0: unlimited. */
  readonly maxSize: number
  readonly maxFiles: number
  readonly compress: boolean
}

const MEBIBYTE = 1024 * 1024
/** Docker's, for `local` and for the copies of drivers that cannot be read. */
const LOCAL: LogRotation = { maxSize: 20 * MEBIBYTE, maxFiles: 5, compress: true }
const UNLIMITED: LogRotation = { maxSize: 0, maxFiles: 1, compress: false }

export function isBuiltIn(driver: string): driver is LogDriver {
  return (logDrivers as readonly string[]).includes(driver)
}

/** The driver of a container; `json-file` when none was named. */
export function driverOf({ Type }: LogConfig): string {
  return Type || 'json-file'
}

/** True for a driver that takes the records somewhere else; the file is then a copy that is read meanwhile. */
export function isForwarded(driver: string): boolean {
  return !['json-file', 'local', 'none'].includes(driver)
}

/** @throws EngineError invalid_argument for an option that the driver does not have, or a value that cannot be one */
export function checkLogOptions(config: LogConfig): void {
  const driver = driverOf(config)
  const given: Options = config.Config ?? {}
  // Docker takes them, and there is nothing they could mean.
  if (driver === 'none') return
  if (isBuiltIn(driver)) {
    for (const option of Object.keys(given)) {
      if (!options[driver].includes(option))
        throw invalid(`unknown log opt '${option}' for ${driver} log driver`)
    }
  }
  const rotation = rotationOf(config)
  if (driver === 'json-file' && rotation?.compress === true) {
    if (rotation.maxFiles < 2 || rotation.maxSize === 0) {
      throw invalid('compress cannot be true when max-file is less than 2 or max-size is not set')
    }
  }
  checkDelivery(given)
  for (const option of ['labels-regex', 'env-regex']) checkPattern(option, given[option])
}

function checkDelivery({ mode = 'blocking', 'max-buffer-size': buffer }: Options): void {
  if (!['', 'blocking', 'non-blocking'].includes(mode))
    throw invalid(`logger: logging mode not supported: ${mode}`)
  if (buffer === undefined) return
  if (mode !== 'non-blocking') {
    throw invalid("logger: max-buffer-size option is only supported with 'mode=non-blocking'")
  }
  parseSize('max-buffer-size', buffer)
}

function checkPattern(option: string, pattern: string | undefined): void {
  if (pattern === undefined) return
  try {
    new RegExp(pattern)
  } catch {
    throw invalid(`${option}: "${pattern}" is not a regular expression`)
  }
}

/** The file that the container's supervisor writes; undefined: none. */
export function rotationOf(config: LogConfig): LogRotation | undefined {
  const given: Options = config.Config ?? {}
  switch (driverOf(config)) {
    case 'none':
      return undefined
    case 'json-file':
      return rotation(given, '', UNLIMITED)
    case 'local':
      return rotation(given, '', LOCAL)
    default:
      return rotation(given, 'cache-', LOCAL)
  }
}

/** False when the user wants nothing kept on this machine: then there is nothing that `docker logs` could show. */
export function isReadable(config: LogConfig): boolean {
  const driver = driverOf(config)
  if (driver === 'none') return false
  return !isForwarded(driver) || !truth('cache-disabled', config.Config?.['cache-disabled'], false)
}

function rotation(given: Options, prefix: string, otherwise: LogRotation): LogRotation {
  const { [`${prefix}max-size`]: size, [`${prefix}max-file`]: files, [`${prefix}compress`]: compress } = given
  const maxFiles = files === undefined ? otherwise.maxFiles : Number(files)
  if (!Number.isInteger(maxFiles) || maxFiles < 1) {
    throw invalid(`invalid value for ${prefix}max-file: ${files}: want a number of at least 1`)
  }
  return {
    maxSize: size === undefined ? otherwise.maxSize : (parseSize(`${prefix}max-size`, size) ?? 0),
    maxFiles,
    compress: truth(`${prefix}compress`, compress, otherwise.compress),
  }
}

const TRUE = ['1', 't', 'T', 'TRUE', 'true', 'True']
const FALSE = ['0', 'f', 'F', 'FALSE', 'false', 'False']

/** As Go's strconv.ParseBool has it. */
function truth(option: string, text: string | undefined, otherwise: boolean): boolean {
  if (text === undefined) return otherwise
  if (TRUE.includes(text)) return true
  if (FALSE.includes(text)) return false
  throw invalid(`invalid value for ${option}: "${text}": want true or false`)
}

/** Bytes; undefined: unlimited. */
function parseSize(option: string, text: string): number | undefined {
  if (text === '-1') return undefined
  const bytes = parseByteSize(text)
  if (bytes === undefined) throw invalid(`invalid value for ${option}: "${text}": want a size such as 20m`)
  return bytes
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'LOG_OPTION_INVALID' })
}
