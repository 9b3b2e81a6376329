import { EngineError } from '#base/errors.ts'
import { checkName } from '../names.ts'
import { methodUnsupported, pageUnknown } from './errors.ts'
import type { Method, Route } from './route.ts'

export interface Match {
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
}

interface Compiled {
  readonly route: Route
  readonly pattern: RegExp
}

/** Finds the route of a request. A GET route answers HEAD, too: it sees the method, and its body is left out. */
export class Router {
  readonly #routes: readonly Compiled[]

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => ({ route, pattern: patternOf(route.path) }))
  }

  /** `path` is not decoded. Throws `not_found`, `not_implemented` for another method, `invalid_argument` for names. */
  match(method: string, path: string): Match {
    const allowed: Method[] = []
    for (const { route, pattern } of this.#routes) {
      const found = pattern.exec(path)
      if (found === null) continue
      if (route.method !== method && !(method === 'HEAD' && route.method === 'GET')) {
        allowed.push(route.method)
        continue
      }
      return { route, params: decode(found.groups ?? {}) }
    }
    throw allowed.length > 0 ? methodUnsupported([...new Set(allowed)]) : pageUnknown()
  }
}

/** Greedy for names: the last `/manifests/` ends one, so that a repository may be called `a/manifests`. */
function patternOf(path: string): RegExp {
  const source = path
    .replaceAll(/[.*+?^$()|[\]\\]/g, String.raw`\$&`)
    .replaceAll(/\{(\w+)\}/g, (_all, key: string) => (key === 'name' ? `(?<${key}>.+)` : `(?<${key}>[^/]+)`))
  return new RegExp(`^${source}$`)
}

function decode(groups: Readonly<Record<string, string>>): Record<string, string> {
  const params: Record<string, string> = {}
  for (const [key, value] of Object.entries(groups)) params[key] = decodeText(value)
  if (params['name'] !== undefined) checkName(params['name'])
  return params
}

function decodeText(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch (error) {
    throw new EngineError('invalid_argument', 'the path is not encoded correctly', {
      code: 'PATH_INVALID',
      cause: error,
    })
  }
}
