import type { Digest } from '#base/digest.ts'
import type { ResultKey } from '#store/build-cache/result-rows.ts'

/** What a step has made, as it can be carried to another host: keys and a layer. */
export interface StepRecord {
  readonly definition: ResultKey
  readonly content: Digest
  /** Undefined: it changed nothing. */
  readonly layer: Digest | undefined
  /** Of the step, for people. */
  readonly name: string
}

/** Brings a layer into the store, on top of those (bottom first); false when it cannot be had any more. */
export type FetchLayer = (layer: Digest, below: readonly Digest[], signal: AbortSignal) => Promise<boolean>

/**
 * Results that somebody else has recorded (`--cache-from`). They are for the builds that ask for them alone: nothing of them
 * gets into the cache of this host, where builds that do not trust their origin would find it.
 */
export class ForeignRecords {
  readonly #records = new Map<string, { readonly record: StepRecord; readonly fetch: FetchLayer }>()

  readonly #keys = new Set<Digest>()

  /** Those that were added first win. */
  addRecords(records: Iterable<StepRecord>, fetch: FetchLayer): void {
    for (const record of records) {
      for (const key of [textOf(record.definition), textOf({ key: record.content, below: '' })]) {
        if (!this.#records.has(key)) this.#records.set(key, { record, fetch })
      }
      this.#keys.add(record.definition.key).add(record.content)
    }
  }

  /** Whether there may be something under this key. */
  mentions(key: Digest): boolean {
    return this.#keys.has(key)
  }

  /**
   * What a step has made, its layer in the store and kept by `keep`, which is called before the layer comes; undefined when
   * nothing is known or the layer cannot be had.
   */
  async find(
    key: ResultKey,
    below: readonly Digest[],
    keep: (layers: readonly Digest[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<StepRecord | undefined> {
    const found = this.#records.get(textOf(key))
    if (found === undefined) return undefined
    const { record, fetch } = found
    if (record.layer === undefined) return record
    await keep([record.layer])
    return (await fetch(record.layer, below, signal)) ? record : undefined
  }
}

function textOf({ key, below }: ResultKey): string {
  return `${key} ${below}`
}
