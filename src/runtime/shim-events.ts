import type { ExitEvent, ShimEvent } from './shim.ts'

/** An event line of native/PROTOCOL.md §2; undefined for one that this version does not know. */
export function parseShimEvent(line: string): ShimEvent | undefined {
  const [type = '', first = '', ...rest] = line.split(' ')
  const message = line.slice(type.length + 1)
  switch (type) {
    case 'ready':
    case 'oom':
      return { type }
    case 'error':
    case 'failed':
      return { type, message }
    case 'started':
      return { type, pid: Number(first), startTime: rest[0] ?? '', at: parseTime(rest[1] ?? '') }
    case 'exec-started':
      return { type, exec: first, pid: Number(rest[0]) }
    case 'exec-failed':
      return { type, exec: first, message: rest.join(' ') }
    case 'exec-exit':
      return { type, exec: first, code: Number(rest[0]) }
    case 'exit':
      return parseExitRecord(message)
    default:
      return undefined
  }
}

const EXIT = /^(\d{1,3}) ([01]) (\d+\.\d{9})\n?$/

/** `CODE OOM SEC.NSEC`, as in an exit record; undefined for anything else, such as a torn one. */
export function parseExitRecord(text: string): ExitEvent | undefined {
  const [, code, oom, time = ''] = EXIT.exec(text) ?? []
  if (code === undefined) return undefined
  return { type: 'exit', code: Number(code), oomKilled: oom === '1', at: parseTime(time) }
}

/** Seconds and nanoseconds since 1970; a Date keeps the milliseconds. */
function parseTime(text: string): Date {
  const [seconds = '0', nanoseconds = '0'] = text.split('.')
  return new Date(Number(seconds) * 1000 + Math.floor(Number(nanoseconds) / 1e6))
}
