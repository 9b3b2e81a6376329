import type { Mapping, Node, Plain } from '../document/node.ts'
import { plainOf } from '../document/node.ts'
import type { ObjectShape, ScalarType, Shape } from './shape.ts'

/** JSON, of which hashes are taken, is without the `x-` keys of services and resources, and has some keys under other names. */
export type Form = 'yaml' | 'json'

/**
 * The plain document of a node in Compose's own order of keys, and with the omissions of its normal form. This is what
 * `config` prints and what configuration hashes are taken of, so that order and omissions are part of the contract.
 */
export function documentOf(node: Node | undefined, shape: Shape, form: Form = 'yaml'): Plain {
  if (node === undefined || (node.kind === 'scalar' && node.value === null)) return nothing(shape, form)
  switch (shape.kind) {
    case 'any':
      return sortedPlain(plainOf(node))
    case 'scalar':
      return plainOf(node)
    case 'either': {
      const [wanted] = shape.shapes.filter((each) => fits(each, node))
      return wanted === undefined ? plainOf(node) : documentOf(node, wanted, form)
    }
    case 'list': {
      const items =
        node.kind === 'sequence' ? node.items.map((item) => documentOf(item, shape.item, form)) : []
      return shape.sorted === true ? items.toSorted((a, b) => ((a ?? '') < (b ?? '') ? -1 : 1)) : items
    }
    case 'map':
      return node.kind === 'mapping' ? sortedMap(node, shape.value, form) : {}
    case 'object':
      return node.kind === 'mapping' ? objectDocument(node, shape, form) : {}
  }
}

function objectDocument(node: Mapping, shape: ObjectShape, form: Form): Plain {
  const document: Record<string, Plain> = {}
  for (const [key, field] of Object.entries(shape.fields)) {
    const name = (form === 'json' ? shape.renamed?.[key] : undefined) ?? key
    const value = documentOf(node.entries.get(key), field, form)
    if (isWritten(value, field)) document[name] = value
  }
  if (form === 'json') return document
  for (const [key, value] of node.entries)
    if (key.startsWith('x-')) document[key] = sortedPlain(plainOf(value))
  return document
}

/** What stands for an attribute that nobody gave. */
function nothing(shape: Shape, form: Form): Plain {
  return shape.kind === 'object' && shape.written === 'always'
    ? objectDocument(emptyMapping, shape, form)
    : null
}

function isWritten(value: Plain, shape: Shape): boolean {
  if (shape.written === 'always' || shape.written === 'never') return shape.written === 'always'
  if (value === null) return false
  return shape.written === 'set' || !isZero(value, shape)
}

function isZero(value: Plain, shape: Shape): boolean {
  if (value !== null && typeof value === 'object') return Object.keys(value).length === 0
  return (
    value === false || value === 0 || value === '' || (shape.kind === 'scalar' && zeros[shape.type] === value)
  )
}

/** Amounts are written as text. */
const zeros: Readonly<Partial<Record<ScalarType, string>>> = { bytes: '0', duration: '0s' }

/** Mappings of which nothing is known have their keys in order. */
export function sortedPlain(value: Plain): Plain {
  if (Array.isArray(value)) return value.map((item: Plain) => sortedPlain(item))
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value as Readonly<Record<string, Plain>>).toSorted(([a], [b]) =>
    a < b ? -1 : 1,
  )
  return Object.fromEntries(entries.map(([key, each]) => [key, sortedPlain(each)]))
}

function sortedMap(node: Mapping, shape: Shape, form: Form): Plain {
  const keys = [...node.entries.keys()].toSorted()
  return Object.fromEntries(keys.map((key) => [key, documentOf(node.entries.get(key), shape, form)]))
}

function fits(shape: Shape, node: Node): boolean {
  if (shape.kind === 'scalar') return node.kind === 'scalar'
  return shape.kind === 'list' ? node.kind === 'sequence' : node.kind === 'mapping'
}

const emptyMapping: Mapping = {
  kind: 'mapping',
  entries: new Map(),
  keys: new Map(),
  place: { file: '', line: 0, column: 0 },
}
