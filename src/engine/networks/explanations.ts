import type { Diagnosis, Exposure } from '#api/network-reports.ts'
import { invalidConfig } from '../containers/config/errors.ts'
import { portRequests } from '../containers/config/ports.ts'
import type { NetworkExplanations } from '../services.ts'
import { type ExposureDeps, exposure } from './exposure.ts'
import type { UnreachableDeps } from './unreachable/scene.ts'
import { whyUnreachable } from './unreachable/unreachable.ts'

/** What the engine tells about its network. Reads only. */
export class Explanations implements NetworkExplanations {
  readonly #deps: ExposureDeps & UnreachableDeps

  constructor(deps: ExposureDeps & UnreachableDeps) {
    this.#deps = deps
  }

  exposure(): Promise<Exposure> {
    return exposure(this.#deps)
  }

  async unreachable(
    ref: string,
    { port: text, from, name }: Parameters<NetworkExplanations['unreachable']>[1],
  ): Promise<Diagnosis> {
    const [request] = portRequests({}, { PortBindings: { [text]: [] } })
    if (request === undefined) throw invalidConfig(`invalid port specification: ${JSON.stringify(text)}`)
    const { containerPort: port, protocol } = request
    const asker = from === undefined ? undefined : { container: from, name: name ?? ref }
    return whyUnreachable(this.#deps, ref, { port, protocol, from: asker })
  }
}
