import type { Network } from '#api/generated/types.ts'
import { isBefore, type ApiVersion } from '#api/version.ts'

/** `POST /networks/create`. */
export function liftNetworkCreate(document: object, version: ApiVersion): object {
  const lifted: Record<string, unknown> = { ...document }
  if (isBefore(version, '1.48')) delete lifted['EnableIPv4']
  return lifted
}

/** `GET /networks/{id}`. */
export function lowerNetwork(document: object, version: ApiVersion): object {
  const lowered: Record<string, unknown> = { ...(document as Network) }
  if (isBefore(version, '1.52')) delete lowered['Status']
  return lowered
}

/** `GET /networks`: until 1.51 with the member that only an inspect fills. */
export function lowerNetworks(document: object, version: ApiVersion): object {
  const empty = isBefore(version, '1.52') ? { Containers: {} } : {}
  return (document as Network[]).map((network) => ({ ...lowerNetwork(network, version), ...empty }))
}
