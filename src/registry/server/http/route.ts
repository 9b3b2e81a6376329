import type { IncomingHttpHeaders } from 'node:http'
import type { Caller, Resource } from '../access.ts'
import type { Reply } from './reply.ts'

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** A request as a route sees it: its caller has been let through. */
export interface RegistryRequest<Name extends string = string> {
  readonly method: Method
  /** Decoded; a `{name}` has the grammar of repository names. */
  readonly params: Readonly<Record<Name, string>>
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** Read at most once. Ends with an error when the client leaves or stalls. */
  readonly body: AsyncIterable<Uint8Array>
  /** Cuts the connection: nobody waits for the rest of the body any more. */
  readonly abandon: () => void
  readonly caller: Caller
  /** Aborted when the client hangs up and when the server closes. */
  readonly signal: AbortSignal
  /** The Host header, for addresses of our own. */
  readonly host: string
  readonly secure: boolean
  readonly remoteAddress: string
  readonly userAgent: string
}

/** One operation, as data. Other rooms hand theirs to openRegistryServer({ routes }). */
export interface Route<Name extends string = string> {
  /** For the log and metrics. */
  readonly operation: string
  readonly method: Method
  /** `{x}` stands for one segment, `{name}` for a repository, which may hold slashes. */
  readonly path: string
  /** What AccessControl is asked about before the handler is called; `open`: the handler sees to it itself. */
  readonly resource: 'open' | ((params: Readonly<Record<Name, string>>) => Resource)
  handle(request: RegistryRequest<Name>): Reply | Promise<Reply>
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
