/** Something that is not as it should be. */
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

/** A finding before anything was done about it. */
export interface Problem extends Omit<Finding, 'action' | 'repaired' | 'damage'> {
  readonly damage?: Finding['damage']
  /** What a repair would do, for people; nothing can be done by the engine without it. */
  readonly remedy?: { readonly says: string; apply(): Promise<void> }
  /** What a person can do instead. */
  readonly advice: string
}

export const noDamage: Finding['damage'] = { images: [], containers: [] }
