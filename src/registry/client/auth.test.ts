import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { mediaTypes } from '#oci/image-spec.ts'
import { FakeRegistry } from '#test/support/fake-registry.ts'
import type { FakeAuth } from '#test/support/fake-tokens.ts'
import { PauseClock, watchedForHours } from '#test/support/pause-clock.ts'
import { openRegistryClient } from './client.ts'
import type { Credentials, RegistryClient } from './repository.ts'

const accounts = { ann: 'secret' }
const ann: Credentials = { username: 'ann', password: 'secret' }

let opened: AsyncDisposableStack
let client: RegistryClient
let registry: FakeRegistry

beforeEach(() => {
  opened = new AsyncDisposableStack()
  client = opened.use(
    openRegistryClient({ certificateDirectories: [], clock: new PauseClock(), limits: watchedForHours }),
  )
})
afterEach(() => opened.disposeAsync())

async function start(auth: FakeAuth): Promise<void> {
  registry = opened.use(await FakeRegistry.start({ auth }))
  registry.addManifest('team/app', 'v1', {}, mediaTypes.ociManifest)
}

const repository = (credentials?: Credentials, path = 'team/app') =>
  client.repository({ domain: registry.host, path }, { credentials })

const put = (credentials?: Credentials) =>
  repository(credentials).putManifest('v2', { bytes: Buffer.from('{}'), mediaType: mediaTypes.ociManifest })

describe('Basic', () => {
  it('sends a password only after the registry has asked for one', async () => {
    await start({ kind: 'basic', accounts })
    await repository(ann).manifest('v1')
    await repository(ann).resolve('v1')
    assert.deepEqual(
      registry.requests.map(({ headers }) => headers.authorization !== undefined),
      [false, true, true],
    )
  })

  it('says that a login is needed, or that it was refused, and does not try again and again', async () => {
    await start({ kind: 'basic', accounts })
    await assert.rejects(repository().manifest('v1'), { kind: 'unauthenticated', message: /^unauthorized: / })
    await assert.rejects(repository({ ...ann, password: 'no' }).manifest('v1'), { kind: 'unauthenticated' })
    assert.equal(registry.requests.length, 3)
  })
})

