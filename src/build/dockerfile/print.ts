import { spaceEnd } from './characters.ts'
import type { CommandLine, Document, Healthcheck, Instruction, Pair } from './instruction.ts'
import type { Dockerfile } from './parse.ts'

/** A Dockerfile with the same meaning in canonical form: parsing it gives the same model but for places. */
export function printDockerfile(file: Dockerfile): string {
  const directives = file.directives.map(({ name, value }) => `# ${name}=${value}`)
  const instructions = [
    ...file.globals,
    ...file.stages.flatMap(({ from, instructions: rest }) => [from, ...rest]),
  ]
  // An empty comment keeps a comment below from being taken for a directive.
  const head = (instructions[0]?.comments.length ?? 0) > 0 ? [...directives, '#'] : directives
  return [...head, ...instructions.map((each) => printInstruction(each, file.escape))].join('\n') + '\n'
}

function printInstruction(instruction: Instruction, escape: '\\' | '`' = '\\'): string {
  const { keyword, flags, comments } = instruction
  const words = [keyword.text.toUpperCase(), ...flags.map(({ name, value }) => printFlag(name, value))]
  const rest = printArguments(instruction)
  // Arguments that look like a flag need the mark that ends flags.
  if (rest.startsWith('--')) words.push('--')
  const joined = `${words.join(' ')} ${rest}`
  const line = joined.slice(0, spaceEnd(joined))
  // A form feed is blank, but keeps an escape at the end from being a continuation.
  const guard = continues(line, escape) ? '\f' : ''
  return [...comments.map((comment) => `# ${comment}`), line + guard + printDocuments(instruction)].join('\n')
}

function printArguments(instruction: Instruction): string {
  switch (instruction.kind) {
    case 'from':
      return instruction.image + (instruction.name === undefined ? '' : ` AS ${instruction.name}`)
    case 'run':
    case 'cmd':
    case 'entrypoint':
      return printCommand(instruction.command)
    case 'copy':
    case 'add': {
      const { form, sources, documents, destination } = instruction
      if (form === 'exec') return JSON.stringify([...sources, destination])
      return [...sources, ...documents.map(printAnnouncement), destination].join(' ')
    }
    case 'env':
    case 'label':
      return printPairs(instruction.pairs, instruction.legacy)
    case 'arg':
      return instruction.declarations
        .map(({ name, value }) => (value === undefined ? name : `${name}=${value}`))
        .join(' ')
    case 'expose':
      return instruction.ports.join(' ')
    case 'volume':
      return instruction.form === 'exec' ? JSON.stringify(instruction.paths) : instruction.paths.join(' ')
    case 'shell':
      return JSON.stringify(instruction.shell)
    case 'healthcheck':
      return printHealthcheck(instruction)
    case 'onbuild':
      return instruction.expression.split('\n', 1).join('')
    default:
      return instruction.value
  }
}

function printCommand(command: CommandLine): string {
  return command.form === 'exec' ? JSON.stringify(command.args) : command.text
}

function printHealthcheck({ check }: Healthcheck): string {
  return check.type === 'none' ? 'NONE' : `CMD ${printCommand(check.command)}`
}

function printPairs(pairs: readonly Pair[], legacy: boolean): string {
  return pairs.map(({ key, value }) => `${key}${legacy ? ' ' : '='}${value}`).join(' ')
}

/** Backslashes take the meaning from blanks and quotes in any file, whatever its escape is. */
function printFlag(name: string, value: string | undefined): string {
  const text = value === undefined ? name : `${name}=${value}`
  return `--${text.replaceAll(/[\s\u0085'"\\]/g, '\\$&')}`
}

function printAnnouncement({ name, expand }: Document): string {
  const quoted = name.includes("'") ? `"${name}"` : `'${name}'`
  return `<<${expand ? name.replaceAll(/[\s'"\\$<]/g, '\\$&') : quoted}`
}

function printDocuments(instruction: Instruction): string {
  switch (instruction.kind) {
    case 'copy':
    case 'add':
      return instruction.documents.map(({ name, content }) => `\n${content}${name}`).join('')
    case 'run':
      // The command still has its <<-, so tabs stay.
      return instruction.heredocs.map(({ name, content }) => `\n${content}${name}`).join('')
    case 'onbuild':
      // The expression holds the documents of its instruction.
      return instruction.expression.replace(/^[^\n]*/, '')
    default:
      return ''
  }
}

function continues(line: string, escape: string): boolean {
  return line.endsWith(escape) && !line.endsWith(escape + escape)
}
