import { parseReference } from '#oci/reference.ts'
import type { SearchResult } from '#registry/client/repository.ts'
import type { Filters, SearchItem } from '../services.ts'
import { badFilter, limitOutOfRange, unknownFilter } from './errors.ts'

const DEFAULT_LIMIT = 25
const MAX_LIMIT = 100
const keys = ['is-official', 'is-automated', 'stars']

/** 0 and undefined: the default. @throws EngineError invalid_argument */
export function checkLimit(limit: number | undefined): number {
  if (limit === undefined || limit === 0) return DEFAULT_LIMIT
  if (limit < 1 || limit > MAX_LIMIT) throw limitOutOfRange(limit)
  return limit
}

/** `host/term` is for the registry there, everything else for Docker Hub. */
export function splitTerm(term: string): { readonly domain: string; readonly term: string } {
  const slash = term.indexOf('/')
  const first = slash === -1 ? '' : term.slice(0, slash)
  const isHost = first === 'localhost' || /[.:]/.test(first)
  if (!isHost) return { domain: 'docker.io', term }
  // The same rules for hosts as in names of images.
  return { domain: parseReference(`${first}/x`).domain, term: term.slice(slash + 1) }
}

/** @throws EngineError invalid_argument for a filter that Docker does not know, or a value that cannot be one */
export function searchFilter(filters: Filters): (result: SearchResult) => boolean {
  const unknown = unknownFilter(filters, keys)
  if (unknown !== undefined) throw unknown
  const official = flag(filters, 'is-official')
  // No registry says it of anything any more.
  const automated = flag(filters, 'is-automated')
  const stars = Math.max(0, ...(filters.get('stars') ?? []).map(starCount))
  return (result) =>
    automated !== true && (official === undefined || result.official === official) && result.stars >= stars
}

export function itemOf({ name, description, stars, official }: SearchResult): SearchItem {
  return { name, description, star_count: stars, is_official: official, is_automated: false }
}

function flag(filters: Filters, name: string): boolean | undefined {
  const [value] = filters.get(name) ?? []
  if (value === undefined) return undefined
  if (/^(?:1|t|true)$/i.test(value)) return true
  if (/^(?:0|f|false)$/i.test(value)) return false
  throw badFilter(name, value)
}

function starCount(value: string): number {
  if (/^\d+$/.test(value)) return Number(value)
  throw badFilter('stars', value)
}
