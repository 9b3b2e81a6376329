import { EngineError } from '#base/errors.ts'

/** The section `builder` of the configuration file, with dockerd's keys. */
export interface BuilderSettings {
  /** What builds may have that ask for it. */
  readonly entitlements: ReadonlySet<'network.host' | 'security.insecure'>
  /** Bytes that the build cache may keep by itself; undefined: by the size of the disk. */
  readonly keepStorage: number | undefined
  /** Clients are told to build by the classic request unless they choose. */
  readonly classic: boolean
}

const GC_KEYS = ['enabled', 'defaultKeepStorage', 'defaultMaxUsedSpace']
const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 }

/**
 * `{"entitlements": {"network-host": true, "security-insecure": false}, "gc": {"enabled": true, "defaultMaxUsedSpace": "20GB"}}`. As
 * dockerd's: the host's network for those who ask, privileges for nobody, unless it says otherwise. `features`: the section of that
 * name, of which only `buildkit` means something here.
 */
export function builderSettings(section: unknown, features: unknown): BuilderSettings {
  const { entitlements, gc, ...rest } = objectOf(section, 'builder')
  unknownKeys(rest, 'builder')
  const {
    'network-host': network,
    'security-insecure': insecure,
    ...others
  } = objectOf(entitlements, 'builder.entitlements')
  unknownKeys(others, 'builder.entitlements')
  const allowed = new Set<'network.host' | 'security.insecure'>()
  if (flag(network, true, 'builder.entitlements.network-host')) allowed.add('network.host')
  if (flag(insecure, false, 'builder.entitlements.security-insecure')) allowed.add('security.insecure')
  const { buildkit } = objectOf(features, 'features')
  return {
    entitlements: allowed,
    keepStorage: keepStorage(objectOf(gc, 'builder.gc')),
    classic: !flag(buildkit, true, 'features.buildkit'),
  }
}

function keepStorage(gc: Readonly<Record<string, unknown>>): number | undefined {
  const unknown = Object.keys(gc).filter((key) => !GC_KEYS.includes(key))
  if (unknown.length > 0) throw invalid(`builder.gc: unknown key "${unknown.join('", "')}"`)
  if (!flag(gc['enabled'], true, 'builder.gc.enabled')) return Number.POSITIVE_INFINITY
  const size = gc['defaultMaxUsedSpace'] ?? gc['defaultKeepStorage']
  if (size === undefined) return undefined
  const text = typeof size === 'number' || typeof size === 'string' ? String(size) : JSON.stringify(size)
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)b?$/i.exec(text) ?? []
  if (number === '') throw invalid(`builder.gc: "${text}" is no size such as "20GB"`)
  return Math.round(Number(number) * (UNITS[unit.toLowerCase()] ?? 1))
}

function objectOf(value: unknown, key: string): Readonly<Record<string, unknown>> {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`${key} must be an object`)
  return value as Readonly<Record<string, unknown>>
}

function unknownKeys(rest: object, key: string): void {
  const unknown = Object.keys(rest)
  if (unknown.length > 0) throw invalid(`${key}: unknown key "${unknown.join('", "')}"`)
}

function flag(value: unknown, fallback: boolean, key: string): boolean {
  if (value === undefined) return fallback
  if (typeof value !== 'boolean') throw invalid(`${key} must be true or false`)
  return value
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'CONFIG_INVALID' })
}
