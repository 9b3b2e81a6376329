/** Something below the data root that is not as it should be: what `fsck` of berth reports. */
export interface Finding {
  readonly object: {
    readonly kind: 'layer' | 'blob' | 'image' | 'reference' | 'container' | 'volume' | 'file'
    /** Digest, name, id, or path below the data root. */
    readonly name: string
  }
  readonly problem: string
  /** What cannot be used, or not wholly, because of it: names or short ids. */
  readonly damage: { readonly images: readonly string[]; readonly containers: readonly string[] }
  /** What was done about it, or what to do. */
  readonly action: string
  readonly repaired: boolean
}
