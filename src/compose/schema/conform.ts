import { didYouMean } from '#base/nearest.ts'
import { type Problem, problemsOf } from '../document/errors.ts'
import type { Mapping, Node, Scalar, Sequence } from '../document/node.ts'
import { castScalar } from './scalars.ts'
import type { EitherShape, ListShape, MapShape, ObjectShape, ScalarShape, Shape } from './shape.ts'

/**
 * The node as its shape wants it: short forms written out, scalars of the right type. What does not fit is added to
 * `problems`, each with the place where it stands. Values under `!reset` are taken as they are.
 */
export function conform(node: Node, shape: Shape, path: string, problems: Problem[]): Node {
  if (node.instruction === 'reset') return node
  const conformed = conformKind(node, shape, path, problems)
  return node.instruction === undefined ? conformed : { ...conformed, instruction: node.instruction }
}

function conformKind(node: Node, shape: Shape, path: string, problems: Problem[]): Node {
  switch (shape.kind) {
    case 'any':
      return node
    case 'scalar':
      return conformScalar(node, shape, path, problems)
    case 'either':
      return conformEither(node, shape, path, problems)
    case 'list':
      return conformList(node, shape, path, problems)
    case 'map':
      return conformMap(node, shape, path, problems)
    case 'object':
      return conformObject(node, shape, path, problems)
  }
}

function conformScalar(node: Node, shape: ScalarShape, path: string, problems: Problem[]): Node {
  if (node.kind !== 'scalar') {
    problems.push({ place: node.place, message: `${path} must be a single value, not ${nounOf(node)}` })
    return node
  }
  const result = castScalar(node.value, shape)
  if ('value' in result) return { ...node, value: result.value }
  problems.push({ place: node.place, message: `${path} ${result.problem}` })
  return node
}

function conformEither(node: Node, { shapes }: EitherShape, path: string, problems: Problem[]): Node {
  const fitting = shapes.find((shape) => takes(shape, node)) ?? shapes[0]
  return fitting === undefined ? node : conformKind(node, fitting, path, problems)
}

function takes(shape: Shape, node: Node): boolean {
  if (shape.kind === 'any') return true
  if (shape.kind === 'either') return shape.shapes.some((each) => takes(each, node))
  const kinds = { scalar: 'scalar', list: 'sequence', map: 'mapping', object: 'mapping' } as const
  return kinds[shape.kind] === node.kind
}

function conformList(node: Node, shape: ListShape, path: string, problems: Problem[]): Node {
  const list = attempt(() => shape.from?.(node), problems, path) ?? node
  if (list.kind === 'scalar' && list.value === null) return list
  if (list.kind === 'scalar' && shape.single === true)
    return { kind: 'sequence', items: [conform(list, shape.item, path, problems)], place: list.place }
  if (list.kind !== 'sequence') {
    problems.push({ place: list.place, message: `${path} must be a list, not ${nounOf(list)}` })
    return list
  }
  return conformItems(list, shape, path, problems)
}

function conformItems(list: Sequence, shape: ListShape, path: string, problems: Problem[]): Sequence {
  const { expand } = shape
  const items = list.items.flatMap((item, i) => {
    const at = `${path}[${i}]`
    const expanded =
      expand !== undefined && item.kind === 'scalar'
        ? (attempt(() => expand(item), problems, at) ?? [])
        : [item]
    return expanded.map((each) => conform(each, shape.item, at, problems))
  })
  return { ...list, items }
}

/** What a short form stands for; what is wrong with it joins the other problems. */
function attempt<T>(read: () => T, problems: Problem[], path: string): T | undefined {
  try {
    return read()
  } catch (error) {
    const found = problemsOf(error)
    if (found === undefined) throw error
    problems.push(...found.map(({ place, message }) => ({ place, message: `${path}: ${message}` })))
    return undefined
  }
}

function conformMap(node: Node, shape: MapShape, path: string, problems: Problem[]): Node {
  const map = attempt(() => shape.from?.(node), problems, path) ?? node
  if (map.kind === 'scalar' && map.value === null) return map
  if (map.kind !== 'mapping') {
    problems.push({ place: map.place, message: `${path} must be a mapping, not ${nounOf(map)}` })
    return map
  }
  const entries = new Map<string, Node>()
  for (const [key, value] of map.entries) {
    if (shape.keys?.test(key) === false && !key.startsWith('x-')) {
      problems.push({
        place: placeOfKey(map, key),
        message: `${path}: ${JSON.stringify(key)} is no valid name; letters, digits, '.', '_' and '-' are`,
      })
    }
    entries.set(key, conform(value, shape.value, `${path}.${key}`, problems))
  }
  return { ...map, entries }
}

function conformObject(node: Node, shape: ObjectShape, path: string, problems: Problem[]): Node {
  const object = attempt(() => shape.from?.(node), problems, path) ?? node
  if (object.kind === 'scalar' && object.value === null && shape.nullable === true) return object
  if (object.kind !== 'mapping') {
    const noun = object.kind === 'scalar' && object.value === null ? 'empty' : nounOf(object)
    problems.push({ place: object.place, message: `${path || 'the file'} must be a mapping, not ${noun}` })
    return object
  }
  const entries = new Map<string, Node>()
  for (const [key, value] of object.entries) {
    const field = Object.hasOwn(shape.fields, key) ? shape.fields[key] : undefined
    if (field === undefined && !key.startsWith('x-')) problems.push(unknownKey(object, key, shape, path))
    else entries.set(key, field === undefined ? value : conform(value, field, at(path, key), problems))
  }
  for (const key of shape.required ?? []) {
    if (!entries.has(key))
      problems.push({ place: object.place, message: `${path} needs the key ${JSON.stringify(key)}` })
  }
  return { ...object, entries }
}

function unknownKey(object: Mapping, key: string, shape: ObjectShape, path: string): Problem {
  const where = path === '' ? '' : `${path}: `
  const hint = didYouMean(key, Object.keys(shape.fields))
  return { place: placeOfKey(object, key), message: `${where}unknown key ${JSON.stringify(key)}${hint}` }
}

function placeOfKey(node: Mapping, key: string): Problem['place'] {
  return node.keys.get(key) ?? node.entries.get(key)?.place ?? node.place
}

function at(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`
}

function nounOf(node: Exclude<Node, Scalar> | Scalar): string {
  if (node.kind === 'sequence') return 'a list'
  if (node.kind === 'mapping') return 'a mapping'
  return node.value === null ? 'nothing' : JSON.stringify(node.value)
}
