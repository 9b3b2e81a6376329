/** systemd's journal, by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL); field names are Docker's. */
import { type LoggedContainer, logAttributes, logTag } from '../log-attributes.ts'
import type { LogConfig } from '../log-options.ts'
import type { ForwardedRecord, LogDestination } from './destination.ts'
import type { Datagrams } from '#os/datagrams.ts'

export const JOURNAL_SOCKET = '/run/systemd/journal/socket'

/** Severities of syslog. */
const INFO = '6'
const ERROR = '3'
const SHORT = 12

export function journald(
  datagrams: Datagrams,
  container: LoggedContainer,
  { Config }: LogConfig,
): LogDestination {
  const always = fieldsOf(container, Config ?? {})
  return {
    send: (records) => datagrams.send(records.map((record) => entry(record, always))),
    [Symbol.asyncDispose]: () => datagrams[Symbol.asyncDispose](),
  }
}

function fieldsOf(
  container: LoggedContainer,
  options: Readonly<Record<string, string>>,
): Record<string, string> {
  const tag = logTag(container, options['tag'] || '{{.ID}}')
  const extra = Object.entries(logAttributes(container, options)).map(([key, value]) => [
    fieldName(key),
    value,
  ])
  return {
    CONTAINER_ID: container.id.slice(0, SHORT),
    CONTAINER_ID_FULL: container.id,
    CONTAINER_NAME: container.name,
    CONTAINER_TAG: tag,
    IMAGE_NAME: container.image,
    SYSLOG_IDENTIFIER: tag,
    ...(Object.fromEntries(extra.filter(([name]) => name !== '')) as Record<string, string>),
  }
}

/** Upper case, digits and underscores, not beginning with an underscore: the journal drops other names. */
function fieldName(key: string): string {
  return key
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '_')
    .replace(/^_+/, '')
}

function entry(
  { stdout, text, partial, time }: ForwardedRecord,
  always: Readonly<Record<string, string>>,
): Buffer {
  const fields = {
    PRIORITY: stdout ? INFO : ERROR,
    SYSLOG_TIMESTAMP: time,
    ...(partial ? { CONTAINER_PARTIAL_MESSAGE: 'true' } : {}),
    ...always,
  }
  return Buffer.concat([
    ...Object.entries(fields).map(([name, value]) => field(name, Buffer.from(value))),
    field('MESSAGE', text),
  ])
}

/** A value with a newline has its length before it: `NAME\n`, u64, value, `\n`. */
function field(name: string, value: Uint8Array): Buffer {
  if (!value.includes(0x0a)) return Buffer.concat([Buffer.from(`${name}=`), value, NEWLINE])
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(value.length))
  return Buffer.concat([Buffer.from(`${name}\n`), length, value, NEWLINE])
}

const NEWLINE = Buffer.from('\n')