describe('Bearer', () => {
  it('fetches one token for all who ask at once, and keeps it', async () => {
    await start({ kind: 'bearer', accounts })
    const app = repository(ann)
    await app.manifest('v1')
    await Promise.all([app.manifest('v1'), app.resolve('v1'), repository(ann).manifest('v1')])
    assert.equal(registry.tokens.requests.length, 1)
    const [request] = registry.tokens.requests
    assert.deepEqual(request?.scopes, ['repository:team/app:pull'])
    assert.equal(request.parameters.get('service'), 'registry.test')
    assert.equal(request.parameters.get('account'), 'ann')
    assert.match(request.authorization ?? '', /^Basic /)
  })

  it('is anonymous without an account, and asks for more when it pushes', async () => {
    await start({ kind: 'bearer', accounts, anonymousPull: true })
    await repository().manifest('v1')
    assert.equal(registry.tokens.requests[0]?.authorization, undefined)
    await assert.rejects(put(), {
      kind: 'permission_denied',
      message: 'denied: requested access to the resource is denied',
    })
    await put(ann)
    assert.deepEqual(registry.tokens.requests.at(-1)?.scopes, ['repository:team/app:pull,push'])
  })

  it('asks for a token once where it covers too little, and goes on with the connection that it has', async () => {
    await start({ kind: 'bearer', accounts, anonymousPull: true })
    await assert.rejects(put(), { kind: 'permission_denied' })
    assert.deepEqual(registry.log, [
      'PUT /v2/team/app/manifests/v2',
      'GET /token',
      'PUT /v2/team/app/manifests/v2',
    ])
    // One tried TLS, one fetched the token.
    assert.equal(registry.connections, 3)
  })

  it('says as Docker does that a repository may not be read', async () => {
    await start({ kind: 'bearer', accounts })
    await assert.rejects(repository().manifest('v1'), {
      kind: 'not_found',
      message: `pull access denied for ${registry.host}/team/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`,
    })
  })

  it('asks for both repositories when it mounts', async () => {
    await start({ kind: 'bearer', accounts })
    const { digest } = registry.addBlob('x')
    assert.equal(await repository(ann).mount(digest, 'other/app'), true)
    assert.deepEqual(registry.tokens.requests.at(-1)?.scopes, [
      'repository:team/app:pull,push',
      'repository:other/app:pull',
    ])
  })

  it('fetches a new token for one that has ended early', async () => {
    await start({ kind: 'bearer', accounts })
    const app = repository(ann)
    await app.manifest('v1')
    registry.tokens.issued.clear()
    await app.manifest('v1')
    assert.equal(registry.tokens.requests.length, 2)
  })

  it('does not use a token to its last second', async () => {
    await start({ kind: 'bearer', accounts, life: 3 })
    const app = repository(ann)
    await app.manifest('v1')
    await app.manifest('v1')
    assert.ok(registry.tokens.requests.length > 1)
  })

  it('gives a wrong password as one clear error', async () => {
    await start({ kind: 'bearer', accounts })
    await assert.rejects(repository({ ...ann, password: 'no' }).manifest('v1'), {
      kind: 'unauthenticated',
      message: 'unauthorized: incorrect username or password',
    })
  })

  it('keeps tokens of different people apart', async () => {
    await start({ kind: 'bearer', accounts, anonymousPull: true })
    await put(ann)
    await assert.rejects(put(), { kind: 'permission_denied' })
  })

  it('sends a registry token as it is, and a refresh token by POST', async () => {
    await start({ kind: 'bearer', accounts, oauth: true })
    registry.tokens.issued.set('given', ['repository:team/app:pull'])
    await repository({ registryToken: 'given' }).manifest('v1')
    assert.equal(registry.tokens.requests.length, 0)
    registry.tokens.refresh.set('kept', 'ann')
    await repository({ username: 'ann', identityToken: 'kept' }).manifest('v1')
    assert.equal(registry.tokens.requests[0]?.method, 'POST')
    assert.equal(registry.tokens.requests[0].parameters.get('grant_type'), 'refresh_token')
  })

  it('refuses a token that would break out of its header', async () => {
    await start({ kind: 'bearer', accounts })
    await assert.rejects(repository({ registryToken: 'a\r\nX-Evil: 1' }).manifest('v1'), {
      code: 'REGISTRY_TOKEN_INVALID',
    })
  })
})

describe('RegistryClient.login()', () => {
  it('brings a refresh token by OAuth2, or by GET where that is not known', async () => {
    for (const oauth of [true, false]) {
      await start({ kind: 'bearer', accounts, oauth })
      const { identityToken } = await client.login(registry.host, ann)
      assert.ok(identityToken !== undefined && registry.tokens.refresh.has(identityToken))
      assert.equal(registry.tokens.requests.at(-1)?.method, oauth ? 'POST' : 'GET')
    }
  })

  it('checks a password against Basic and gives no token', async () => {
    await start({ kind: 'basic', accounts })
    assert.deepEqual(await client.login(registry.host, ann), { identityToken: undefined })
    await assert.rejects(client.login(registry.host, { ...ann, password: 'no' }), {
      kind: 'unauthenticated',
      message: `Get "${registry.origin}/v2/": unauthorized: incorrect username or password`,
    })
  })

  it('refuses a wrong password at once', async () => {
    await start({ kind: 'bearer', accounts, oauth: true })
    await assert.rejects(client.login(registry.host, { ...ann, password: 'no' }), {
      kind: 'unauthenticated',
      message: `Get "${registry.origin}/v2/": unauthorized: incorrect username or password`,
    })
    assert.equal(registry.tokens.requests.length, 1)
  })
})
