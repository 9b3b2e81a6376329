/** Without fields that nobody gave. */
export function present<T extends object>(fields: {
  readonly [K in keyof T]: T[K] | undefined | readonly unknown[]
}): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T
}
