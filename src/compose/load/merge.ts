import { problemAt } from '../document/errors.ts'
import { type Mapping, type Node, type Sequence, plainOf } from '../document/node.ts'
import { type ListShape, type Shape, any } from '../schema/shape.ts'

/**
 * What a later file makes of an earlier one: mappings are merged key by key, lists as their attribute says, everything
 * else is replaced. `!override` replaces, `!reset` removes, whatever it stands at. Both nodes conform to the shape.
 */
export function merge(base: Node, other: Node, shape: Shape, path = ''): Node {
  if (other.instruction !== undefined) return other
  const { kind } = other
  if (kind === 'scalar' && other.value === null && base.kind !== 'scalar') return base
  if (base.kind === 'mapping' && kind === 'mapping') {
    const apart = shape.kind === 'object' && shape.mergeWhen?.(base, other) === false
    return apart ? other : mergeMappings(base, other, shape, path)
  }
  if (base.kind === 'sequence' && kind === 'sequence') return mergeLists(base, other, listShape(shape))
  const replaceable = base.kind === 'scalar' || shape.kind === 'either'
  if (replaceable || base.kind === kind) return other
  throw problemAt(
    other.place,
    `cannot override ${path}: what it was in ${base.place.file} is of another kind`,
  )
}

function mergeMappings(base: Mapping, other: Mapping, shape: Shape, path: string): Mapping {
  const entries = new Map(base.entries)
  for (const [key, value] of other.entries) {
    const before = entries.get(key)
    const at = path === '' ? key : `${path}.${key}`
    entries.set(key, before === undefined ? value : merge(before, value, shapeOf(shape, key), at))
  }
  return { ...other, entries, keys: new Map([...base.keys, ...other.keys]) }
}

/** The shape of what stands under a key. */
function shapeOf(shape: Shape, key: string): Shape {
  if (shape.kind === 'object')
    return (Object.hasOwn(shape.fields, key) ? shape.fields[key] : undefined) ?? any
  if (shape.kind === 'map') return shape.value
  if (shape.kind === 'either')
    return shape.shapes.find(({ kind }) => kind === 'object' || kind === 'map') ?? any
  return any
}

function listShape(shape: Shape): ListShape | undefined {
  return shape.kind === 'list' ? shape : undefined
}

function mergeLists(base: Sequence, other: Sequence, shape: ListShape | undefined): Sequence {
  if (shape?.merge === 'replace') return other
  return unified({ ...other, items: [...base.items, ...other.items] }, shape)
}

/** A list with each of its keys, or values, once: the later one in the place of the earlier. */
function unified(list: Sequence, shape: ListShape | undefined): Sequence {
  const rule = shape?.merge ?? 'append'
  if (rule === 'append' || rule === 'replace') return list
  const keyOf = rule === 'unique' ? (item: Node): string => JSON.stringify(plainOf(item)) : rule.by
  const items = new Map<string, Node>()
  for (const item of list.items) items.set(keyOf(item), item)
  return { ...list, items: [...items.values()] }
}

/**
 * The node without what `!reset` stands at, without marks of `!override`, and with each list unified: what remains when
 * nothing more is merged.
 */
export function settle(node: Node, shape: Shape): Node | undefined {
  if (node.instruction === 'reset') return undefined
  switch (node.kind) {
    case 'scalar':
      return { ...node, instruction: undefined }
    case 'sequence': {
      const { item = any } = listShape(shape) ?? {}
      const items = node.items.flatMap((each) => settle(each, item) ?? [])
      return unified({ ...node, items, instruction: undefined }, listShape(shape))
    }
    case 'mapping': {
      const entries = [...node.entries].flatMap(([key, value]) => {
        const settled = settle(value, shapeOf(shape, key))
        return settled === undefined ? [] : [[key, settled] as const]
      })
      return { ...node, entries: new Map(entries), instruction: undefined }
    }
  }
}
