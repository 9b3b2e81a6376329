import type { Platform } from '#oci/platform.ts'
import type { Dockerfile } from '../dockerfile/parse.ts'
import type { Range } from '../dockerfile/source.ts'
import { type Origin, StageNames } from '../dockerfile/stage-names.ts'
import { type ResolvedStage, tooEarly } from '../dockerfile/stages.ts'
import type { BaseImage, FileOrigin, Filesystem } from '../graph/operations.ts'
import type { BuildRequest } from '../graph/plan.ts'
import type { BaseImages } from './base-images.ts'

export interface OriginsInput {
  readonly file: Dockerfile
  readonly request: BuildRequest
  readonly images: BaseImages
  readonly target: Platform
  /** The root filesystem of a stage above. */
  readonly stage: (index: number) => Promise<Filesystem>
}

/** Finds what `--from` of COPY and of mounts means. */
export class Origins {
  readonly #input: OriginsInput
  readonly #names: StageNames

  constructor(input: OriginsInput) {
    this.#input = input
    this.#names = new StageNames(input.file, new Set(input.request.contexts.keys()))
  }

  /** `range`: of the instruction in the Dockerfile; the FROM line for a trigger. */
  async find(name: string, by: 'copy' | 'mount', stage: ResolvedStage, range: Range): Promise<FileOrigin> {
    const { index } = stage.stage
    const origin = this.#names.source(name, index, range)
    if (origin.type === 'stage' && origin.index >= index)
      throw tooEarly(this.#input.file, stage, { by, name, origin, range })
    return this.#open(origin, range)
  }

  async #open(origin: Origin, range: Range): Promise<FileOrigin> {
    const { request, stage } = this.#input
    switch (origin.type) {
      case 'stage':
        return stage(origin.index)
      case 'scratch':
        return { kind: 'scratch' }
      case 'image':
        return this.#image(origin.reference, range, origin.hint)
      case 'context': {
        const context = request.contexts.get(origin.name)
        if (context?.type === 'image') return this.#image(context.reference, range)
        return { kind: 'context', name: origin.name }
      }
    }
  }

  async #image(reference: string, range: Range, hint?: string): Promise<BaseImage> {
    const { images, target } = this.#input
    const image = await images.resolve(reference, target, range, hint)
    const label = { name: `FROM ${image.reference}`, stage: undefined, line: range.start.line }
    return { kind: 'image', name: reference, id: image.id, layers: image.layers, label }
  }
}
