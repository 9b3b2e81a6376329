import { expandMounts } from '../dockerfile/expand-instruction.ts'
import { dockerfileError, locating } from '../dockerfile/failure.ts'
import { heredocText, parseHeredocStart } from '../dockerfile/heredoc.ts'
import type { Run } from '../dockerfile/instruction.ts'
import { PROXY_ARGS } from '../dockerfile/scope.ts'
import type { FileOrigin, RunStep } from '../graph/operations.ts'
import type { BuildRequest } from '../graph/plan.ts'
import { checkDocumentName } from './document-name.ts'
import { privilegesOf } from './entitlements.ts'
import { runText } from './history-text.ts'
import { runMounts } from './run-mounts.ts'
import { argumentsOf, labelOf, type Placed, type StageState } from './stage-state.ts'
import { heredocSummary, stepText, targetOf } from './step-text.ts'

export interface RunInput {
  readonly request: BuildRequest
  /** What a mount's `from` names. */
  readonly origin: (name: string) => Promise<FileOrigin>
}

/** RUN: the process, and its entry of history. */
export async function addRun(state: StageState, placed: Placed<Run>, input: RunInput): Promise<void> {
  const { request } = input
  const { draft, scope } = state
  const { file, instruction } = placed
  const { network, security } = privilegesOf(request, placed)
  const mounts = expandMounts(file, instruction, scope.lookup)
  const origins = await Promise.all(
    mounts.map(async ({ from }) => (from === undefined ? undefined : input.origin(from))),
  )
  const { BUILDKIT_CACHE_MOUNT_NS: cacheNamespace, BUILDKIT_SANDBOX_HOSTNAME: hostname } = request.buildArgs
  const { args, scripts, summary } = commandOf(state, placed)
  const step: RunStep = {
    kind: 'run',
    on: state.filesystem,
    label: labelOf(state, placed, state.names.next(stepText(state, placed) + summary, targetOf(state))),
    args,
    env: Array.from(scope.variables, ([name, value]) => `${name}=${value}`),
    proxyEnv: proxyEnvironment(request, scope.variables),
    cwd: draft.workdir,
    user: draft.user,
    mounts: locating(file.source, instruction.range, () =>
      runMounts(mounts, { workdir: draft.workdir, cacheNamespace, origins }),
    ),
    scripts,
    network,
    security,
    platform: state.platform,
    hostname: hostname || 'buildkitsandbox',
    extraHosts: request.extraHosts,
    limits: request.limits,
  }
  state.filesystem = step
  draft.add(runText(args, argumentsOf(state)), step)
}

interface Command {
  readonly args: readonly string[]
  readonly scripts: RunStep['scripts']
  /** Behind the step's name. */
  readonly summary: string
}

function commandOf({ draft }: StageState, placed: Placed<Run>): Command {
  const { file, instruction } = placed
  const { command, heredocs } = instruction
  const [first] = heredocs
  if (command.form === 'exec') {
    if (command.args.length > 0) return { args: command.args, scripts: [], summary: '' }
    const hint = 'Write RUN command, or RUN ["program", "argument"].'
    throw dockerfileError(file.source, instruction.range, 'RUN needs a command', hint)
  }
  if (first === undefined) return { args: draft.inShell(command.text), scripts: [], summary: '' }
  if (parseHeredocStart(command.text) === undefined) {
    // The shell reads the documents itself.
    const documents = heredocs.map(({ name, content }) => `\n${content}${name}`)
    return { args: draft.inShell(command.text + documents.join('')), scripts: [], summary: '' }
  }
  const content = heredocText(first)
  const summary = ` (${heredocSummary(first.content)})`
  // As it stands: a script is not indented.
  if (!first.content.startsWith('#!')) return { args: draft.inShell(content), scripts: [], summary }
  const { name } = first
  locating(file.source, instruction.range, () => checkDocumentName(name))
  return { args: draft.inShell(`/dev/pipes/${name}`), scripts: [{ name, content }], summary }
}

/** Both cases of each setting, as programs look for the one or the other; what is declared is there already. */
function proxyEnvironment(
  { buildArgs }: BuildRequest,
  variables: ReadonlyMap<string, string>,
): readonly string[] {
  return [...PROXY_ARGS].flatMap((name) => {
    const value = buildArgs[name] ?? buildArgs[otherCase(name)]
    return value === undefined || value === '' || variables.has(name) ? [] : [`${name}=${value}`]
  })
}

function otherCase(name: string): string {
  return name === name.toUpperCase() ? name.toLowerCase() : name.toUpperCase()
}
