import type { Platform } from '#oci/platform.ts'
import type { Instruction } from '../dockerfile/instruction.ts'
import { type Dockerfile, parseTrigger, type StageInstruction } from '../dockerfile/parse.ts'
import { type GlobalScope, StageScope } from '../dockerfile/scope.ts'
import { Source } from '../dockerfile/source.ts'
import { type ResolvedStage, type StageGraph, stagesFor } from '../dockerfile/stages.ts'
import type { BaseImage, CopyStep, Filesystem } from '../graph/operations.ts'
import type { BuildRequest, NamedContext, ResolvedImage } from '../graph/plan.ts'
import type { BaseImages } from './base-images.ts'
import { addCopy } from './copy-step.ts'
import { ImageDraft } from './image-draft.ts'
import { applyMetadata } from './metadata.ts'
import { Origins } from './origins.ts'
import { addRun } from './run-step.ts'
import type { Placed, StageState } from './stage-state.ts'
import { StepNames } from './step-names.ts'
import { addWorkdir } from './workdir-step.ts'

export interface StagePlannerInput {
  readonly request: BuildRequest
  readonly file: Dockerfile
  readonly graph: StageGraph
  readonly global: GlobalScope
  readonly images: BaseImages
  /** What is built for. */
  readonly target: Platform
  readonly signal: AbortSignal
}

/** Plans the stages of a file for one platform, each once and only when it is needed. */
export class StagePlanner {
  readonly #input: StagePlannerInput
  readonly #origins: Origins
  readonly #planned = new Map<number, Promise<StageState>>()
  readonly #bases = new Map<number, ResolvedImage>()

  constructor(input: StagePlannerInput) {
    this.#input = input
    const stage = async (index: number): Promise<Filesystem> => (await this.#stage(index)).filesystem
    this.#origins = new Origins({ ...input, stage })
  }

  /** The images that stages stand on, by the number of the stage, as far as they are known. */
  get bases(): ReadonlyMap<number, ResolvedImage> {
    return this.#bases
  }

  async plan(target: ResolvedStage): Promise<StageState> {
    await this.#resolveImages(target)
    return this.#stage(target.stage.index)
  }

  /** All images that the file says are needed are asked for at once; what triggers need is known later. */
  async #resolveImages(target: ResolvedStage): Promise<void> {
    const { graph, images, request } = this.#input
    const wanted = stagesFor(graph, target).flatMap((resolved) => {
      if (resolved.replacedBy !== undefined) {
        const context = request.contexts.get(resolved.replacedBy)
        return context?.type === 'image'
          ? [images.resolve(context.reference, this.#platformOf(resolved), resolved.base.range)]
          : []
      }
      return [resolved.base, ...resolved.dependencies].flatMap((dependency) => {
        const reference = this.#referenceOf(dependency.origin)
        if (reference === undefined) return []
        const { by, origin, range } = dependency
        const platform = by === 'from' ? this.#platformOf(resolved) : this.#input.target
        return [images.resolve(reference, platform, range, origin.type === 'image' ? origin.hint : undefined)]
      })
    })
    await Promise.all(wanted)
  }

  #referenceOf(origin: ResolvedStage['base']['origin']): string | undefined {
    if (origin.type === 'image') return origin.reference
    const context = origin.type === 'context' ? this.#input.request.contexts.get(origin.name) : undefined
    return context?.type === 'image' ? context.reference : undefined
  }

  #platformOf({ platform }: ResolvedStage): Platform {
    return platform ?? this.#input.target
  }

