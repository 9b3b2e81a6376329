import { problemAt } from '../../document/errors.ts'
import { type Node, mapping, scalar } from '../../document/node.ts'
import { scalarText } from '../scalars.ts'

/** `[KEY=VALUE, KEY]` as a mapping; a key alone has no value (null), or `missing`. The last one of a key counts. */
export function fromKeyValues(separator = /=/, missing: '' | null = null): (node: Node) => Node | undefined {
  return (node) => {
    if (node.kind !== 'sequence') return undefined
    const entries = node.items.map((item): [string, Node] => {
      if (item.kind !== 'scalar') throw problemAt(item.place, 'must be text such as KEY=VALUE')
      const text = scalarText(item.value)
      const at = text.search(separator)
      return at < 0
        ? [text, scalar(missing, item.place)]
        : [text.slice(0, at), scalar(text.slice(at + 1), item.place)]
    })
    return mapping(entries, node.place)
  }
}

/** `[NAME, …]` as a mapping of the same value for each name. */
export function fromNames(value: (item: Node) => Node): (node: Node) => Node | undefined {
  return (node) => {
    if (node.kind !== 'sequence') return undefined
    const entries = node.items.map((item): [string, Node] => {
      if (item.kind !== 'scalar') throw problemAt(item.place, 'must be a name')
      return [scalarText(item.value), value(item)]
    })
    return mapping(entries, node.place)
  }
}
