/** Field-level differences of two masked documents. */

export interface Difference {
  readonly field: string
  readonly docker: string
  readonly berth: string
}

const ABSENT = Symbol('absent')

/** Of two answers: where one of them is an error and the other is not, what both say besides tells nothing. */
export function answerDifferences(docker: unknown, berth: unknown): Difference[] {
  if (!isObject(docker) || !isObject(berth) || statusOf(docker) === statusOf(berth)) {
    return differences(docker, berth)
  }
  const said = (answer: object): string => `${shown(statusOf(answer))} ${messageOf(answer)}`.trim()
  return [{ field: 'status', docker: said(docker), berth: said(berth) }]
}

function statusOf(answer: object): unknown {
  return 'status' in answer ? answer.status : undefined
}

function messageOf(answer: object): string {
  const { body } = answer as { readonly body?: unknown }
  return isObject(body) && 'message' in body ? String(body.message) : ''
}

function differences(docker: unknown, berth: unknown, field = ''): Difference[] {
  if (Array.isArray(docker) && Array.isArray(berth)) return ofLists(docker, berth, field)
  if (isObject(docker) && isObject(berth)) return ofObjects(docker, berth, field)
  const [theirs, ours] = [shown(docker), shown(berth)]
  return theirs === ours ? [] : [{ field, docker: theirs, berth: ours }]
}

function ofLists(docker: readonly unknown[], berth: readonly unknown[], field: string): Difference[] {
  const found = Array.from({ length: Math.max(docker.length, berth.length) }, (_, i) =>
    differences(
      i < docker.length ? docker[i] : ABSENT,
      i < berth.length ? berth[i] : ABSENT,
      `${field}[${i}]`,
    ),
  )
  return found.flat()
}

function ofObjects(docker: object, berth: object, field: string): Difference[] {
  const [theirs, ours] = [new Map(Object.entries(docker)), new Map(Object.entries(berth))]
  const names = new Set([...theirs.keys(), ...ours.keys()])
  return [...names].flatMap((name) =>
    differences(
      theirs.has(name) ? theirs.get(name) : ABSENT,
      ours.has(name) ? ours.get(name) : ABSENT,
      field === '' ? name : `${field}.${name}`,
    ),
  )
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shown(value: unknown): string {
  return value === ABSENT ? '(absent)' : JSON.stringify(value)
}
