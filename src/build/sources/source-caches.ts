import type { Downloads } from './download.ts'
import type { GitCheckouts } from './git-checkouts.ts'
import type { KeptEntry, KeptStore } from './kept-store.ts'
import type { ReceivedContexts } from './received-contexts.ts'

export interface SourceCache extends KeptEntry {
  readonly id: string
  /** As BuildKit names it. */
  readonly type: 'regular' | 'source.local' | 'source.git.checkout'
  readonly description: string
}

interface Kind {
  readonly type: SourceCache['type']
  readonly store: KeptStore
  readonly describe: (key: string) => Promise<string>
}

/** What is kept of files that builds took from elsewhere, seen and removed together. */
export class SourceCaches {
  readonly #kinds: readonly Kind[]

  constructor(sources: {
    readonly downloads: Downloads
    readonly checkouts: GitCheckouts
    readonly contexts: ReceivedContexts
  }) {
    const { downloads, checkouts, contexts } = sources
    this.#kinds = [
      { type: 'regular', store: downloads.store, describe: (key) => downloads.describe(key) },
      { type: 'source.git.checkout', store: checkouts.store, describe: (key) => checkouts.describe(key) },
      {
        type: 'source.local',
        store: contexts.store,
        describe: async () => 'files of a directory that a client has sent',
      },
    ]
  }

  async list(): Promise<readonly SourceCache[]> {
    const found: SourceCache[] = []
    for (const { type, store, describe } of this.#kinds) {
      for (const entry of await store.list()) {
        found.push({ ...entry, id: entry.key.slice(0, 25), type, description: await describe(entry.key) })
      }
    }
    return found
  }

  /** Bytes that are free now; none when it is in use, or gone. */
  async remove(id: string): Promise<number> {
    for (const { store } of this.#kinds) {
      const entry = (await store.list()).find(({ key }) => key.startsWith(id))
      if (entry !== undefined) return (await store.remove(entry.key)) ? entry.size : 0
    }
    return 0
  }
}
