import { readdir } from 'node:fs/promises'
import { formatPlatform, hostPlatform, type Platform } from '#oci/platform.ts'

/** Where the kernel lists what runs programs of other architectures; a host without the module has no such directory. */
const HANDLERS = '/proc/sys/fs/binfmt_misc'

/** What is to be said when a process of another architecture fails on a host where nothing can run it; else undefined. */
export async function cannotRunHere(platform: Platform, handlers = HANDLERS): Promise<string | undefined> {
  const host = hostPlatform()
  if (platform.architecture === host.architecture) return undefined
  const registered = await readdir(handlers).catch(() => [])
  if (registered.some((name) => name !== 'register' && name !== 'status')) return undefined
  return (
    `The step is for ${formatPlatform(platform)}, and this host (${formatPlatform(host)}) has nothing that runs such programs.\n` +
    'Install emulators that register with binfmt_misc (qemu-user-static), or give the stage FROM --platform=$BUILDPLATFORM.'
  )
}
