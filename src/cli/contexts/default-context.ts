import type { Context } from '../command.ts'
import { DEFAULT_HOST } from '../connection.ts'
import type { StoredContext } from './context-store.ts'

/** What is used when no context is chosen: nothing of it is stored. */
export function defaultContext({ inUse }: Pick<Context, 'inUse'>): StoredContext {
  const docker = { Host: inUse.host ?? DEFAULT_HOST, SkipTLSVerify: false }
  const Description = 'Current DOCKER_HOST based configuration'
  return { document: { Name: 'default', Metadata: { Description }, Endpoints: { docker } }, tls: {} }
}
