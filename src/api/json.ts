// In V8 since 11.4, not yet in TypeScript's library.
const json = JSON as unknown as { readonly rawJSON: (text: string) => unknown }

/**
 * JSON text in which bigints are plain integers, so that nanoseconds and counters beyond 2^53 stay exact.
 * `undefined` members are left out as JSON.stringify does.
 */
export function stringify(value: unknown, indent?: number): string {
  // An event has one where it can be seen; a failure for each would cost more than the text.
  if (hasBigint(value)) return JSON.stringify(value, exact, indent)
  try {
    return JSON.stringify(value, undefined, indent)
  } catch (error) {
    // The plain call is several times faster, and refuses bigints with a TypeError.
    if (!(error instanceof TypeError)) throw error
    return JSON.stringify(value, exact, indent)
  }
}

/** Among its own members. */
function hasBigint(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.values(value).some((member) => typeof member === 'bigint')
}

function exact(_key: string, member: unknown): unknown {
  return typeof member === 'bigint' ? json.rawJSON(member.toString()) : member
}
