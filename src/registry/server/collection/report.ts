import type { Digest } from '#base/digest.ts'

/** Something that a collection removes, or would. */
export interface Removal {
  /** `link`: a repository forgets a blob; its bytes count when the blob goes. */
  readonly kind: 'manifest' | 'link' | 'blob' | 'upload' | 'partial'
  readonly repository: string | undefined
  /** Digest, or the id of an upload. */
  readonly id: string
  readonly bytes: number
  readonly reason: string
}

export interface CollectionReport {
  /** Milliseconds since the epoch. */
  readonly started: number
  readonly ended: number
  readonly dryRun: boolean
  readonly removals: readonly Removal[]
  /** Blobs that were looked at. */
  readonly blobs: number
  /** Bytes of blobs, uploads and manifests that were freed. */
  readonly freed: number
}

/** Without the single things, for metrics and pages. */
export interface CollectionSummary extends Omit<CollectionReport, 'removals'> {
  readonly removed: Readonly<Record<Removal['kind'], number>>
}

export function freedBy(removals: readonly Removal[]): number {
  return removals.reduce((sum, { kind, bytes }) => (kind === 'link' ? sum : sum + bytes), 0)
}

export function summaryOf({ removals, ...rest }: CollectionReport): CollectionSummary {
  const count = (kind: Removal['kind']): number => removals.filter((removal) => removal.kind === kind).length
  return {
    ...rest,
    removed: {
      manifest: count('manifest'),
      link: count('link'),
      blob: count('blob'),
      upload: count('upload'),
      partial: count('partial'),
    },
  }
}

/** For people: one line for each thing, and what it comes to. */
export function reportText(report: CollectionReport): string {
  const verb = report.dryRun ? 'would remove' : 'removed'
  const lines = report.removals.map(
    ({ kind, repository, id, bytes, reason }) =>
      `${verb} ${kind} ${repository === undefined ? '' : `${repository}@`}${id} (${bytes} bytes): ${reason}`,
  )
  const { removed } = summaryOf(report)
  const parts = Object.entries(removed).filter(([, count]) => count > 0)
  const what = parts.length === 0 ? 'nothing' : parts.map(([kind, n]) => `${n} ${plural(kind, n)}`).join(', ')
  const total = `${verb} ${what}; ${report.freed} bytes ${report.dryRun ? 'would be ' : ''}freed; ${report.blobs} blobs looked at`
  return [...lines, total, ''].join('\n')
}

function plural(kind: string, count: number): string {
  return count === 1 ? kind : `${kind}s`
}

/** Names the reasons once: reports are compared and searched. */
export const reasons = {
  untagged: 'no tag, index or subject leads to it',
  unneeded: 'no manifest of the repository needs it',
  unlinked: 'no repository holds it',
  idle: 'nobody has continued it',
} as const

export function blobRemoval(digest: Digest, bytes: number): Removal {
  return { kind: 'blob', repository: undefined, id: digest, bytes, reason: reasons.unlinked }
}
