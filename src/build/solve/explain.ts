import type { Digest } from '#base/digest.ts'
import type { TakenFile } from '#store/build-cache/file-list.ts'
import type { CacheMiss } from '../progress/progress.ts'
import type { Filesystem } from '../graph/operations.ts'
import { type Step, takenFilesystems } from './keys.ts'
import type { StepMemory } from './memory.ts'

/** What is to be known of a step that has to be done. */
export interface Missed {
  readonly step: Step
  readonly now: StepMemory
  /** What stood in its place the last time. */
  readonly before: StepMemory | undefined
  /** Its result was there and is damaged or gone. */
  readonly gone: boolean
  /** The files of this list, if it is known still. */
  readonly filesOf: (digest: Digest) => Promise<readonly TakenFile[] | undefined>
}

type Reason = Omit<CacheMiss, 'step' | 'line'>

/** The one reason: what the step says itself comes before the files that it takes, and these before what is below it. */
export async function explain(missed: Missed): Promise<CacheMiss> {
  const { name, line } = missed.step.label
  return { step: name, line, ...(await reasonOf(missed)) }
}

async function reasonOf(missed: Missed): Promise<Reason> {
  const { step, now, before, gone } = missed
  if (step.label.uncached) return { reason: 'disabled' }
  if (gone) return { reason: 'evicted' }
  if (before === undefined) return { reason: 'new' }
  return (
    changedInstruction(before, now) ??
    (await changedFiles(missed, before)) ??
    changedImage(before, now) ??
    changedParent(step, before, now) ?? { reason: 'evicted' }
  )
}

function changedInstruction(before: StepMemory, now: StepMemory): Reason | undefined {
  if (before.fields === now.fields) return undefined
  if (before.instruction !== now.instruction) {
    return { reason: 'instruction', before: before.instruction, after: now.instruction }
  }
  return changedArgument(before.args, now.args) ?? changedField(before.fields, now.fields)
}

function changedArgument(before: StepMemory['args'], after: StepMemory['args']): Reason | undefined {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted()
  const [first, ...others] = names.filter((name) => before[name] !== after[name])
  if (first === undefined) return undefined
  return { reason: 'argument', subject: first, ...change(before[first], after[first], others.length) }
}

/** An instruction above it has changed what it is done with: ENV, WORKDIR, USER, SHELL; or an option of the build has. */
function changedField(before: string, after: string): Reason {
  const [old, current] = [before, after].map((text) => JSON.parse(text) as Record<string, unknown>) as [
    Record<string, unknown>,
    Record<string, unknown>,
  ]
  const names = [...new Set([...Object.keys(old), ...Object.keys(current)])].toSorted()
  const [first = ''] = names.filter((name) => shown(old[name]) !== shown(current[name]))
  if (first === 'env') {
    const [a, b] = [variables(old[first]), variables(current[first])]
    const changed = changedArgument(a, b)
    if (changed !== undefined) return { ...changed, reason: 'instruction', subject: `ENV ${changed.subject}` }
  }
  return {
    reason: 'instruction',
    subject: sayings[first] ?? first,
    ...change(shown(old[first]), shown(current[first]), 0),
  }
}

/** What people write to change a field. */
const sayings: Readonly<Record<string, string>> = {
  args: 'SHELL',
  cwd: 'WORKDIR',
  user: 'USER',
  extraHosts: '--add-host',
  network: '--network',
  platform: '--platform',
}

async function changedFiles(missed: Missed, before: StepMemory): Promise<Reason | undefined> {
  const after = missed.now.files
  if (before.files === after || after === undefined) return undefined
  const old = before.files === undefined ? [] : await missed.filesOf(before.files)
  const current = await missed.filesOf(after)
  // Of a whole filesystem that is mounted no list is made.
  if (old === undefined || current === undefined || old.length + current.length === 0) {
    const [from] = takenFilesystems(missed.step)
    return from === undefined ? { reason: 'file' } : { reason: 'parent', ...labelled(from) }
  }
  const [first, ...others] = changesOf(old, current)
  return first === undefined ? undefined : { reason: 'file', ...first, ...more(others.length) }
}

interface FileChange {
  readonly subject: string
  readonly before?: string
  readonly after?: string
}

/** Files whose contents changed first, then what is new, then what is gone: each in order of paths. */
function changesOf(before: readonly TakenFile[], after: readonly TakenFile[]): FileChange[] {
  const old = new Map(before.map(({ path, digest }) => [path, digest]))
  const current = new Map(after.map(({ path, digest }) => [path, digest]))
  const changed: FileChange[] = []
  const added: FileChange[] = []
  for (const { path, digest } of after) {
    const was = old.get(path)
    if (was === undefined) added.push({ subject: path, after: digest })
    else if (was !== digest) changed.push({ subject: path, before: was, after: digest })
  }
  const removed = before
    .filter(({ path }) => !current.has(path))
    .map(({ path, digest }) => ({ subject: path, before: digest }))
  return [...changed, ...added, ...removed]
}

function changedImage(before: StepMemory, now: StepMemory): Reason | undefined {
  if (now.image === undefined || before.image?.id === now.image.id) return undefined
  return { reason: 'image', subject: now.image.name, ...change(before.image?.id, now.image.id, 0) }
}

function changedParent(step: Step, before: StepMemory, now: StepMemory): Reason | undefined {
  if (before.below === now.below) return undefined
  return { reason: 'parent', ...labelled(step.on) }
}

function labelled(node: Filesystem): { readonly subject?: string } {
  if (node.kind === 'scratch' || node.label === undefined) return {}
  return { subject: node.label.name }
}

function change(
  before: string | undefined,
  after: string | undefined,
  others: number,
): Omit<Reason, 'reason'> {
  return {
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
    ...more(others),
  }
}

function more(others: number): { readonly more?: number } {
  return others === 0 ? {} : { more: others }
}

function shown(value: unknown): string | undefined {
  return typeof value === 'string' || value === undefined ? value : JSON.stringify(value)
}

function variables(env: unknown): Record<string, string> {
  if (!Array.isArray(env)) return {}
  return Object.fromEntries(
    env.map((entry: unknown) => {
      const text = String(entry)
      const at = text.indexOf('=')
      return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
    }),
  )
}
