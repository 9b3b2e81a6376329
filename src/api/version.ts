/** A version of Docker's HTTP API, such as `1.42`. */
export type ApiVersion = `${number}.${number}`

/** The form in which documents live inside the engine. */
export const newestVersion: ApiVersion = '1.55'

/** The oldest prefix that is answered. */
export const oldestVersion: ApiVersion = '1.24'

/** Compares dot by dot as numbers, so 1.9 is before 1.10. */
export function isBefore(version: ApiVersion, other: ApiVersion): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [otherMajor = 0, otherMinor = 0] = other.split('.').map(Number)
  return major < otherMajor || (major === otherMajor && minor < otherMinor)
}

/**
 * Reads what follows `/v` in a path. A missing minor number counts as 0 and further dots are ignored, so
 * that every run of digits and dots has a meaning; `undefined` when there is no number at all.
 */
export function parseVersion(text: string): ApiVersion | undefined {
  const match = /^(\d{1,9})(?:\.(\d{1,9}))?(?:\.[\d.]*)?$/.exec(text)
  return match === null ? undefined : `${Number(match[1])}.${Number(match[2] ?? 0)}`
}
