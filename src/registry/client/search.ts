/** `/v1/search`: what remains of the first registry API, and what Docker Hub still answers. */
import { badAnswer, quotable } from './errors.ts'
import type { RegistryExchange } from './exchange.ts'
import type { RequestOptions, SearchResult } from './repository.ts'

const MAX_ANSWER = 4 << 20
const MAX_RESULTS = 100
const DEFAULT_RESULTS = 25

export async function search(
  exchange: RegistryExchange,
  { term, limit }: { readonly term: string; readonly limit: number },
  { signal }: RequestOptions,
): Promise<readonly SearchResult[]> {
  const { registry, host } = exchange.endpoint
  const n = limit < 1 ? DEFAULT_RESULTS : Math.min(limit, MAX_RESULTS)
  using reply = await exchange.send({
    method: 'GET',
    target: `/v1/search?${new URLSearchParams({ q: term, n: String(n) }).toString()}`,
    headers: { accept: 'application/json' },
    scopes: [],
    retry: 'always',
    subject: { registry, action: 'search' },
    signal,
  })
  return readResults(await reply.bytes(MAX_ANSWER), host).slice(0, n)
}

function readResults(bytes: Uint8Array, host: string): readonly SearchResult[] {
  let document: unknown
  try {
    document = JSON.parse(new TextDecoder().decode(bytes))
  } catch (error) {
    throw badAnswer(host, 'its search answers with something else than JSON', error)
  }
  const results = (document as { readonly results?: unknown } | null)?.results
  if (!Array.isArray(results)) throw badAnswer(host, 'its search answers without results')
  return results.flatMap((result: unknown) => readResult(result) ?? [])
}

function readResult(result: unknown): SearchResult | undefined {
  if (typeof result !== 'object' || result === null) return undefined
  const { name, description, star_count, is_official, is_automated } = result as Record<string, unknown>
  if (typeof name !== 'string') return undefined
  return {
    name: quotable(name),
    description: typeof description === 'string' ? quotable(description) : '',
    stars: typeof star_count === 'number' && Number.isFinite(star_count) ? Math.trunc(star_count) : 0,
    official: is_official === true,
    automated: is_automated === true,
  }
}
