import { constants } from 'node:os'
import { EngineError } from '#base/errors.ts'

/** First and last real-time signal of Linux as C libraries count them (the first two are theirs). */
const RTMIN = 34
const RTMAX = 64

const NAMES: Readonly<Record<string, number>> = { ...withoutPrefix(constants.signals), CLD: 17 }

/** Parses `SIGTERM`, `term`, `15`, `SIGRTMIN+3`, `RTMAX-1`. Fails with Docker's wording. */
export function parseSignal(text: string): number {
  if (/^\d+$/.test(text)) {
    const number = Number(text)
    if (number >= 1 && number <= RTMAX) return number
    throw invalidSignal(text)
  }
  const name = text.toUpperCase().replace(/^SIG/, '')
  const number = Object.hasOwn(NAMES, name) ? NAMES[name] : realTime(name)
  if (number === undefined) throw invalidSignal(text)
  return number
}

/** The signal that asks a container to end: its own, or SIGTERM when it names none. */
export function stopSignalOf(stopSignal: string | null | undefined): number {
  return stopSignal ? parseSignal(stopSignal) : constants.signals.SIGTERM
}

function realTime(name: string): number | undefined {
  const match = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name)
  if (!match) return undefined
  const distance = Number(match[3] ?? 0) * (match[2] === '-' ? -1 : 1)
  const number = (match[1] === 'MIN' ? RTMIN : RTMAX) + distance
  return number >= RTMIN && number <= RTMAX ? number : undefined
}

function withoutPrefix(signals: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(signals).map(([name, number]) => [name.replace(/^SIG/, ''), number]),
  )
}

function invalidSignal(text: string): EngineError {
  return new EngineError('invalid_argument', `invalid signal: ${text}`, { code: 'SIGNAL_INVALID' })
}
