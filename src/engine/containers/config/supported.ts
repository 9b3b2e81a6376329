import type { HostConfig, NetworkingConfig } from '#api/generated/types.ts'
import { invalidConfig } from './errors.ts'

const LOG_DRIVERS = ['json-file', 'none']

/** Those of json-file, and those that Docker takes with every driver. */
const LOG_OPTIONS = [
  'max-size',
  'max-file',
  'compress',
  'labels',
  'labels-regex',
  'env',
  'env-regex',
  'tag',
  'mode',
  'max-buffer-size',
]

/**
 * Refuses what Docker can do and this engine cannot: to ignore a limit, a log's destination or an address would be
 * worse than to say so.
 */
export function checkSupported(hostConfig: HostConfig, networking: NetworkingConfig): void {
  checkLogConfig(hostConfig.LogConfig ?? {})
  const isolation = hostConfig.Isolation ?? ''
  if (!['', 'default'].includes(isolation)) {
    throw invalidConfig(`invalid isolation (${isolation}): linux only supports 'default'`)
  }
  if (Object.keys(hostConfig.StorageOpt ?? {}).length > 0) {
    throw invalidConfig('--storage-opt is not supported: the size of containers cannot be limited')
  }
  if (hostConfig.NetworkMode === 'bridge') checkAddress(networking)
}

function checkLogConfig({ Type, Config }: NonNullable<HostConfig['LogConfig']>): void {
  const driver: string = Type || 'json-file'
  if (!LOG_DRIVERS.includes(driver)) {
    throw invalidConfig(`error looking up logging plugin ${driver}: plugin "${driver}" not found`)
  }
  if (driver === 'none') return
  for (const option of Object.keys(Config ?? {})) {
    if (!LOG_OPTIONS.includes(option)) {
      throw invalidConfig(`unknown log opt '${option}' for ${driver} log driver`)
    }
  }
}

function checkAddress({ EndpointsConfig: endpoints }: NetworkingConfig): void {
  const { bridge, default: unnamed } = endpoints ?? {}
  const { IPv4Address, IPv6Address } = (bridge ?? unnamed)?.IPAMConfig ?? {}
  if (IPv4Address || IPv6Address) {
    throw invalidConfig('user specified IP address is supported on user defined networks only')
  }
}
