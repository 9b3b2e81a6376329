/** The registry that the engine serves itself: `--registry-listen`, or the section `registry` of the configuration file. */
import { join } from 'node:path'
import { hexOf } from '#base/digest.ts'
import { EngineError, engineErrorOf } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import { type RegistryConfig, registryConfig } from '#registry/server/config.ts'
import { openRegistry, type Registry } from '#registry/server/registry.ts'
import type { TwinOf } from '#store/content/twin.ts'
import type { DaemonConfig } from './config.ts'

const SETTING = '"registry" (--registry-listen)'

/**
 * Keys are those of the registry's own configuration file, but `root`, which is `DATA_ROOT/registry`. Undefined: no
 * registry is wanted. Throws `invalid_argument` that names setting and key.
 */
export function ownRegistryConfig(
  section: unknown,
  listen: string | undefined,
  dataRoot: string,
): RegistryConfig | undefined {
  if (section === undefined && listen === undefined) return undefined
  const file = section ?? {}
  if (typeof file !== 'object' || file === null || Array.isArray(file)) {
    throw invalid('want an object, such as { "listen": "127.0.0.1:5000" }')
  }
  if ('root' in file) throw invalid(`root is always ${registryRoot(dataRoot)}`)
  try {
    return registryConfig({ listen, root: registryRoot(dataRoot) }, file as Record<string, unknown>)
  } catch (error) {
    throw named(error)
  }
}

/** Serves it, sharing files with the content store of the engine. Failures name the setting. */
export async function openOwnRegistry(
  { ownRegistry, dataRoot }: DaemonConfig,
  logger: Logger,
): Promise<Registry | undefined> {
  if (ownRegistry === undefined) return undefined
  try {
    const registry = await openRegistry(ownRegistry, { logger, twinOf: twinInEngine(dataRoot) })
    logger.info('registry', { url: registry.url, root: registry.root })
    return registry
  } catch (error) {
    throw named(error)
  }
}

function registryRoot(dataRoot: string): string {
  return join(dataRoot, 'registry')
}

/** Where the engine keeps the blob that the registry receives. */
function twinInEngine(dataRoot: string): TwinOf {
  return (digest) => join(dataRoot, 'blobs', 'sha256', hexOf(digest))
}

/** Where the registry keeps the blob that the engine fetches. */
export function twinInRegistry(dataRoot: string): TwinOf {
  return (digest) => join(registryRoot(dataRoot), 'blobs', 'sha256', hexOf(digest).slice(0, 2), hexOf(digest))
}

function named(error: unknown): unknown {
  const known = engineErrorOf(error)
  if (known === undefined) return error
  const { kind, code, details } = known
  return new EngineError(kind, `setting ${SETTING}: ${known.message}`, { code, details, cause: error })
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', `setting ${SETTING}: ${message}`, { code: 'CONFIG_INVALID' })
}
