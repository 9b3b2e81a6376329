/** registry-1.docker.io: manifests, counted; blobs are elsewhere. */
import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { type HubSetup, sendJson } from './hub-setup.ts'
import { CHALLENGE, type Grant, type HubTokens } from './hub-tokens.ts'

const WINDOW = 6 * 3600
const LIMITED =
  'You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit'

export class HubRegistry {
  readonly #directory: string
  readonly #setup: HubSetup
  readonly #tokens: HubTokens
  #limit = 100
  #used = 0

  constructor(directory: string, setup: HubSetup, tokens: HubTokens) {
    this.#directory = directory
    this.#setup = setup
    this.#tokens = tokens
  }

  limit(limit: number): void {
    this.#limit = limit
    this.#used = 0
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('docker-distribution-api-version', 'registry/2.0')
    const { method = 'GET', url = '/' } = request
    const grant = this.#tokens.grantOf(request)
    const [, name = '', kind = '', rest = ''] = /^\/v2\/(.+)\/(manifests|blobs|tags)\/([^?]+)/.exec(url) ?? []
    if (grant === undefined) return unauthorized(response, name, undefined)
    if (url === '/v2/') return sendJson(response, 200, {})
    const reading = method === 'GET' || method === 'HEAD'
    if (!reading || !grant.pull.includes(name)) return unauthorized(response, name, 'insufficient_scope')
    const repository = this.#setup.repositories[name]!
    if (kind === 'tags') {
      const tags = Object.keys(repository.manifests).filter((tag) => !tag.startsWith('sha256:'))
      return sendJson(response, 200, { name, tags })
    }
    if (kind === 'blobs') return redirect(response, repository.blobs, rest)
    return this.#manifest(method, repository.manifests[rest], rest, grant, response)
  }

  async #manifest(
    method: string,
    found: HubSetup['repositories'][string]['manifests'][string] | undefined,
    name: string,
    { account }: Grant,
    response: ServerResponse,
  ): Promise<void> {
    const mayRead = account !== undefined || this.#used < this.#limit
    if (account === undefined && method === 'GET' && mayRead) this.#used += 1
    response.setHeader('ratelimit-limit', `${account === undefined ? this.#limit : 200};w=${WINDOW}`)
    const remaining = account === undefined ? this.#limit - this.#used : 200
    response.setHeader('ratelimit-remaining', `${remaining};w=${WINDOW}`)
    response.setHeader('docker-ratelimit-source', account ?? '203.0.113.99')
    if (method === 'GET' && !mayRead) {
      return sendJson(response, 429, { errors: [{ code: 'TOOMANYREQUESTS', message: LIMITED }] })
    }
    if (found === undefined) {
      const detail = name.startsWith('sha256:') ? 'unknown manifest' : { Tag: name }
      return sendJson(response, 404, {
        errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown', detail }],
      })
    }
    const bytes = await readFile(join(this.#directory, 'manifests', found.digest))
    response.writeHead(200, {
      'content-type': found.mediaType,
      'content-length': bytes.length,
      'docker-content-digest': found.digest,
    })
    response.end(method === 'HEAD' ? undefined : bytes)
  }
}

function unauthorized(response: ServerResponse, name: string, error: string | undefined): void {
  const scope = name === '' ? '' : `,scope="repository:${name}:pull"`
  const why = error === undefined ? '' : `,error="${error}"`
  response.setHeader('www-authenticate', CHALLENGE + scope + why)
  const detail = name === '' ? null : [{ Type: 'repository', Class: '', Name: name, Action: 'pull' }]
  sendJson(response, 401, { errors: [{ code: 'UNAUTHORIZED', message: 'authentication required', detail }] })
}

function redirect(response: ServerResponse, blobs: readonly string[], digest: string): void {
  if (!blobs.includes(digest)) {
    return sendJson(response, 404, {
      errors: [{ code: 'BLOB_UNKNOWN', message: 'blob unknown to registry', detail: { digest } }],
    })
  }
  const hex = digest.slice('sha256:'.length)
  const path = `/registry-v2/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data?verify=1`
  response.writeHead(307, { location: `https://production.cloudflare.docker.com${path}` })
  response.end()
}
