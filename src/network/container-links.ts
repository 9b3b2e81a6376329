import { shortId } from '#base/ids.ts'
import type { Firewall } from './firewall.ts'
import type { LinkedPort } from './networks.ts'
import { type Element, elementId } from './nft-elements.ts'

/** Ports that a container reaches although its network keeps containers apart: elements of the firewall. */
export class ContainerLinks {
  readonly #firewall: Pick<Firewall, 'change'>
  readonly #elements = new Map<string, readonly Element[]>()

  constructor(firewall: Pick<Firewall, 'change'>) {
    this.#firewall = firewall
  }

  /** These and no others from now on. */
  async set(containerId: string, ports: readonly LinkedPort[]): Promise<void> {
    const before = this.#elements.get(containerId) ?? []
    const comment = shortId(containerId)
    const all = ports.map(({ from, to, protocol, port }): Element => ({
      set: from.includes(':') ? 'links6' : 'links4',
      key: `${from} . ${to} . ${protocol} . ${port}`,
      comment,
    }))
    const after = [...new Map(all.map((element) => [elementId(element), element])).values()]
    const has = (list: readonly Element[], element: Element): boolean =>
      list.some((one) => elementId(one) === elementId(element))
    await this.#firewall.change(
      after.filter((element) => !has(before, element)),
      before.filter((element) => !has(after, element)),
    )
    if (after.length === 0) this.#elements.delete(containerId)
    else this.#elements.set(containerId, after)
  }
}
