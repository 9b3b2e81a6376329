import type { Dockerfile } from './parse.ts'

/** A model without places and without what only says how it was written; for comparing in tests. */
export function modelOf(file: Dockerfile): unknown {
  const { globals, stages, escape, directives } = file
  return strip({ escape, directives, globals, stages })
}

const PLACES = new Set(['range', 'text', 'args', 'keyword', 'flags', 'emptyContinuations', 'index'])

function strip(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((member) => strip(member))
  if (typeof value !== 'object' || value === null) return value
  // A shell form's text and an exec form's arguments are meaning, not places.
  const kept = 'form' in value && !('kind' in value)
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, member]) => member !== undefined && (kept || !PLACES.has(key)) && !isEmpty(key, member))
      .map(([key, member]) => [key, strip(member)]),
  )
}

function isEmpty(key: string, member: unknown): boolean {
  return (
    ['comments', 'mounts', 'heredocs', 'devices', 'documents', 'exclude'].includes(key) &&
    Array.isArray(member) &&
    member.length === 0
  )
}
