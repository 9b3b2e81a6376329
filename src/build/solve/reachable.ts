import type { BaseImage, Filesystem } from '../graph/operations.ts'
import { isStep, type Step, takenFilesystems } from './keys.ts'

/** A step and its place among those of its stage. */
export interface PlacedStep {
  readonly step: Step
  /** Name of the stage; a stage that is there for several platforms has one place for each. */
  readonly stage: string
  /** 0-based, from the bottom of the stage. */
  readonly position: number
}

export interface Reachable {
  /** What is below comes before what stands on it. */
  readonly steps: readonly PlacedStep[]
  readonly images: readonly BaseImage[]
}

/** All that the targets may need, each once. */
export function reachable(targets: readonly Filesystem[]): Reachable {
  const order = inOrder(targets)
  const places = new Map<Step, Omit<PlacedStep, 'step'>>()
  const chains = new Map<string, number>()
  const steps = order.filter(isStep).map((step): PlacedStep => {
    const { stage } = step.label
    const below = isStep(step.on) && step.on.label.stage === stage ? places.get(step.on) : undefined
    let place: Omit<PlacedStep, 'step'>
    if (below === undefined) {
      const chain = chains.get(stage) ?? 0
      chains.set(stage, chain + 1)
      place = { stage: chain === 0 ? stage : `${stage}#${chain}`, position: 0 }
    } else {
      place = { stage: below.stage, position: below.position + 1 }
    }
    places.set(step, place)
    return { step, ...place }
  })
  return { steps, images: order.filter((node) => node.kind === 'image') }
}

/** Depth first without recursion: a Dockerfile may have thousands of steps. */
function inOrder(targets: readonly Filesystem[]): Filesystem[] {
  const order = new Set<Filesystem>()
  const entered = new Set<Filesystem>()
  const pending = [...targets].reverse()
  for (let node = pending.at(-1); node !== undefined; node = pending.at(-1)) {
    if (order.has(node) || entered.has(node) || !isStep(node)) {
      pending.pop()
      order.add(node)
      continue
    }
    entered.add(node)
    pending.push(...takenFilesystems(node).toReversed(), node.on)
  }
  return [...order]
}
