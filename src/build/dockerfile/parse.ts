import { didYouMean } from '#base/nearest.ts'
import type { Directive } from './directives.ts'
import { dockerfileError, locating } from './failure.ts'
import type { Arg, From, Instruction, Onbuild } from './instruction.ts'
import { lex, type Line } from './lexer.ts'
import { readAdd, readCopy } from './read-files.ts'
import { readArg, readExpose, readFrom, readPairs, readText, readVolume } from './read-metadata.ts'
import { readCommand, readHealthcheck, readRun, readShell } from './read-run.ts'
import { Source } from './source.ts'
import { Statement } from './statement.ts'

/** A parsed Dockerfile. Nothing in it is expanded or resolved yet. */
export interface Dockerfile {
  readonly source: Source
  readonly directives: readonly Directive[]
  readonly escape: '\\' | '`'
  /** ARGs above the first FROM. */
  readonly globals: readonly Arg[]
  readonly stages: readonly Stage[]
}

/** A FROM and what follows it up to the next. */
export interface Stage {
  readonly index: number
  readonly from: From
  readonly instructions: readonly StageInstruction[]
}

export type StageInstruction = Exclude<Instruction, From>

/**
 * Parses a Dockerfile. `name` is what errors call the file. Throws only EngineErrors of kind invalid_argument, with
 * the place, the line and the next step in the message.
 */
export function parseDockerfile(text: string, name?: string): Dockerfile {
  const source = new Source(text, name)
  const top = source.lineRange(1)
  if (text === '') throw dockerfileError(source, top, 'the Dockerfile cannot be empty', BEGIN)
  const { directives, escape, lines } = lex(source)
  if (lines.length === 0) throw dockerfileError(source, top, 'file with no instructions', BEGIN)

  const globals: Arg[] = []
  const stages: { index: number; from: From; instructions: StageInstruction[] }[] = []
  for (const line of lines) {
    const instruction = parseLine(line, escape)
    const stage = stages.at(-1)
    if (instruction.kind === 'from')
      stages.push({ index: stages.length, from: instruction, instructions: [] })
    else if (stage !== undefined) stage.instructions.push(instruction)
    else if (instruction.kind === 'arg') globals.push(instruction)
    else throw dockerfileError(source, line.whole, 'no build stage in current context', BEGIN)
  }
  if (stages.length === 0) throw dockerfileError(source, top, 'dockerfile contains no stages to build', BEGIN)
  return { source, directives, escape, globals, stages }
}

/** Parses an instruction that an image keeps in its `OnBuild`; its places are in `source`. */
export function parseTrigger(
  expression: string,
  source = new Source(expression, 'ONBUILD'),
): Onbuild['trigger'] {
  const [line, ...rest] = lex(source).lines
  if (line === undefined || rest.length > 0)
    throw dockerfileError(source, source.lineRange(1), 'an ONBUILD trigger is exactly one instruction')
  const statement = new Statement(line, '\\')
  return locating(source, line.whole, () => {
    checkTrigger(statement)
    return readTrigger(statement)
  })
}

const BEGIN = 'A Dockerfile begins with FROM image; only ARG may stand before it.'

function parseLine(line: Line, escape: '\\' | '`'): Instruction {
  return locating(line.source, line.whole, () => {
    const statement = new Statement(line, escape)
    return statement.name === 'onbuild' ? readOnbuild(statement) : readInstruction(statement)
  })
}

const NAMES = (
  'ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER ' +
  'VOLUME WORKDIR'
).split(' ')

function readInstruction(statement: Statement): Exclude<Instruction, Onbuild> {
  return statement.name === 'from' ? readFrom(statement) : readTrigger(statement)
}

function readTrigger(statement: Statement): Onbuild['trigger'] {
  switch (statement.name) {
    case 'add':
      return readAdd(statement)
    case 'arg':
      return readArg(statement)
    case 'cmd':
    case 'entrypoint':
      return readCommand(statement, statement.name)
    case 'copy':
      return readCopy(statement)
    case 'env':
    case 'label':
      return readPairs(statement, statement.name)
    case 'expose':
      return readExpose(statement)
    case 'healthcheck':
      return readHealthcheck(statement)
    case 'maintainer':
    case 'stopsignal':
    case 'user':
    case 'workdir':
      return readText(statement, statement.name)
    case 'run':
      return readRun(statement)
    case 'shell':
      return readShell(statement)
    case 'volume':
      return readVolume(statement)
    default:
      throw unknownInstruction(statement)
  }
}

function readOnbuild(statement: Statement): Onbuild {
  const { line, command, escape } = statement
  if (statement.flags[0] !== undefined)
    throw statement.failure(
      `unknown flag: --${statement.flags[0].name}`,
      'ONBUILD has no flags; those of its instruction come after its name.',
    )
  if (statement.rest === '')
    throw statement.failure('ONBUILD requires at least one argument', 'Write ONBUILD RUN command.')
  const inner = new Statement(line, escape, command.rest.start)
  checkTrigger(inner)
  const documents = line.heredocs.map(({ name, content }) => `\n${content}${name}`)
  return {
    ...statement.base(statement.restWords()),
    kind: 'onbuild',
    expression: statement.rest + documents.join(''),
    trigger: readTrigger(inner),
  }
}

function checkTrigger(statement: Statement): void {
  const { title } = statement
  if (title === 'ONBUILD') throw statement.failure("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
  if (title === 'FROM' || title === 'MAINTAINER')
    throw statement.failure(`${title} isn't allowed as an ONBUILD trigger`)
}

function unknownInstruction(statement: Statement): Error {
  const { keyword } = statement.command
  const written = keyword.text
  const options = written === written.toLowerCase() ? NAMES.map((name) => name.toLowerCase()) : NAMES
  const near = didYouMean(written === written.toLowerCase() ? written : written.toUpperCase(), options)
  const hint =
    near === ''
      ? `Instructions are ${NAMES.join(', ')}. Does the line before need a \\ at its end?`
      : undefined
  return statement.failure(`unknown instruction: ${written}${near}`, hint)
}
