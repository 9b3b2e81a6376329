/** What the parts of the stand-in for Docker Hub tell each other. */
import type { ServerResponse } from 'node:http'

export type HubRole = 'registry' | 'tokens' | 'index' | 'cdn'

export interface HubSetup {
  readonly cert: string
  readonly key: string
  /** Passwords by name. */
  readonly accounts: Readonly<Record<string, string>>
  readonly hosts: readonly { readonly address: string; readonly role: HubRole }[]
  /** By full name; manifests by tag and by digest. */
  readonly repositories: Readonly<
    Record<
      string,
      {
        readonly manifests: Readonly<Record<string, { readonly digest: string; readonly mediaType: string }>>
        readonly blobs: readonly string[]
      }
    >
  >
}

export interface HubRules {
  /** Manifests that may be fetched without an account, in six hours. */
  readonly limit: number
}

export interface HubRequest {
  readonly role: HubRole
  readonly method: string
  /** Path and query. */
  readonly url: string
  /** Whether `Authorization` was sent. */
  readonly authorized: boolean
}

export function sendJson(response: ServerResponse, status: number, document: object): void {
  response.setHeader('content-type', 'application/json')
  response.writeHead(status)
  response.end(JSON.stringify(document))
}
