/** JSON as Go writes it: characters that could end a script are escaped, which only stand in strings. */
export function goJson(value: unknown, indent?: number | string): string {
  return escapeJson(JSON.stringify(value, undefined, indent))
}

/** The same of text that is JSON already. */
export function escapeJson(text: string): string {
  return text.replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
