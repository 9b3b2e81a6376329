import { type Node, type Scalar, nodeOf } from '../document/node.ts'
import { scalarText } from './scalars.ts'
import { mode, object, string } from './shape.ts'

/** A secret or configuration as a service or a build has it. */
export const fileReference = object({
  source: string(),
  target: string(),
  uid: string(),
  gid: string(),
  mode: mode({ written: 'set' }),
})

/** A name alone. */
export function expandFileReference(item: Scalar): readonly Node[] {
  return [nodeOf({ source: scalarText(item.value) }, item.place)]
}

/** A name alone; the file is named after it. */
export function expandSecret(item: Scalar): readonly Node[] {
  const source = scalarText(item.value)
  return [nodeOf({ source, target: `/run/secrets/${source}` }, item.place)]
}
