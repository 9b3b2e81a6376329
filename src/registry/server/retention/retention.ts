/** Keeps the tags that rules keep, and those immutable that are to be. */
import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '#base/clock.ts'
import type { Digest } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import type { Catalogue } from '../storage/catalogue.ts'
import { planRetention, type TagVerdict } from './plan.ts'
import { type RetentionRule, ruleFor } from './rule.ts'

export interface RetentionDeps {
  readonly catalogue: Catalogue
  readonly clock: Clock
  readonly rules: readonly RetentionRule[]
}

export interface RetentionReport {
  readonly dryRun: boolean
  /** Tags that are deleted, or would be. */
  readonly deleted: readonly TagVerdict[]
  readonly kept: number
  /** Where something was deleted: what no tag leads to there any more may be collected. */
  readonly repositories: readonly string[]
}

const PAGE = 500

export class Retention {
  readonly #deps: RetentionDeps

  constructor(deps: RetentionDeps) {
    this.#deps = deps
  }

  /** Repositories whose tags are deleted by a rule. */
  covers(repository: string): boolean {
    return ruleFor(this.#deps.rules, repository)?.keep !== undefined
  }

  /** Applies the rules to every repository, each in one transaction of its own. */
  async apply({ dryRun = false }: { readonly dryRun?: boolean } = {}): Promise<RetentionReport> {
    const { catalogue } = this.#deps
    const deleted: TagVerdict[] = []
    let kept = 0
    for (const repository of this.#repositories()) {
      const work = (): readonly TagVerdict[] => this.#applyTo(repository, dryRun)
      const verdicts = dryRun ? work() : catalogue.transaction(work)
      const gone = verdicts.filter((verdict) => !verdict.kept)
      deleted.push(...gone)
      kept += verdicts.length - gone.length
      // Requests get their turn.
      await turn()
    }
    if (!dryRun) await catalogue.durable()
    const repositories = [...new Set(deleted.map(({ tag }) => tag.repository))]
    return { dryRun, deleted, kept, repositories }
  }

  /** Throws DENIED when one of `tags` is immutable and leads elsewhere already. */
  checkPush(repository: string, tags: readonly string[], digest: Digest): void {
    const rule = ruleFor(this.#deps.rules, repository)
    for (const tag of tags) {
      if (rule?.immutable(tag) !== true) continue
      const now = this.#deps.catalogue.tags.get(repository, tag)?.manifest
      if (now !== undefined && now !== digest) throw tagImmutable(repository, tag, now)
    }
  }

  #applyTo(repository: string, dryRun: boolean): readonly TagVerdict[] {
    const { catalogue, clock, rules } = this.#deps
    const rule = ruleFor(rules, repository)
    if (rule?.keep === undefined) return []
    const verdicts = planRetention(this.#tags(repository), rule, clock.now().getTime())
    for (const { tag, kept } of verdicts) {
      if (!kept && !dryRun) catalogue.tags.remove(repository, tag.tag)
    }
    return verdicts
  }

  #tags(repository: string) {
    const { tags } = this.#deps.catalogue
    const all = []
    for (let last: string | undefined; ;) {
      const page = tags.list(repository, { last, limit: PAGE })
      all.push(...page)
      last = page.at(-1)?.tag
      if (page.length < PAGE) return all
    }
  }

  *#repositories(): Generator<string> {
    const { repositories } = this.#deps.catalogue
    for (let last: string | undefined; ;) {
      const page = repositories.names({ last, limit: PAGE })
      yield* page
      last = page.at(-1)
      if (page.length < PAGE) return
    }
  }
}

export function retentionText({ dryRun, deleted, kept }: RetentionReport): string {
  const verb = dryRun ? 'would delete' : 'deleted'
  const lines = deleted.map(
    ({ tag, reason }) => `${verb} tag ${tag.repository}:${tag.tag} (${tag.manifest}): ${reason}`,
  )
  return [...lines, `${verb} ${deleted.length} tags by retention rules, kept ${kept}`, ''].join('\n')
}

function tagImmutable(repository: string, tag: string, manifest: Digest): EngineError {
  return new EngineError(
    'permission_denied',
    `tag ${repository}:${tag} is immutable and leads to ${manifest}; push another tag`,
    { code: 'DENIED', details: { name: repository, tag, digest: manifest } },
  )
}
