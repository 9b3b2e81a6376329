import type { ContainerSummary } from '#api/generated/types.ts'
import { isKind } from '#base/errors.ts'
import type { Client } from '#client/client.ts'
import { unlessGone } from './unless-gone.ts'

/** What was made for a project, and where nothing has run yet. */
export class Made {
  readonly #client: Client
  readonly #project: string
  /** Ids by name. */
  readonly #containers = new Map<string, string>()
  readonly #networks = new Set<string>()
  readonly #volumes = new Set<string>()

  constructor(client: Client, project: string) {
    this.#client = client
    this.#project = project
  }

  addContainer(name: string, id: string): void {
    this.#containers.set(name, id)
  }

  addNetwork(name: string): void {
    this.#networks.add(name)
  }

  addVolume(name: string): void {
    this.#volumes.add(name)
  }

  /** A container that has run, or is removed. */
  forgetContainer(id: string): void {
    for (const [name, made] of this.#containers) if (made === id) this.#containers.delete(name)
  }

  /** Removes it, but for networks and volumes that somebody else has come to use. Returns what was removed. */
  async takeBack(): Promise<readonly string[]> {
    const names = [...this.#containers.keys()]
    for (const id of this.#containers.values()) {
      await unlessGone(this.#client.containers.remove(id, { force: true, volumes: true }))
    }
    this.#containers.clear()
    return [...names, ...(await this.#takeBackResources())]
  }

  async #takeBackResources(): Promise<readonly string[]> {
    const removed: string[] = []
    if (this.#networks.size + this.#volumes.size === 0) return removed
    const label = [`com.docker.compose.project=${this.#project}`]
    const left = await this.#client.containerQuery.list({ all: true, filters: { label } })
    const used = new Set(left.flatMap(namesUsed))
    for (const name of this.#networks) {
      if (!used.has(name) && (await isRemoved(this.#client.networks.remove(name))))
        removed.push(`network ${name}`)
    }
    for (const name of this.#volumes) {
      if (!used.has(name) && (await isRemoved(this.#client.volumes.remove(name))))
        removed.push(`volume ${name}`)
    }
    return removed
  }
}

/** Networks and volumes, also of a container that has ended: it may be started again. */
function namesUsed({ NetworkSettings, Mounts }: ContainerSummary): readonly string[] {
  return [...Object.keys(NetworkSettings?.Networks ?? {}), ...(Mounts ?? []).map(({ Name }) => Name ?? '')]
}

async function isRemoved(removal: Promise<void>): Promise<boolean> {
  try {
    await removal
    return true
  } catch (error) {
    if (isKind(error, 'not_found') || isKind(error, 'conflict') || isKind(error, 'permission_denied'))
      return false
    throw error
  }
}
