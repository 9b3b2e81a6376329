/** How much a namespace, the first component of its repositories' names, may hold. */
import { EngineError } from '#base/errors.ts'
import type { Database } from '#store/db.ts'
import type { PendingPush } from '../hooks.ts'
import { compilePattern, type Pattern } from '../settings/pattern.ts'
import { readList, type Section } from '../settings/section.ts'

export interface QuotaRule {
  readonly namespaces: Pattern
  /** Bytes. */
  readonly limit: number
}

/** The setting `quota`: `[{ namespace: "team", limit: "10GB" }, { namespace: "*", limit: "1GB" }]`; the first that fits. */
export function readQuota(value: unknown): readonly QuotaRule[] {
  return readList(value, 'quota', readRule)
}

function readRule(section: Section): QuotaRule {
  return {
    namespaces: compilePattern(section.requiredText('namespace')),
    limit: section.requiredSize('limit'),
  }
}

export function namespaceOf(repository: string): string {
  return repository.split('/', 1)[0] ?? repository
}

export class Quota {
  readonly #db: Database
  readonly #rules: readonly QuotaRule[]

  constructor(db: Database, rules: readonly QuotaRule[]) {
    this.#db = db
    this.#rules = rules
  }

  /** Bytes; undefined where nothing is said. */
  limitOf(namespace: string): number | undefined {
    return this.#rules.find(({ namespaces }) => namespaces(namespace))?.limit
  }

  /** Bytes of the manifests of a namespace, and of the blobs that its repositories hold, each counted once. */
  used(namespace: string): number {
    const row = this.#db.get<{ bytes: number }>(
      `SELECT (SELECT coalesce(sum(size), 0) FROM (SELECT DISTINCT blob, size FROM links WHERE ${within}))
            + (SELECT coalesce(sum(size), 0) FROM manifests WHERE ${within}) AS bytes`,
      // "0" comes after "/".
      { name: namespace, from: `${namespace}/`, to: `${namespace}0` },
    )
    return row?.bytes ?? 0
  }

  /** Bytes that still fit; undefined where nothing is said. */
  room(repository: string): number | undefined {
    const namespace = namespaceOf(repository)
    const limit = this.limitOf(namespace)
    return limit === undefined ? undefined : Math.max(0, limit - this.used(namespace))
  }

  /**
   * Throws DENIED when the push does not fit. Blobs that come at the same time do not see each other: at the latest their
   * manifest, without which they are collected again, is refused.
   */
  check(repository: string, push: PendingPush): void {
    const namespace = namespaceOf(repository)
    const limit = this.limitOf(namespace)
    if (limit === undefined) return
    // What is mounted may be counted already.
    const more = push.kind === 'mount' ? 0 : (push.bytes ?? 0)
    const used = this.used(namespace)
    if (used + more > limit) throw quotaExceeded(namespace, used, limit, more)
  }
}

const within = 'repository = :name OR (repository >= :from AND repository < :to)'

function quotaExceeded(namespace: string, used: number, allowed: number, more: number): EngineError {
  const wanted = more > 0 ? `, and this needs ${more} more` : ''
  return new EngineError(
    'permission_denied',
    `namespace ${namespace} uses ${used} of ${allowed} bytes allowed${wanted}; delete tags there, or have the quota raised`,
    { code: 'DENIED', details: { namespace, used, allowed, needed: more } },
  )
}
