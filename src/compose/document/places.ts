import type { Node, Place } from './node.ts'

/** The way to a part of a document: keys of mappings and positions in lists. */
export type DocumentPath = readonly (string | number)[]

/** Where a part of a document is written; where it is not, the place of the innermost part around it. */
export function placeIn(document: Node, path: DocumentPath): Place {
  let { place } = document
  let node: Node | undefined = document
  for (const step of path) {
    const key = typeof step === 'string' && node.kind === 'mapping' ? node.keys.get(step) : undefined
    node = childOf(node, step)
    if (node === undefined) break
    place = key ?? node.place
  }
  return place
}

function childOf(node: Node, step: string | number): Node | undefined {
  if (node.kind === 'mapping') return node.entries.get(String(step))
  return node.kind === 'sequence' && typeof step === 'number' ? node.items[step] : undefined
}
