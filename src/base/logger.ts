export type LogFields = Readonly<Record<string, unknown>>

/** Messages are lower case without a full stop; ids go into fields. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  child(fields: LogFields): Logger
}

const levels = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof levels)[number]

/** One JSON object per line, from `level` on; errors in fields keep their chain of causes. */
export function jsonLogger(
  write: (line: string) => void,
  level: LogLevel | (() => LogLevel),
  bound: LogFields = {},
): Logger {
  const least = typeof level === 'string' ? () => level : level
  const enabled = (at: LogLevel): boolean => levels.indexOf(at) >= levels.indexOf(least())
  const log =
    (at: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (!enabled(at)) return
      const record = { time: new Date().toISOString(), level: at, msg: message, ...bound, ...fields }
      write(
        `${JSON.stringify(record, (_key, value: unknown) => (value instanceof Error ? errorRecord(value) : value))}\n`,
      )
    }
  return {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    child: (fields) => jsonLogger(write, level, { ...bound, ...fields }),
  }
}

function errorRecord(error: Error): object {
  const record: Record<string, unknown> = { message: error.message, stack: error.stack }
  if ('code' in error) record['code'] = error.code
  if (error.cause !== undefined) record['cause'] = error.cause
  if (error instanceof SuppressedError) {
    record['error'] = error.error as unknown
    record['suppressed'] = error.suppressed as unknown
  }
  return record
}

export const silentLogger: Logger = jsonLogger(() => undefined, 'error')
