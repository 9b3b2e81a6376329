/** The forms of a syslog message: Docker's `syslog-format`. */
import { EngineError } from '#base/errors.ts'
import type { ForwardedRecord } from './destination.ts'

const FORMATS = ['', 'rfc3164', 'rfc5424', 'rfc5424micro'] as const
export type SyslogFormat = (typeof FORMATS)[number]

const FACILITIES = [
  'kern',
  'user',
  'mail',
  'daemon',
  'auth',
  'syslog',
  'lpr',
  'news',
  'uucp',
  'cron',
  'authpriv',
  'ftp',
]
const LOCAL0 = 16
const INFO = 6
const ERROR = 3
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

export function syslogFormat(text: string): SyslogFormat {
  const format = FORMATS.find((known) => known === text)
  if (format !== undefined) return format
  throw invalid(`invalid syslog format "${text}": want rfc3164, rfc5424 or rfc5424micro`)
}

/** By name, or by number as in RFC 5424 §6.2.1. */
export function syslogFacility(text: string): number {
  if (text === '') return FACILITIES.indexOf('daemon')
  const named = FACILITIES.indexOf(text)
  if (named !== -1) return named
  const local = /^local([0-7])$/.exec(text)?.[1]
  if (local !== undefined) return LOCAL0 + Number(local)
  if (/^\d+$/.test(text) && Number(text) < 24) return Number(text)
  throw invalid(
    `invalid syslog facility "${text}": want a name such as daemon or local0, or a number below 24`,
  )
}

export interface SyslogSender {
  readonly format: SyslogFormat
  readonly facility: number
  readonly hostname: string
  readonly tag: string
  readonly pid: number
  /** The receiver is this machine's, and knows its name. */
  readonly local: boolean
}

/** One message, without what ends it on a stream. */
export function syslogMessage(sender: SyslogSender, { stdout, text, time }: ForwardedRecord): Buffer {
  const priority = sender.facility * 8 + (stdout ? INFO : ERROR)
  return Buffer.concat([Buffer.from(`<${priority}>${header(sender, time)}`), text])
}

function header({ format, hostname, tag, pid, local }: SyslogSender, time: string): string {
  switch (format) {
    case 'rfc5424':
      return `1 ${time.slice(0, 19)}Z ${hostname} ${tag} ${pid} ${tag} - `
    case 'rfc5424micro':
      return `1 ${time.slice(0, 26)}Z ${hostname} ${tag} ${pid} ${tag} - `
    case 'rfc3164':
      return `${stamp(time)} ${hostname} ${tag}[${pid}]: `
    case '':
      return local ? `${stamp(time)} ${tag}[${pid}]: ` : `${time.slice(0, 19)}Z ${hostname} ${tag}[${pid}]: `
  }
}

/** `Jan  2 15:04:05`, in the machine's zone (RFC 3164 §4.1.2). */
function stamp(time: string): string {
  const date = new Date(time)
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) =>
    String(part).padStart(2, '0'),
  )
  return `${MONTHS[date.getMonth()]} ${String(date.getDate()).padStart(2)} ${clock.join(':')}`
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'LOG_OPTION_INVALID' })
}
