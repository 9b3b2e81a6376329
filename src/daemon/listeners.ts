import type { Logger } from '#base/logger.ts'
import { guardRules } from '#server/guard.ts'
import type { ApiServer } from '#server/server.ts'
import { parseAddress } from './addresses.ts'
import { type DoorSettings, readTlsFiles } from './door-settings.ts'
import { passedDescriptors } from './service-manager.ts'

/** Listens where the configuration says. What is wrong with an address or a file is told before the first is open. */
export async function openListeners(server: ApiServer, door: DoorSettings): Promise<void> {
  const tls = door.tls === undefined ? undefined : readTlsFiles(door.tls)
  const listeners = await listenersOf(door)
  // What kind of socket was passed is seen when it is taken.
  const passedFirst = listeners.toSorted(
    (a, b) => Number(b.address.kind === 'fd') - Number(a.address.kind === 'fd'),
  )
  for (const { address, readOnly } of passedFirst) {
    await server.listen(address, { readOnly, tls: address.kind === 'unix' ? undefined : tls })
  }
}

/** Rejects with `invalid_argument` where openListeners() would. */
export async function checkListeners(door: DoorSettings): Promise<void> {
  const tls = door.tls === undefined ? undefined : readTlsFiles(door.tls)
  for (const { address } of await listenersOf(door)) guardRules(address, { tls })
}

/** Reads the certificates again; those that cannot be used change nothing. */
export function renewCertificates(server: ApiServer, door: DoorSettings, logger: Logger): void {
  if (door.tls === undefined) return
  try {
    server.renewTls(readTlsFiles(door.tls))
  } catch (error) {
    logger.error('new certificate cannot be used; the old one stays', { error })
  }
}

async function listenersOf({ hosts, readOnlyHosts, group }: DoorSettings) {
  const named = [
    ...hosts.map((host) => ({ host, readOnly: false })),
    ...readOnlyHosts.map((host) => ({ host, readOnly: true })),
  ]
  const listeners = await Promise.all(
    named.map(async ({ host, readOnly }) => {
      const passed = host === 'fd://' || host === 'fd://*' ? passedDescriptors(process.env) : [host]
      return Promise.all(passed.map(async (one) => ({ address: await parseAddress(one, group), readOnly })))
    }),
  )
  return listeners.flat()
}
