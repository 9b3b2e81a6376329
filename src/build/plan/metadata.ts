import type { Healthcheck } from '#oci/image-spec.ts'
import { expandInstruction } from '../dockerfile/expand-instruction.ts'
import { cleanPath } from '../dockerfile/ignore.ts'
import type {
  Add,
  Arg,
  CommandInstruction,
  CommandLine,
  Copy,
  HealthcheckConfig,
  Onbuild,
  Run,
} from '../dockerfile/instruction.ts'
import type { StageInstruction } from '../dockerfile/parse.ts'
import { parsePorts } from '../dockerfile/ports.ts'
import { argText, commandText, healthText, listText, pairsText } from './history-text.ts'
import type { ImageDraft } from './image-draft.ts'
import type { Placed, StageState } from './stage-state.ts'

/** Instructions that change the configuration and no file; WORKDIR does both, this is its first half. */
export type MetadataInstruction = Exclude<StageInstruction, Run | Copy | Add>

/** Applies an instruction to the configuration of its stage, and adds its entry of history unless it is WORKDIR. */
export function applyMetadata(state: StageState, placed: Placed<MetadataInstruction>): void {
  const { draft, scope } = state
  const { config } = draft
  const instruction = expandInstruction(placed.file, placed.instruction, scope.lookup)
  switch (instruction.kind) {
    case 'arg':
      return declare(state, { ...instruction, range: placed.range })
    case 'env':
      for (const { key, value } of instruction.pairs) {
        scope.set(key, value)
        draft.setEnv(key, value)
      }
      return draft.add(pairsText('ENV', instruction.pairs))
    case 'label':
      config.Labels = { ...config.Labels, ...Object.fromEntries(instruction.pairs.map(pairEntry)) }
      return draft.add(pairsText('LABEL', instruction.pairs))
    case 'cmd':
    case 'entrypoint':
      return setCommand(state, instruction)
    case 'shell':
      config.Shell = instruction.shell
      return draft.add(listText('SHELL', instruction.shell))
    case 'expose': {
      const ports = instruction.ports.flatMap(parsePorts).toSorted()
      config.ExposedPorts = { ...config.ExposedPorts, ...emptyObjects(ports) }
      return draft.add(listText('EXPOSE', ports))
    }
    case 'volume':
      config.Volumes = { ...config.Volumes, ...emptyObjects(instruction.paths) }
      return draft.add(listText('VOLUME', instruction.paths))
    case 'healthcheck':
      config.Healthcheck = healthcheckOf(instruction.check)
      return draft.add(healthText(config.Healthcheck))
    case 'onbuild':
      return addTrigger(draft, instruction)
    case 'workdir':
      config.WorkingDir = workdirOf(draft, instruction.value)
      return undefined
    case 'user':
      config.User = instruction.value
      return draft.add(`USER ${instruction.value}`)
    case 'stopsignal':
      config.StopSignal = instruction.value
      return draft.add(`STOPSIGNAL ${instruction.value}`)
    case 'maintainer':
      draft.author = instruction.value
      return draft.add(`MAINTAINER ${instruction.value}`)
  }
}

/** An absolute path: as it is written, or clean where it stands on the one before. */
function workdirOf(draft: ImageDraft, path: string): string {
  return path.startsWith('/') ? path : cleanPath(`${draft.workdir}/${path}`)
}

function declare({ scope, draft }: StageState, arg: Arg): void {
  draft.add(argText(scope.declare(arg)))
}

function setCommand(state: StageState, { kind, command }: CommandInstruction): void {
  const { draft } = state
  const { config } = draft
  const args = commandArgs(draft, command)
  if (kind === 'cmd') {
    config.Cmd = args
    config.ArgsEscaped = true
    state.hasCommand = true
    return draft.add(commandText('CMD', args))
  }
  config.Entrypoint = args
  // What the base runs by default is no argument for another program.
  if (!state.hasCommand) delete config.Cmd
  return draft.add(commandText('ENTRYPOINT', args))
}

function commandArgs(draft: ImageDraft, command: CommandLine): readonly string[] {
  return command.form === 'exec' ? command.args : draft.inShell(command.text)
}

function healthcheckOf(check: HealthcheckConfig): Healthcheck {
  if (check.type === 'none') return { Test: ['NONE'] }
  const { command, interval, timeout, startPeriod, startInterval, retries } = check
  const test = command.form === 'exec' ? ['CMD', ...command.args] : ['CMD-SHELL', command.text]
  return {
    Test: test,
    ...(interval === 0 ? {} : { Interval: interval }),
    ...(timeout === 0 ? {} : { Timeout: timeout }),
    ...(startPeriod === 0 ? {} : { StartPeriod: startPeriod }),
    ...(startInterval === 0 ? {} : { StartInterval: startInterval }),
    ...(retries === 0 ? {} : { Retries: retries }),
  }
}

/** The history does not speak of it. */
function addTrigger({ config }: ImageDraft, { expression }: Onbuild): void {
  config.OnBuild = [...(config.OnBuild ?? []), expression]
}

function pairEntry({ key, value }: { readonly key: string; readonly value: string }): [string, string] {
  return [key, value]
}

function emptyObjects(keys: readonly string[]): Record<string, object> {
  return Object.fromEntries(keys.map((key) => [key, {}]))
}
