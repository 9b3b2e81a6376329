import { problemAt } from '../../document/errors.ts'
import { type Node, scalar, sequence } from '../../document/node.ts'
import { scalarText } from '../scalars.ts'

/** `extra_hosts` in either form as a list of `HOST=ADDRESS`. */
export function fromHosts(node: Node): Node | undefined {
  if (node.kind === 'sequence') return sequence(node.items.map(hostLine), node.place)
  if (node.kind !== 'mapping') return undefined
  const lines = [...node.entries].flatMap(([host, addresses]) => {
    const each = addresses.kind === 'sequence' ? addresses.items : [addresses]
    return each.map((address) => {
      if (address.kind !== 'scalar') throw problemAt(address.place, 'must be an address')
      return scalar(`${host}=${unbracketed(scalarText(address.value))}`, address.place)
    })
  })
  return sequence(lines, node.place)
}

function hostLine(item: Node): Node {
  if (item.kind !== 'scalar') throw problemAt(item.place, 'must be HOST=ADDRESS')
  const text = scalarText(item.value)
  const at = text.includes('=') ? text.indexOf('=') : text.indexOf(':')
  if (at < 1) throw problemAt(item.place, `bad host name ${JSON.stringify(text)}: want HOST=ADDRESS`)
  return scalar(`${text.slice(0, at)}=${unbracketed(text.slice(at + 1))}`, item.place)
}

function unbracketed(address: string): string {
  return /^\[(.*)\]$/.exec(address)?.[1] ?? address
}
