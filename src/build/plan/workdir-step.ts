import type { TextInstruction } from '../dockerfile/instruction.ts'
import type { DirectoryStep } from '../graph/operations.ts'
import { applyMetadata } from './metadata.ts'
import { labelOf, type Placed, type StageState } from './stage-state.ts'
import { stepText, targetOf } from './step-text.ts'

/** WORKDIR: the configuration's directory, and a step that makes it. The root is always there. */
export function addWorkdir(state: StageState, placed: Placed<TextInstruction>): void {
  const text = stepText(state, placed)
  applyMetadata(state, placed)
  const { draft } = state
  const path = draft.workdir
  const createdBy = `WORKDIR ${draft.config.WorkingDir ?? ''}`
  if (path === '/') return draft.add(createdBy)
  const step: DirectoryStep = {
    kind: 'directory',
    on: state.filesystem,
    label: labelOf(state, placed, state.names.next(text, targetOf(state))),
    path,
    user: draft.user,
  }
  state.filesystem = step
  draft.add(createdBy, step)
}
