import type { Digest } from '#base/digest.ts'
import type { History, ImageConfig } from '#oci/image-spec.ts'
import type { Filesystem, ImagePlan } from '../graph/operations.ts'

export interface ImageConfigOptions {
  /** Of the build, ISO 8601: for steps whose time is not known. */
  readonly now: string
  /** Of SOURCE_DATE_EPOCH, in seconds: then nothing that was built here is of another time. */
  readonly epoch?: number | undefined
  /** When the result of a step was made, ISO 8601: a build that did nothing anew then gives the same image again. */
  readonly createdOf?: ((step: Filesystem) => string | undefined) | undefined
}

/**
 * The configuration of a built image, keys in the order in which Docker writes them. `layerOf` gives the layer that a step has
 * made; a step that changed nothing has none, and its entry of history says so. Times of metadata are those of the layer before,
 * or of the first one made here.
 */
export function imageConfig(
  plan: ImagePlan,
  layerOf: (step: Filesystem) => Digest | undefined,
  options: ImageConfigOptions,
): ImageConfig {
  const baseLayers = plan.base?.layers ?? []
  const entries = plan.history.map(({ createdBy, step }) => {
    const layer = step === undefined ? undefined : layerOf(step)
    return { createdBy, layer, created: step === undefined ? undefined : createdOf(step, options) }
  })
  const base = fitting(plan.baseHistory, baseLayers.length)
  const times = fillTimes([
    ...base.map(({ created }) => created ?? undefined),
    ...entries.map(({ created }) => created),
  ])
  const built = entries.map(({ createdBy, layer }, i): History => {
    const created = isoOf(options.epoch) ?? times[base.length + i]
    return {
      ...(created === undefined ? {} : { created }),
      created_by: createdBy,
      comment: 'buildkit.dockerfile.v0',
      ...(layer === undefined ? { empty_layer: true } : {}),
    }
  })
  const history = [...base, ...built]
  const { os, architecture, variant, 'os.version': version } = plan.platform
  const created = isoOf(options.epoch) ?? history.findLast((entry) => entry.created)?.created
  return {
    architecture,
    ...(plan.author === undefined ? {} : { author: plan.author }),
    config: plan.config,
    ...(created ? { created } : {}),
    history,
    os,
    ...(version === undefined ? {} : { 'os.version': version }),
    rootfs: { type: 'layers', diff_ids: [...baseLayers, ...entries.flatMap(({ layer }) => layer ?? [])] },
    ...(variant === undefined ? {} : { variant }),
  }
}

function createdOf(step: Filesystem, { createdOf: known, now }: ImageConfigOptions): string {
  return known?.(step) ?? now
}

function isoOf(seconds: number | undefined): string | undefined {
  return seconds === undefined ? undefined : new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}

/**
 * The history of the base with as many entries of layers as it has layers: where strangers have left some out, nameless ones
 * are added at its end; where there are too many, the first ones made none.
 */
function fitting(history: readonly History[], layers: number): readonly History[] {
  let surplus = history.filter((entry) => entry.empty_layer !== true).length - layers
  if (surplus < 0) {
    const missing = { comment: 'layers of the base image without history' }
    return [...history, ...Array.from({ length: -surplus }, () => missing)]
  }
  return history.map((entry) => {
    if (surplus === 0 || entry.empty_layer === true) return entry
    surplus--
    return { ...entry, empty_layer: true }
  })
}

/** Gives entries without a time that of the first one made after a gap, and from then on that of the one before. */
function fillTimes(times: readonly (string | undefined)[]): readonly (string | undefined)[] {
  const gap = times.indexOf(undefined)
  if (gap === -1) return times
  let time =
    times.slice(gap).find((known) => known !== undefined) ?? times.findLast((known) => known !== undefined)
  return times.map((known, i) => {
    if (known !== undefined && i > gap) time = known
    return known ?? time
  })
}
