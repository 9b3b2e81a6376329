import type { Transport } from './transport.ts'
import { segment } from './segment.ts'

export interface Checkpoint {
  readonly Name: string
}

/** States of containers that were written down while they ran. */
export class Checkpoints {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  async list(container: string, directory: string | undefined): Promise<readonly Checkpoint[]> {
    return this.#transport.json('GET', at(container), { query: { dir: directory } })
  }

  /** With `exit`, the container stops. */
  async create(
    container: string,
    body: { readonly CheckpointID: string; readonly CheckpointDir: string; readonly Exit: boolean },
  ): Promise<void> {
    await this.#transport.status('POST', at(container), { json: body })
  }

  async remove(container: string, name: string, directory: string | undefined): Promise<void> {
    const path = `${at(container)}/${encodeURIComponent(name)}`
    await this.#transport.status('DELETE', path, { query: { dir: directory } })
  }
}

function at(container: string): string {
  return `/containers/${segment('container', container)}/checkpoints`
}
