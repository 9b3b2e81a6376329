import { type Problem, composeError } from '../document/errors.ts'
import type { Node, Scalar } from '../document/node.ts'
import { type Lookup, TemplateError, evaluate, parseTemplate } from '../environment/template.ts'

/** Puts variables into every value; keys stay as they are. `missing` hears of those that are not set. */
export function interpolate(root: Node, lookup: Lookup, missing: (name: string) => void): Node {
  const problems: Problem[] = []
  const walk = (node: Node, path: string): Node => {
    switch (node.kind) {
      case 'scalar':
        return interpolateScalar(node, path)
      case 'sequence':
        return { ...node, items: node.items.map((item) => walk(item, `${path}[]`)) }
      case 'mapping': {
        const at = (key: string): string => (path === '' ? key : `${path}.${key}`)
        const entries = [...node.entries].map(([key, value]) => [key, walk(value, at(key))] as const)
        return { ...node, entries: new Map(entries) }
      }
    }
  }
  const interpolateScalar = (node: Scalar, path: string): Node => {
    if (typeof node.value !== 'string' || !node.value.includes('$')) return node
    try {
      return { ...node, value: evaluate(parseTemplate(node.value), lookup, missing) }
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error
      problems.push({ place: node.place, message: `${path}: ${error.message}` })
      return node
    }
  }
  const result = walk(root, '')
  if (problems.length > 0) throw composeError(problems)
  return result
}
