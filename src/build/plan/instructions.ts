import type { ResolvedStage } from '../dockerfile/stages.ts'
import type { CopyStep, FileOrigin, Filesystem, ImagePlan, RunStep } from '../graph/operations.ts'
import type { PlannedInstruction } from '../graph/plan.ts'

/** The instructions of the stages that an image needs, in the order of the file. */
export function plannedInstructions(
  stages: readonly ResolvedStage[],
  { filesystem }: Pick<ImagePlan, 'filesystem'>,
): PlannedInstruction[] {
  const steps = stepsByLine(filesystem)
  const instructions = stages
    .toSorted((a, b) => a.stage.index - b.stage.index)
    .flatMap(({ stage }) => [stage.from, ...stage.instructions])
  return instructions.map(({ text, range }) => ({ text, step: steps.get(range.start.line) }))
}

/** Names of all steps below, by the line of the Dockerfile they stand for; triggers of a base image stand for its FROM. */
function stepsByLine(top: Filesystem): ReadonlyMap<number, string> {
  const names = new Map<number, string>()
  const seen = new Set<FileOrigin>()
  const open: FileOrigin[] = [top]
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (seen.has(node)) continue
    seen.add(node)
    // An image that a COPY takes from is no instruction of its own.
    if ('label' in node && node.label?.stage !== undefined) {
      const { line, name } = node.label
      // Steps come newest first: the FROM of a line is met after its triggers.
      names.set(line, name)
    }
    if ('on' in node) open.push(node.on, ...takenFrom(node))
  }
  return names
}

function takenFrom(step: Exclude<Filesystem, { readonly kind: 'image' | 'scratch' }>): FileOrigin[] {
  if (step.kind === 'run') return mountsOf(step)
  return step.kind === 'copy' ? sourcesOf(step) : []
}

function mountsOf({ mounts }: RunStep): FileOrigin[] {
  return mounts.flatMap((mount) => ('from' in mount && mount.from !== undefined ? [mount.from] : []))
}

function sourcesOf({ sources }: CopyStep): FileOrigin[] {
  return sources.flatMap((source) => (source.type === 'files' ? [source.from] : []))
}
