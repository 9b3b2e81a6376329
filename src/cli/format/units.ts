const decimal = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'] as const
const binary = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const

/** A size in powers of 1000 with so many significant digits, such as `12.3MB`. */
export function humanSize(bytes: number, digits = 4): string {
  return scaled(bytes, 1000, decimal, digits)
}

/** A size in powers of 1024, such as `11.73MiB`. */
export function binarySize(bytes: number): string {
  return scaled(bytes, 1024, binary, 4)
}

function scaled(bytes: number, base: number, units: readonly string[], digits: number): string {
  let value = bytes
  let unit = 0
  const round = (): number => Number(value.toPrecision(digits))
  // 999.9 with three digits is 1000, which is said in the next unit.
  while (round() >= base && unit < units.length - 1) {
    value /= base
    unit += 1
  }
  return `${round()}${units[unit]}`
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A length of time as Docker says it: `About a minute`, `3 hours`, `2 weeks`. */
export function humanDuration(seconds: number): string {
  const whole = Math.trunc(seconds)
  if (whole < 1) return 'Less than a second'
  if (whole === 1) return '1 second'
  if (whole < MINUTE) return `${whole} seconds`
  const minutes = Math.trunc(seconds / MINUTE)
  if (minutes === 1) return 'About a minute'
  if (minutes < 60) return `${minutes} minutes`
  const hours = Math.trunc(seconds / HOUR + 0.5)
  if (hours === 1) return 'About an hour'
  if (hours < 48) return `${hours} hours`
  const days = Math.trunc(hours / 24)
  if (days < 14) return `${days} days`
  if (days < 60) return `${Math.trunc(days / 7)} weeks`
  if (days < 730) return `${Math.trunc(days / 30)} months`
  return `${Math.trunc(seconds / DAY / 365)} years`
}

/** The first `width` columns, the last of them an ellipsis when something is missing. */
export function ellipsis(text: string, width: number): string {
  const characters = Array.from(text)
  if (characters.length <= width) return text
  return width <= 1 ? characters.slice(0, width).join('') : `${characters.slice(0, width - 1).join('')}…`
}

/** `2006-01-02 15:04:05 +0000 UTC`, the way Go prints a time in the local zone. */
export function goTime(milliseconds: number): string {
  const date = new Date(milliseconds)
  const pad = (value: number, width = 2): string => String(value).padStart(width, '0')
  const offset = -date.getTimezoneOffset()
  const sign = offset < 0 ? '-' : '+'
  const zone = `${sign}${pad(Math.trunc(Math.abs(offset) / 60))}${pad(Math.abs(offset) % 60)}`
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`
  return `${day} ${time} ${zone} ${zoneName(date, zone)}`
}

/** An RFC 3339 time in the form of goTime(), in its own zone and with all of its decimal places. */
export function goTimeOf(text: string): string {
  const match = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(\.\d+)?(Z|[+-]\d{2}:\d{2})$/.exec(text)
  if (match === null) return text
  const [, day, time, fraction = '', zone = 'Z'] = match
  const offset = zone === 'Z' ? '+0000' : zone.replace(':', '')
  return `${day} ${time}${fraction.replace(/\.?0+$/, '')} ${offset} ${offset === '+0000' ? 'UTC' : offset}`
}

function zoneName(date: Date, fallback: string): string {
  const parts = new Intl.DateTimeFormat('en', { timeZoneName: 'short' }).formatToParts(date)
  const name = parts.find(({ type }) => type === 'timeZoneName')?.value ?? ''
  return /^[A-Z]{3,5}$/.test(name) ? name : fallback.replace(/00$/, '')
}
