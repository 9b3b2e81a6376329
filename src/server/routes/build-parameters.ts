import { EngineError } from '#base/errors.ts'
import type { Query } from '../query.ts'

/** A parameter that is a JSON object of strings; null is no value, and left out. */
export function jsonMap(query: Query, name: string): Record<string, string> {
  const parsed = parsedJson(query, name, 'an object of strings') ?? {}
  if (typeof parsed !== 'object' || Array.isArray(parsed)) throw wanted(name, 'an object of strings')
  return Object.fromEntries(
    Object.entries(parsed).flatMap(([key, value]: [string, unknown]) => {
      if (value === null) return []
      if (typeof value !== 'string') throw wanted(name, 'an object of strings')
      return [[key, value] as const]
    }),
  )
}

/** A parameter that is a JSON list. */
export function jsonList(query: Query, name: string): readonly unknown[] {
  const parsed = parsedJson(query, name, 'a list') ?? []
  if (!Array.isArray(parsed)) throw wanted(name, 'a list')
  return parsed
}

export function badParameter(name: string, message: string): EngineError {
  return new EngineError('invalid_argument', message, {
    code: 'PARAMETER_INVALID',
    details: { parameter: name },
  })
}

function parsedJson(query: Query, name: string, what: string): unknown {
  const text = query.text(name)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw wanted(name, what, cause)
  }
}

function wanted(name: string, what: string, cause?: unknown): EngineError {
  const message = `invalid ${name}: want JSON with ${what}`
  return new EngineError('invalid_argument', message, { code: 'PARAMETER_INVALID', cause })
}
