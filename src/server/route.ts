import type { IncomingHttpHeaders } from 'node:http'
import type { schemas } from '#api/generated/schemas.ts'
import type { ApiVersion } from '#api/version.ts'
import type { Query } from './query.ts'
import type { Reply } from './reply.ts'

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS'
export type BodyName = keyof typeof schemas

/** A request as a route sees it: decoded and lifted to the newest API. */
export interface RouteRequest<Name extends string = string> {
  readonly params: Readonly<Record<Name, string>>
  readonly query: Query
  readonly version: ApiVersion
  readonly headers: IncomingHttpHeaders
  /** Aborted when the client hangs up and when the server closes. */
  readonly signal: AbortSignal
  /** Raw bytes, for archives. */
  readonly body: AsyncIterable<Uint8Array>
  /**
   * The JSON document, validated against the schema of that operation; `{}` when there is none.
   * @throws EngineError invalid_argument
   */
  document<T extends object>(name: BodyName): Promise<T>
}

/** One operation of the API, as data. */
export interface Route<Name extends string = string> {
  /** Docker's operationId. */
  readonly operation: string
  readonly method: Method
  /** `{id}` stands for one segment. */
  readonly path: string
  /** Parameters may hold slashes, as image names do. */
  readonly greedy?: true
  /** The connection may become a raw stream. */
  readonly takesOver?: true
  /** Runs until the client leaves or the server closes. */
  readonly endless?: true
  /** A second path of an operation. */
  readonly alias?: true
  /** For docs/api-coverage.md; absent: works. */
  readonly missing?: 'swarm' | 'plugins' | 'not built yet'
  handle(request: RouteRequest<Name>): Reply | Promise<Reply>
}

type ParamName<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParamName<Rest>
  : never

/** A route whose handler sees exactly the parameters of its path. */
export function route<Path extends string>(
  definition: Route<ParamName<Path>> & { readonly path: Path },
): Route {
  return definition
}
