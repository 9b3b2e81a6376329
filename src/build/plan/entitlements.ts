import { EngineError } from '#base/errors.ts'
import type { Run } from '../dockerfile/instruction.ts'
import { excerpt } from '../dockerfile/source.ts'
import type { BuildRequest } from '../graph/plan.ts'
import type { Placed } from './stage-state.ts'

type Network = 'default' | 'none' | 'host'

/** What a RUN is allowed of what it asks for; what is more than usual needs the daemon's and the request's consent. */
export function privilegesOf(
  request: BuildRequest,
  placed: Placed<Run>,
): { readonly network: Network; readonly security: 'sandbox' | 'insecure' } {
  const { instruction } = placed
  const network = instruction.network === 'default' ? request.network : instruction.network
  // Who asks for the host's network for all of the build has asked.
  if (network === 'host') demand(request, placed, 'network.host', request.network === 'host')
  if (instruction.security === 'insecure') demand(request, placed, 'security.insecure', false)
  if (instruction.devices.length > 0) throw devices(placed)
  return { network, security: instruction.security }
}

function demand(request: BuildRequest, placed: Placed, entitlement: string, asked: boolean): void {
  const { entitlements, allow } = request
  if (!entitlements.has(entitlement)) {
    const text = `granting entitlement ${entitlement} is not allowed by build daemon configuration`
    throw refused(placed, text, `Allow ${entitlement} in the daemon's configuration.`, entitlement)
  }
  if (!asked && !allow.has(entitlement)) {
    const hint = `Give --allow ${entitlement} if this Dockerfile may have it.`
    throw refused(placed, `${entitlement} is not allowed`, hint, entitlement)
  }
}

function refused(placed: Placed, message: string, hint: string, entitlement: string): EngineError {
  const { file, instruction } = placed
  const text = `${message}\n${hint}\n${excerpt(file.source, instruction.range)}`
  return new EngineError('permission_denied', text, {
    code: 'BUILD_ENTITLEMENT',
    details: { file: file.source.name, ...instruction.range.start, entitlement },
  })
}

function devices({ file, instruction }: Placed): EngineError {
  const text = `RUN --device is not supported\n${excerpt(file.source, instruction.range)}`
  return new EngineError('not_implemented', text, { code: 'BUILD_DEVICE' })
}
