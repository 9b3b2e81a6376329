import type { Report } from './rules.ts'
import type { Dockerfile } from './parse.ts'

/** Blank lines inside continuations; the first of an instruction is shown. */
export function lintContinuations({ globals, stages }: Dockerfile, report: Report): void {
  const instructions = [...globals, ...stages.flatMap(({ from, instructions: rest }) => [from, ...rest])]
  for (const { emptyContinuations } of instructions) {
    const [first] = emptyContinuations
    if (first !== undefined) report('NoEmptyContinuation', first, 'Empty continuation line')
  }
}

/** Names of stages: casing, the casing of AS, duplicates and names that mean something else. */
export function lintStageNames({ stages }: Dockerfile, report: Report): void {
  const names = new Set<string>()
  for (const { from } of stages) {
    const { range, name, keyword, args } = from
    const as = args[1]?.text
    const written = args[2]?.text
    if (name === undefined || as === undefined || written === undefined) continue
    if (written !== name) report('StageNameCasing', range, `Stage name '${written}' should be lowercase`)
    const wanted = caseOf(keyword.text)
    if (wanted !== undefined && as !== inCase(as, wanted))
      report('FromAsCasing', range, `'${as}' and '${keyword.text}' keywords' casing do not match`)
    if (name === 'scratch' || name === 'context')
      report(
        'ReservedStageName',
        range,
        `Stage name should not use the same name as reserved stage "${name}"`,
      )
    if (names.has(name))
      report('DuplicateStageName', range, `Duplicate stage name "${name}", stage names should be unique`)
    names.add(name)
  }
}

/** Comments above FROM and ARG that look like a description but do not name what they describe. */
export function lintComments({ globals, stages }: Dockerfile, report: Report): void {
  const check = (
    title: string,
    keys: readonly string[],
    comments: readonly string[],
    range: Parameters<Report>[1],
  ) => {
    const last = comments.at(-1)
    const [key] = keys
    if (last === undefined || key === undefined || keys.includes(last.split(' ', 1)[0] ?? '')) return
    const shown = keys.length > 1 ? '<arg_key>' : key
    report(
      'InvalidDefinitionDescription',
      range,
      `Comment for ${title} should follow the format: \`# ${shown} <description>\``,
    )
  }
  const args = [
    ...globals,
    ...stages.flatMap((stage) => stage.instructions.filter((each) => each.kind === 'arg')),
  ]
  for (const { declarations, comments, range } of args)
    check(
      'ARG',
      declarations.map(({ name }) => name),
      comments,
      range,
    )
  for (const { from } of stages)
    check('build stage', from.name === undefined ? [] : [from.name], from.comments, from.range)
}

/** Instructions whose letters are not in the case of most of them; upper case in a draw. */
export function lintCasing({ stages }: Dockerfile, report: Report): void {
  const instructions = stages.flatMap(({ from, instructions: rest }) => [from, ...rest])
  const cases = instructions.map(({ keyword }) => caseOf(keyword.text))
  const lower = cases.filter((each) => each === 'lowercase').length
  const upper = cases.filter((each) => each === 'uppercase').length
  const majority = lower > upper ? 'lowercase' : 'uppercase'
  for (const { keyword, range } of instructions) {
    if (keyword.text === inCase(keyword.text, majority)) continue
    const message = `Command '${keyword.text}' should match the case of the command majority (${majority})`
    report('ConsistentInstructionCasing', range, message)
  }
}

function caseOf(text: string): 'lowercase' | 'uppercase' | undefined {
  if (text === text.toLowerCase()) return 'lowercase'
  return text === text.toUpperCase() ? 'uppercase' : undefined
}

function inCase(text: string, wanted: 'lowercase' | 'uppercase'): string {
  return wanted === 'lowercase' ? text.toLowerCase() : text.toUpperCase()
}