  #stage(index: number): Promise<StageState> {
    let planned = this.#planned.get(index)
    if (planned === undefined) {
      planned = this.#planStage(index)
      this.#planned.set(index, planned)
    }
    return planned
  }

  async #planStage(index: number): Promise<StageState> {
    const resolved = this.#input.graph.stages[index]
    if (resolved === undefined) throw new RangeError(`there is no stage ${index}`)
    const base = await this.#baseOf(resolved)
    const own = resolved.replacedBy === undefined ? this.#ownInstructions(resolved) : []
    const triggers = resolved.replacedBy === undefined ? takeTriggers(base.draft, resolved) : []
    const placed = [...triggers, ...own]
    const state = this.#begin(resolved, base, placed)
    for (const each of placed) {
      this.#input.signal.throwIfAborted()
      await this.#apply(state, resolved, each)
    }
    return state
  }

  #ownInstructions({ stage }: ResolvedStage): readonly Placed[] {
    const { file } = this.#input
    return stage.instructions.map((instruction) => ({
      instruction,
      file,
      range: instruction.range,
      trigger: false,
    }))
  }

  async #baseOf(resolved: ResolvedStage): Promise<Base> {
    const { request } = this.#input
    const { origin } = resolved.base
    if (resolved.replacedBy !== undefined)
      return this.#contextBase(resolved, resolved.replacedBy, request.contexts.get(resolved.replacedBy))
    switch (origin.type) {
      case 'stage': {
        const { draft, scope, platform, filesystem } = await this.#stage(origin.index)
        return { draft: draft.fork(), scope: scope.fork(), platform, filesystem, from: undefined }
      }
      case 'scratch':
        return this.#emptyBase(resolved, { kind: 'scratch' }, undefined)
      case 'context':
        return this.#contextBase(resolved, origin.name, request.contexts.get(origin.name))
      case 'image':
        return this.#imageBase(resolved, origin.reference)
    }
  }

  #contextBase(
    resolved: ResolvedStage,
    name: string,
    context: NamedContext | undefined,
  ): Base | Promise<Base> {
    if (context?.type === 'image') return this.#imageBase(resolved, context.reference)
    return this.#emptyBase(resolved, { kind: 'scratch' }, name)
  }

  async #imageBase(resolved: ResolvedStage, reference: string): Promise<Base> {
    const platform = this.#platformOf(resolved)
    const image = await this.#input.images.resolve(reference, platform, resolved.base.range)
    this.#bases.set(resolved.stage.index, image)
    const filesystem: BaseImage = {
      kind: 'image',
      name: reference,
      id: image.id,
      layers: image.layers,
    }
    const draft = ImageDraft.of(image, filesystem)
    return { draft, scope: this.#scopeOf(draft), platform, filesystem, from: image.reference }
  }

  /** The configuration of nothing is for what is built for, whatever the FROM line says. */
  #emptyBase(resolved: ResolvedStage, filesystem: Filesystem, from: string | undefined): Base {
    const { target } = this.#input
    const draft = ImageDraft.empty(target)
    return { draft, scope: this.#scopeOf(draft), platform: this.#platformOf(resolved), filesystem, from }
  }

  #scopeOf({ environment }: ImageDraft): StageScope {
    const { file, global } = this.#input
    return new StageScope(file, global, environment)
  }

  #begin(resolved: ResolvedStage, base: Base, placed: readonly Placed[]): StageState {
    const { request, graph } = this.#input
    const { draft, scope, platform, filesystem, from } = base
    const { index } = resolved.stage
    const steps = placed.filter(({ instruction }) => isStep(instruction)).length
    const names = new StepNames({
      stage: resolved.stage.from.name ?? (isAlone(graph, placed) ? undefined : resolved.name),
      total: steps + (from === undefined ? 0 : 1),
      platform: request.platforms.length > 1 ? platform : undefined,
    })
    const uncached = isUncached(request, resolved)
    const state: StageState = {
      index,
      name: resolved.name,
      platform,
      scope,
      draft,
      names,
      uncached,
      filesystem,
      hasCommand: false,
    }
    if (from !== undefined) state.filesystem = labelled(state, resolved, from)
    return state
  }

  async #apply(state: StageState, resolved: ResolvedStage, placed: Placed): Promise<void> {
    const { instruction, range } = placed
    const { request } = this.#input
    switch (instruction.kind) {
      case 'run': {
        const origin = (name: string) => this.#origins.find(name, 'mount', resolved, range)
        return addRun(state, { ...placed, instruction }, { request, origin })
      }
      case 'copy':
      case 'add':
        return addCopy(state, { ...placed, instruction }, (name) =>
          this.#origins.find(name, 'copy', resolved, range),
        )
      case 'workdir':
        return addWorkdir(state, { ...placed, instruction: { ...instruction, kind: 'workdir' } })
      default:
        return applyMetadata(state, { ...placed, instruction })
    }
  }
}

/** What a stage begins with. */
interface Base {
  readonly draft: ImageDraft
  readonly scope: StageScope
  readonly platform: Platform
  readonly filesystem: Filesystem
  /** The image or context of the FROM line, which is a step; undefined for a stage and for nothing. */
  readonly from: string | undefined
}

/** The triggers of the base, which are done once: they do not stay in the image. */
function takeTriggers(draft: ImageDraft, resolved: ResolvedStage): readonly Placed[] {
  const { OnBuild: expressions = [] } = draft.config
  delete draft.config.OnBuild
  return expressions.map((expression) => {
    const source = new Source(expression, `ONBUILD of ${resolved.base.name}`)
    const instruction = parseTrigger(expression, source)
    return { instruction, file: { source, escape: '\\' }, range: resolved.stage.from.range, trigger: true }
  })
}

/** The FROM line as a step: an image, or the files of a named context, which are copied to the root. */
function labelled(state: StageState, resolved: ResolvedStage, from: string): Filesystem {
  const { line } = resolved.stage.from.range.start
  const { filesystem } = state
  const name = state.names.next(`FROM ${from}`)
  if (filesystem.kind === 'image') return { ...filesystem, label: { name, stage: state.name, line } }
  const step: CopyStep = {
    kind: 'copy',
    on: filesystem,
    label: {
      name,
      stage: state.name,
      instruction: resolved.stage.from.text,
      line,
      args: {},
      uncached: state.uncached,
    },
    sources: [{ type: 'files', from: { kind: 'context', name: from }, pattern: '.', unpack: 'never' }],
    destination: '/',
    owner: undefined,
    mode: undefined,
    link: false,
    parents: false,
    exclude: [],
  }
  state.draft.add(`FROM ${from} # buildkit`, step)
  return step
}

function isStep({ kind }: Instruction): boolean {
  return kind === 'run' || kind === 'copy' || kind === 'add' || kind === 'workdir'
}

/** A build of one stage that takes from nowhere else: its steps need no name of a stage. */
function isAlone({ stages }: StageGraph, placed: readonly Placed[]): boolean {
  return stages.length === 1 && !placed.some(({ instruction }) => takesFromElsewhere(instruction))
}

function takesFromElsewhere(instruction: StageInstruction): boolean {
  if (instruction.kind === 'copy') return instruction.from !== undefined
  if (instruction.kind !== 'run') return false
  return instruction.mounts.some((mount) => /(?:^|,)(?:from=|type=(?!bind))/i.test(mount))
}

function isUncached({ noCache, noCacheFilter }: BuildRequest, { stage, name }: ResolvedStage): boolean {
  const names = [name, String(stage.index)]
  return noCache || noCacheFilter.some((wanted) => names.includes(wanted.toLowerCase()))
}
