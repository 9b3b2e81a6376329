import type { PlatformQuery } from '#client/images.ts'
import { parsePlatform } from '#oci/platform.ts'

/** What `--platform` means; nothing means no wish. */
export function platformQuery(text: string): PlatformQuery | undefined {
  if (text === '') return undefined
  const { os, architecture, variant } = parsePlatform(text)
  return { os, architecture, ...(variant === undefined || variant === '' ? {} : { variant }) }
}

/** A repeatable `--platform`, each of which may hold several with commas between them. */
export function platformQueries(texts: readonly string[]): PlatformQuery[] {
  return texts.flatMap((text) => text.split(',')).flatMap((text) => platformQuery(text.trim()) ?? [])
}
