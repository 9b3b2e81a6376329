import { durations } from './go-types.ts'
import { typeOf, type View } from './view.ts'

/** The health check of an image or a container has some. */
export function isDuration(path: readonly string[], value: unknown): value is number | bigint {
  const [parent, name = ''] = path.slice(-2)
  return parent === 'Healthcheck' && durations.has(name) && ['number', 'bigint'].includes(typeof value)
}

/** A field of a view, or what its method returns. */
export function fieldOfView(
  value: View,
  name: string,
  args: (() => unknown[]) | undefined,
  fail: (message: string) => Error,
): unknown {
  const field = Object.hasOwn(value.fields, name) ? value.fields[name] : undefined
  if (field === undefined) throw fail(`can't evaluate field ${name} in type ${typeOf(value)}`)
  const given = args?.() ?? []
  if (given.length !== field.length) {
    throw fail(`wrong number of args for ${name}: want ${field.length} got ${given.length}`)
  }
  return field(...given)
}
