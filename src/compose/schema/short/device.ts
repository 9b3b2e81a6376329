import { problemAt } from '../../document/errors.ts'
import { type Node, type Scalar, nodeOf } from '../../document/node.ts'
import { scalarText } from '../scalars.ts'

/** `HOST[:CONTAINER[:PERMISSIONS]]` as a device; the name of a CDI device (`vendor/class=name`) stays one. */
export function expandDevice(item: Scalar): readonly Node[] {
  const text = scalarText(item.value)
  const [source = '', target = source, permissions = 'rwm', ...more] = text.split(':')
  if (source === '' || more.length > 0) {
    throw problemAt(item.place, `confusing device mapping, please use long syntax: ${text}`)
  }
  return [nodeOf({ source, target, permissions }, item.place)]
}

/** `gpus: all` as requests for devices. */
export function fromAllGpus(node: Node): Node | undefined {
  if (node.kind !== 'scalar' || node.value !== 'all') return undefined
  return nodeOf([{ count: -1 }], node.place)
}

/** The number of devices: `all` is -1. */
export function deviceCount(node: Node): Node | undefined {
  return node.kind === 'scalar' && node.value === 'all' ? { ...node, value: -1 } : undefined
}
