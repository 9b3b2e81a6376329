import type { HostConfig } from '#api/generated/types.ts'
import { invalidConfig } from './errors.ts'

/**
 * Refuses what Docker can do and this engine cannot: to ignore a limit would be worse than to
 * say so.
 */
export function checkSupported(hostConfig: HostConfig): void {
  const isolation = hostConfig.Isolation ?? ''
  if (!['', 'default'].includes(isolation)) {
    throw invalidConfig(`invalid isolation (${isolation}): linux only supports 'default'`)
  }
  if (Object.keys(hostConfig.StorageOpt ?? {}).length > 0) {
    throw invalidConfig('--storage-opt is not supported: the size of containers cannot be limited')
  }
}
