import { expandInstruction, expandMounts } from './expand-instruction.ts'
import type { Arg, Run } from './instruction.ts'
import type { Dockerfile } from './parse.ts'
import { descriptionOf } from './read-metadata.ts'
import { type GlobalScope, StageScope } from './scope.ts'
import type { Range } from './source.ts'
import { type ResolvedStage, type StageGraph, stagesFor } from './stages.ts'

/** A stage that can be built, for `--call=targets`. */
export interface Target {
  /** Undefined for a stage without a name. */
  readonly name: string | undefined
  readonly description: string | undefined
  readonly isDefault: boolean
  /** As written. */
  readonly base: string
  readonly platform: string | undefined
  readonly range: Range
}

export function listTargets({ stages }: Dockerfile): readonly Target[] {
  return stages.map(({ from, index }) => ({
    name: from.name,
    description: descriptionOf(from.name, from.comments),
    isDefault: index === stages.length - 1,
    base: from.image,
    platform: from.platform,
    range: from.range,
  }))
}

/** What can be given to the build of a target, for `--call=outline`. */
export interface Outline {
  readonly name: string | undefined
  readonly description: string | undefined
  readonly args: readonly OutlineArg[]
  readonly secrets: readonly OutlineMount[]
  readonly ssh: readonly OutlineMount[]
}

export interface OutlineArg {
  readonly name: string
  readonly description: string | undefined
  /** In effect; undefined when it has none. */
  readonly value: string | undefined
  readonly range: Range
}

export interface OutlineMount {
  readonly id: string
  readonly required: boolean
  readonly range: Range
}

/** The arguments, secrets and agents that the stages of a target use; the first place of each. */
export function outlineOf(graph: StageGraph, global: GlobalScope, target: ResolvedStage): Outline {
  const collector = new Collector(graph, global)
  for (const resolved of stagesFor(graph, target)) collector.stage(resolved)
  const { name, comments } = target.stage.from
  return { name, description: descriptionOf(name, comments), ...collector.result() }
}

class Collector {
  readonly #graph: StageGraph
  readonly #global: GlobalScope
  readonly #scopes = new Map<number, StageScope>()
  readonly #args = new Map<string, OutlineArg>()
  readonly #secrets = new Map<string, OutlineMount>()
  readonly #ssh = new Map<string, OutlineMount>()

  constructor(graph: StageGraph, global: GlobalScope) {
    this.#graph = graph
    this.#global = global
  }

  stage(resolved: ResolvedStage): void {
    for (const used of [...resolved.imageExpansion.used, ...(resolved.platformExpansion?.used ?? [])])
      this.#globalArg(used)
    const { origin } = resolved.base
    const parent = origin.type === 'stage' ? this.#scopes.get(origin.index) : undefined
    const scope = parent?.fork() ?? new StageScope(this.#graph.file, this.#global)
    this.#scopes.set(resolved.stage.index, scope)
    for (const instruction of resolved.stage.instructions) {
      if (instruction.kind === 'arg') this.#declare(instruction, scope)
      else if (instruction.kind === 'run') this.#mounts(instruction, scope)
      else if (instruction.kind === 'env')
        for (const { key, value } of expandInstruction(this.#graph.file, instruction, scope.lookup).pairs)
          scope.set(key, value)
    }
  }

  result(): Pick<Outline, 'args' | 'secrets' | 'ssh'> {
    return {
      args: [...this.#args.values()],
      secrets: [...this.#secrets.values()],
      ssh: [...this.#ssh.values()],
    }
  }

  #declare(arg: Arg, scope: StageScope): void {
    const values = scope.declare(arg)
    arg.declarations.forEach((written, i) => {
      const { name } = written
      // One that only lets a global ARG in is told where that is declared.
      if (written.value === undefined && this.#globalArg(name)) return
      if (this.#args.has(name)) return
      const { value, description } = values[i] ?? written
      this.#args.set(name, { name, description, value, range: arg.range })
    })
  }

  /** True if there is a global ARG of that name. */
  #globalArg(name: string): boolean {
    const arg = this.#graph.file.globals.find(({ declarations }) =>
      declarations.some((each) => each.name === name),
    )
    const declaration = arg?.declarations.find((each) => each.name === name)
    if (arg === undefined || declaration === undefined) return false
    if (!this.#args.has(name)) {
      const { description } = declaration
      this.#args.set(name, { name, description, value: this.#global.values.get(name), range: arg.range })
    }
    return true
  }

  #mounts(run: Run, scope: StageScope): void {
    const { range } = run
    for (const { type, id, source, target, required } of expandMounts(this.#graph.file, run, scope.lookup)) {
      if (type !== 'secret' && type !== 'ssh') continue
      const fallback = type === 'ssh' ? 'default' : (target ?? '').split('/').at(-1)
      const key = id ?? source ?? fallback ?? ''
      const map = type === 'secret' ? this.#secrets : this.#ssh
      map.set(key, {
        id: key,
        required: required || (map.get(key)?.required ?? false),
        range: map.get(key)?.range ?? range,
      })
    }
  }
}
