import { EngineError } from '#base/errors.ts'

/**
 * `os/architecture/variant` from the JSON form that inspect, history, push, save and load take.
 * @throws EngineError invalid_argument without an os or an architecture
 */
export function plainPlatform(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const platform = parse(text)
  const { os, architecture, variant } = platform
  if (typeof os !== 'string' || os === '' || typeof architecture !== 'string' || architecture === '') {
    throw invalidPlatform('both os and architecture are needed')
  }
  return [os, architecture, ...(typeof variant === 'string' && variant !== '' ? [variant] : [])].join('/')
}

/** The same for a parameter that may be repeated. */
export function plainPlatforms(texts: readonly string[]): readonly string[] | undefined {
  const platforms = texts.flatMap((text) => plainPlatform(text || undefined) ?? [])
  return platforms.length === 0 ? undefined : platforms
}

function parse(text: string): Readonly<Record<'os' | 'architecture' | 'variant', unknown>> {
  try {
    return Object(JSON.parse(text)) as Readonly<Record<'os' | 'architecture' | 'variant', unknown>>
  } catch (cause) {
    throw invalidPlatform('want JSON such as {"os":"linux","architecture":"arm64"}', cause)
  }
}

function invalidPlatform(why: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', `invalid platform: ${why}`, { code: 'PLATFORM_INVALID', cause })
}
