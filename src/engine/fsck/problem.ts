import type { Finding } from '#api/finding.ts'

/** A finding before anything was done about it. */
export interface Problem extends Omit<Finding, 'action' | 'repaired' | 'damage'> {
  readonly damage?: Finding['damage']
  /** What a repair would do, for people; nothing can be done by the engine without it. */
  readonly remedy?: { readonly says: string; apply(): Promise<void> }
  /** What a person can do instead. */
  readonly advice: string
}

export const noDamage: Finding['damage'] = { images: [], containers: [] }
