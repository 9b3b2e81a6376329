import { isDigest } from '#base/digest.ts'
import type { StepRecord } from '#build/solve/foreign-records.ts'
import type { ImageConfig } from '#oci/image-spec.ts'

/** Field of an image's configuration that says which steps have made its layers. */
const FIELD = 'berth.build-cache.v1'
/** More layers no image can have. */
const MOST_LAYERS = 500

/** The configuration with what is known of the steps behind its layers: an inline cache. */
export function withRecords(config: ImageConfig, records: readonly StepRecord[]): ImageConfig {
  return { ...config, [FIELD]: records.map(written) } as ImageConfig
}

/**
 * The configuration of an image that is nothing but results of steps: its layers lie beside, not upon each other. The newest
 * of them, if there are too many.
 */
export function cacheConfig(
  { architecture, os }: Pick<ImageConfig, 'architecture' | 'os'>,
  records: readonly StepRecord[],
): ImageConfig {
  const all = new Set(records.flatMap(({ layer }) => layer ?? []))
  const layers = [...all].slice(-MOST_LAYERS)
  const kept = new Set(layers)
  const fitting = records.filter(({ layer }) => layer === undefined || kept.has(layer))
  return withRecords(
    { architecture, os, config: {}, rootfs: { type: 'layers', diff_ids: layers }, history: [] },
    fitting,
  )
}

/** What a configuration says of steps. It is a stranger's word: what is not as it should be is left out. */
export function recordsIn(config: ImageConfig): readonly StepRecord[] {
  const field = (config as unknown as Readonly<Record<string, unknown>>)[FIELD]
  if (!Array.isArray(field)) return []
  const layers = new Set(config.rootfs.diff_ids)
  return field.flatMap((item: unknown) => {
    const record = read(item)
    return record === undefined || (record.layer !== undefined && !layers.has(record.layer)) ? [] : [record]
  })
}

function written({ definition, content, layer, name }: StepRecord): object {
  return {
    key: definition.key,
    below: definition.below,
    content,
    ...(layer === undefined ? {} : { layer }),
    name,
  }
}

function read(item: unknown): StepRecord | undefined {
  if (typeof item !== 'object' || item === null) return undefined
  const { key, below, content, layer, name } = item as Readonly<Record<string, unknown>>
  if (!isText(key) || !isText(below) || !isText(content) || !isText(name)) return undefined
  if (!isDigest(key) || !isDigest(content) || (below !== 'any' && !isDigest(below))) return undefined
  if (layer !== undefined && !(isText(layer) && isDigest(layer))) return undefined
  return { definition: { key, below }, content, layer, name }
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}
