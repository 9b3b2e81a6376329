import type { NameService, Resolver } from './name-service.ts'

/** Names without namespaces: answers come from `lookup`, as a container would get them. */
export class FakeNames implements NameService {
  readonly #attached = new Map<string, { readonly pid: number; readonly resolver: Resolver }>()

  /** Containers that are answered, with what they see. */
  get attached(): ReadonlyMap<string, { readonly pid: number; readonly resolver: Resolver }> {
    return this.#attached
  }

  async attach(id: string, { pid }: { readonly pid: number }, resolver: Resolver): Promise<void> {
    this.#attached.set(id, { pid, resolver })
  }

  async update(resolvers: ReadonlyMap<string, Resolver>): Promise<void> {
    for (const [id, resolver] of resolvers) {
      const attached = this.#attached.get(id)
      if (attached !== undefined) this.#attached.set(id, { ...attached, resolver })
    }
  }

  async detach(id: string): Promise<void> {
    this.#attached.delete(id)
  }

  async adopt(ids: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    for (const id of this.#attached.keys()) if (!ids.has(id)) this.#attached.delete(id)
    return new Set(this.#attached.keys())
  }

  /** Its namespace is gone. */
  ended(id: string): void {
    this.#attached.delete(id)
  }

  /**
   * Addresses of a name as container `id` gets them, or the name of an address; undefined when the container is not
   * answered, or its upstreams would be asked.
   */
  lookup(id: string, name: string): readonly string[] | undefined {
    const resolver = this.#attached.get(id)?.resolver
    const pointer = resolver?.pointers.get(name)
    return pointer === undefined ? resolver?.names.get(name.toLowerCase()) : [pointer]
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
