/** OCI image-spec, layer.md "Whiteouts": the one place that knows the names. */

const PREFIX = '.wh.'
/** Of AUFS: names in a layer that are neither files nor whiteouts, except the opaque marker. */
const META = '.wh..wh.'
const OPAQUE = '.wh..wh..opq'

export type Whiteout =
  | { readonly kind: 'none' }
  /** The directory that holds the marker hides all that lower layers have in it. */
  | { readonly kind: 'opaque' }
  /** `name` of the lower layers is gone. */
  | { readonly kind: 'whiteout'; readonly name: string }
  /** To be skipped. */
  | { readonly kind: 'meta' }
  /** Hides something that cannot be hidden, such as `..`. */
  | { readonly kind: 'invalid' }

const none: Whiteout = { kind: 'none' }

/** What the last component of a member's name means. */
export function parseWhiteout(component: string): Whiteout {
  if (!component.startsWith(PREFIX)) return none
  if (component === OPAQUE) return { kind: 'opaque' }
  if (component.startsWith(META)) return { kind: 'meta' }
  const name = component.slice(PREFIX.length)
  return name === '' || name === '.' || name === '..' ? { kind: 'invalid' } : { kind: 'whiteout', name }
}

export function isReserved(component: string): boolean {
  return component.startsWith(PREFIX)
}

/** Name of the member that hides `path`. */
export function whiteoutName(path: string): string {
  const slash = path.lastIndexOf('/') + 1
  return `${path.slice(0, slash)}${PREFIX}${path.slice(slash)}`
}

/** Name of the member that makes the directory `path` opaque. */
export function opaqueName(path: string): string {
  return path === '' ? OPAQUE : `${path}/${OPAQUE}`
}
