import type { BuildWarning } from '#api/build-updates.ts'

/** What the build checks found, at the end of a build; empty when that is nothing. */
export function warningsText(warnings: readonly BuildWarning[]): string {
  if (warnings.length === 0) return ''
  const count = `${warnings.length} warning${warnings.length === 1 ? '' : 's'} found`
  const lines = warnings.map(
    ({ rule, message, description, range }) =>
      ` - ${rule}: ${message} (line ${range.start.line})\n${description === '' ? '' : `   ${description}\n`}`,
  )
  return `\n ${count} (berth build --check shows the lines):\n${lines.join('')}`
}
