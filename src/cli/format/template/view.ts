const viewType = Symbol('viewType')

/**
 * What a template sees of an object: fields by name, computed when asked for. A field that takes arguments is a
 * method (`{{.Label "a"}}`) and not part of the JSON form.
 */
export interface View {
  readonly [viewType]: string
  readonly fields: Readonly<Record<string, Field>>
  /** The JSON form, where it is not just the fields. */
  readonly document?: unknown
}

// oxlint-disable-next-line typescript/no-explicit-any -- methods differ in their arguments, which templates supply
export type Field = (...args: any[]) => unknown

/** `type` is the name that errors mention, as Docker's would. */
export function view(type: string, fields: Readonly<Record<string, Field>>, document?: unknown): View {
  return { [viewType]: type, fields, document }
}

export function isView(value: unknown): value is View {
  return typeof value === 'object' && value !== null && viewType in value
}

export function typeOf(value: View): string {
  return value[viewType]
}

/** A map of Go: an object that is neither a view nor an array. */
export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isView(value)
}
