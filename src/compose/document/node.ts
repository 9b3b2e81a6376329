/**
 * A Compose file as a tree of values that know where they were written, so that everything which is said about them
 * later, after files were merged, can name file and line.
 */

/** Where a value begins; lines and columns count from 1. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** What `!reset` and `!override` ask of a merge: remove what came before, or put this in its place. */
export type Instruction = 'reset' | 'override'

interface Placed {
  readonly place: Place
  readonly instruction?: Instruction | undefined
}

export type ScalarValue = string | number | boolean | null

export interface Scalar extends Placed {
  readonly kind: 'scalar'
  readonly value: ScalarValue
}

export interface Sequence extends Placed {
  readonly kind: 'sequence'
  readonly items: readonly Node[]
}

export interface Mapping extends Placed {
  readonly kind: 'mapping'
  readonly entries: ReadonlyMap<string, Node>
  /** Where each key stands; a key that was not written has the place of its value. */
  readonly keys: ReadonlyMap<string, Place>
}

export type Node = Scalar | Sequence | Mapping

/** What a node holds, without places: null, strings, numbers, booleans, arrays and objects. */
export type Plain = ScalarValue | readonly Plain[] | { readonly [key: string]: Plain }

export function scalar(value: ScalarValue, place: Place): Scalar {
  return { kind: 'scalar', value, place }
}

export function sequence(items: readonly Node[], place: Place): Sequence {
  return { kind: 'sequence', items, place }
}

export function mapping(entries: Iterable<readonly [string, Node]>, place: Place): Mapping {
  return { kind: 'mapping', entries: new Map(entries), keys: new Map(), place }
}

/** The mapping with some entries replaced or added; `undefined` removes one. */
export function withEntries(node: Mapping, changes: Readonly<Record<string, Node | undefined>>): Mapping {
  const entries = new Map(node.entries)
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) entries.delete(key)
    else entries.set(key, value)
  }
  return { ...node, entries }
}

/** The entry of a mapping; undefined for any other node, and where there is no such entry. */
export function entryOf(node: Node | undefined, key: string): Node | undefined {
  return node?.kind === 'mapping' ? node.entries.get(key) : undefined
}

/** The text of a scalar that is a string; undefined for anything else. */
export function textOf(node: Node | undefined): string | undefined {
  return node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined
}

export function plainOf(node: Node): Plain {
  switch (node.kind) {
    case 'scalar':
      return node.value
    case 'sequence':
      return node.items.map(plainOf)
    case 'mapping':
      return Object.fromEntries([...node.entries].map(([key, value]) => [key, plainOf(value)]))
  }
}

/** The other way round: every part gets the same place. */
export function nodeOf(plain: Plain, place: Place): Node {
  if (plain === null || typeof plain !== 'object') return scalar(plain, place)
  if (Array.isArray(plain)) {
    return sequence(
      plain.map((item: Plain) => nodeOf(item, place)),
      place,
    )
  }
  return mapping(
    Object.entries(plain as Readonly<Record<string, Plain>>).map(([key, value]) => [
      key,
      nodeOf(value, place),
    ]),
    place,
  )
}
