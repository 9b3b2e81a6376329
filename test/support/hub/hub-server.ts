/** Docker Hub as its clients know it, in one process; run by hub.ts as `hub-server.ts DIRECTORY`. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { HubBlobs } from './hub-blobs.ts'
import { HubRegistry } from './hub-registry.ts'
import { answerSearch } from './hub-search.ts'
import type { HubRequest, HubRole, HubRules, HubSetup } from './hub-setup.ts'
import { HubTokens } from './hub-tokens.ts'

const directory = process.argv[2] ?? '.'
const setup = JSON.parse(readFileSync(join(directory, 'setup.json'), 'utf8')) as HubSetup
const tokens = new HubTokens(setup)
const registry = new HubRegistry(directory, setup, tokens)
const blobs = new HubBlobs(directory)
let requests: HubRequest[] = []

const roles: Readonly<
  Record<HubRole, (request: IncomingMessage, response: ServerResponse) => Promise<void> | void>
> = {
  registry: (request, response) => registry.answer(request, response),
  tokens: (request, response) => tokens.answer(request, response),
  index: answerSearch,
  cdn: (request, response) => blobs.answer(request, response),
}

for (const address of new Set(setup.hosts.map((host) => host.address))) {
  const role = setup.hosts.find((host) => host.address === address)!.role
  const server = createServer(setup, (request, response) => {
    const { method = 'GET', url = '/', headers } = request
    requests.push({ role, method, url, authorized: headers.authorization !== undefined })
    Promise.try(roles[role], request, response).catch((error: unknown) => {
      process.stderr.write(`hub: ${method} ${url}: ${String(error)}\n`)
      response.destroy()
    })
  })
  server.listen(443, address)
  await once(server, 'listening')
}

process.on('message', ({ rules }: { readonly rules?: HubRules }) => {
  if (rules !== undefined) registry.limit(rules.limit)
  process.send?.(requests)
  requests = []
})
process.on('disconnect', () => process.exit())
process.send?.('listening')
