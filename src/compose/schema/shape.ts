/**
 * The language in which the Compose format is written down, once, as data: which keys there are, what their values look
 * like, which short forms stand for them, how two files' values are merged, and how the normal form writes them. Reading
 * (conform.ts), merging (load/merge.ts) and writing (document.ts) are loops over these tables.
 */
import type { Node, Scalar } from '../document/node.ts'

/**
 * What a scalar holds in the end. `text` takes numbers and booleans, too, as text; `bytes` is a size such as `64m`,
 * written in bytes; `duration` one such as `1m30s`; `mode` the permission bits of a file, written in octal.
 */
export type ScalarType = 'string' | 'text' | 'integer' | 'number' | 'boolean' | 'bytes' | 'duration' | 'mode'

/** How the normal form treats a value that says nothing: it is left out, unless `written` says otherwise. */
export interface Written {
  /** `set`: also when it is zero, false or empty. `always`: also when nobody gave it. `never`: it is read, and dropped. */
  readonly written?: 'set' | 'always' | 'never'
}

export interface ScalarShape extends Written {
  readonly kind: 'scalar'
  readonly type: ScalarType
  readonly oneOf?: readonly string[] | undefined
  readonly nullable?: boolean | undefined
}

/** What becomes of a list when a later file has one, too. */
export type ListMerge =
  | 'append'
  | 'replace'
  /** Appended, each value once. */
  | 'unique'
  /** Appended; of those with the same key the later one takes the place of the earlier. */
  | { readonly by: (item: Node) => string }

export interface ListShape extends Written {
  readonly kind: 'list'
  readonly item: Shape
  readonly merge: ListMerge
  /** One value stands for a list of it. */
  readonly single?: boolean | undefined
  /** The list that some other form stands for; undefined: it is no such form. */
  readonly from?: ((node: Node) => Node | undefined) | undefined
  /** The items that a short form of one stands for. */
  readonly expand?: ((item: Scalar) => readonly Node[]) | undefined
  readonly sorted?: boolean | undefined
}

export interface MapShape extends Written {
  readonly kind: 'map'
  readonly value: Shape
  readonly keys?: RegExp | undefined
  /** The mapping that some other form, mostly a list, stands for; undefined: it is no such form. */
  readonly from?: ((node: Node) => Node | undefined) | undefined
}

export interface ObjectShape extends Written {
  readonly kind: 'object'
  /** In the order in which the normal form writes them. */
  readonly fields: Fields
  readonly required?: readonly string[] | undefined
  readonly nullable?: boolean | undefined
  /** The object that a short form stands for; undefined: it is no such form. */
  readonly from?: ((node: Node) => Node | undefined) | undefined
  /** Whether two files' values are merged key by key; otherwise the later one replaces the earlier. */
  readonly mergeWhen?: ((base: Node, other: Node) => boolean) | undefined
  /** Keys that JSON has under another name. */
  readonly renamed?: Readonly<Record<string, string>> | undefined
}

/** Any of several; the first that fits the kind of a node is taken. */
export interface EitherShape extends Written {
  readonly kind: 'either'
  readonly shapes: readonly Shape[]
}

/** Whatever it is: what `x-` keys hold. */
export interface AnyShape extends Written {
  readonly kind: 'any'
}

export type Shape = ScalarShape | ListShape | MapShape | ObjectShape | EitherShape | AnyShape
export type Fields = Readonly<Record<string, Shape>>

type ScalarExtras = Omit<ScalarShape, 'kind' | 'type'>

function scalarOf(type: ScalarType): (extras?: ScalarExtras) => ScalarShape {
  return (extras = {}) => ({ kind: 'scalar', type, ...extras })
}

export const string = scalarOf('string')
export const text = scalarOf('text')
export const integer = scalarOf('integer')
export const number = scalarOf('number')
export const boolean = scalarOf('boolean')
export const bytes = scalarOf('bytes')
export const duration = scalarOf('duration')
export const mode = scalarOf('mode')
export const any: AnyShape = { kind: 'any' }

export function list(item: Shape, extras: Partial<Omit<ListShape, 'kind' | 'item'>> = {}): ListShape {
  return { kind: 'list', item, merge: 'append', ...extras }
}

export function map(value: Shape, extras: Partial<Omit<MapShape, 'kind' | 'value'>> = {}): MapShape {
  return { kind: 'map', value, ...extras }
}

export function object(
  fields: Fields,
  extras: Partial<Omit<ObjectShape, 'kind' | 'fields'>> = {},
): ObjectShape {
  return { kind: 'object', fields, ...extras }
}

export function either(...shapes: readonly Shape[]): EitherShape {
  return { kind: 'either', shapes }
}
