import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { digestOf } from '#base/digest.ts'
import { FakeClock } from '#base/fake-clock.ts'
import { jsonLogger } from '#base/logger.ts'
import { openRegistryServer, type RegistryServer } from '../serve.ts'
import { openCatalogue } from '../storage/catalogue.ts'
import { MemoryBlobs } from '../storage/memory-blobs.ts'
import { AccountEdits } from './account-edits.ts'
import { openAccounts, type AccountAccess } from './accounts.ts'
import { BcryptThread } from './bcrypt.ts'
import { basic } from './fake-access.ts'
import { tokenRoutes } from './routes.ts'

const PASSWORD = 'sentinel-Pässword-1'
const WRONG = 'sentinel-wrong-2'

describe('A registry with accounts', () => {
  const acquired = new AsyncDisposableStack()
  const log: string[] = []
  const clock = new FakeClock()
  let root: string
  let accounts: AccountAccess
  let server: RegistryServer

  before(async () => {
    const logger = jsonLogger((line) => log.push(line), 'debug')
    root = await mkdtemp(join(tmpdir(), 'berth-accounts-'))
    acquired.defer(() => rm(root, { recursive: true }))
    const htpasswd = join(root, 'htpasswd')
    await using hashes = new BcryptThread()
    await new AccountEdits(htpasswd, hashes).add('ann', PASSWORD)
    const catalogue = acquired.use(openCatalogue(':memory:', { logger }))
    const settings = { anonymous: ['public/*'] }
    accounts = acquired.use(await openAccounts({ root, htpasswd, settings, db: catalogue.db, clock, logger }))
    server = acquired.use(
      await openRegistryServer({
        catalogue,
        blobs: new MemoryBlobs(),
        listen: { host: '127.0.0.1', port: 0 },
        logger,
        access: accounts.access,
        routes: tokenRoutes(accounts.tokens),
      }),
    )
  })
  after(() => acquired.disposeAsync())

  const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${server.url}${path}`, { headers })

  async function tokenFor(
    scope: string,
    authorization?: string,
  ): Promise<{ token: string; refresh_token?: string }> {
    const query = new URLSearchParams({ service: 'berth-registry', scope, offline_token: 'true' })
    const response = await get(
      `/token?${query.toString()}`,
      authorization === undefined ? {} : { authorization },
    )
    assert.deepEqual([response.status, response.headers.get('cache-control')], [200, 'no-store'])
    return (await response.json()) as { token: string; refresh_token?: string }
  }

  /** A blob, and a manifest about it. */
  async function push(repository: string, authorization: string): Promise<number> {
    const content = Buffer.from('{}')
    const digest = digestOf(content)
    const at = `${server.url}/v2/${repository}`
    const blob = await fetch(`${at}/blobs/uploads/?digest=${digest}`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/octet-stream' },
      body: content,
    })
    await blob.arrayBuffer()
    if (blob.status !== 201) return blob.status
    const mediaType = 'application/vnd.oci.image.manifest.v1+json'
    const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: content.length }
    const manifest = await fetch(`${at}/manifests/latest`, {
      method: 'PUT',
      headers: { authorization, 'content-type': mediaType },
      body: JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [] }),
    })
    await manifest.arrayBuffer()
    return manifest.status
  }

  it('leads a client from the challenge to a token to a push', async () => {
    const first = await get('/v2/')
    const realm = `${server.url}/token`
    assert.deepEqual(
      [first.status, first.headers.get('www-authenticate')],
      [401, `Bearer realm="${realm}",service="berth-registry"`],
    )
    assert.equal(((await first.json()) as { errors: [{ code: string }] }).errors[0].code, 'UNAUTHORIZED')
    const { token } = await tokenFor('repository:app:pull,push', basic('ann', PASSWORD))
    assert.equal((await get('/v2/', { authorization: `Bearer ${token}` })).status, 200)
    assert.equal(await push('app', `Bearer ${token}`), 201)
    assert.equal(await push('other', `Bearer ${token}`), 401)
    assert.equal(await push('other', basic('ann', PASSWORD)), 201)
  })

  it('lets strangers pull what is open, and see nothing else', async () => {
    assert.equal(await push('public/x', basic('ann', PASSWORD)), 201)
    const { token, refresh_token: kept } = await tokenFor('repository:public/x:pull,push')
    assert.equal(kept, undefined)
    assert.equal(await push('public/x', `Bearer ${token}`), 401)
    assert.equal((await get('/v2/public/x/tags/list')).status, 200)
    assert.equal((await get('/v2/app/tags/list')).status, 401)
    assert.deepEqual(await (await get('/v2/_catalog')).json(), { repositories: ['public/x'] })
    const whole = await get('/v2/_catalog', { authorization: basic('ann', PASSWORD) })
    assert.deepEqual(await whole.json(), { repositories: ['app', 'other', 'public/x'] })
  })

  it('keeps a login by refresh token, by form', async () => {
    const { refresh_token: kept = '' } = await tokenFor('', basic('ann', PASSWORD))
    const post = (body: URLSearchParams | string): Promise<Response> =>
      fetch(`${server.url}/token`, { method: 'POST', body })
    const fields = {
      grant_type: 'refresh_token',
      refresh_token: kept,
      scope: 'repository:app:pull',
      service: 'berth-registry',
    }
    const { access_token: token, scope } = (await (await post(new URLSearchParams(fields))).json()) as Record<
      string,
      string
    >
    assert.equal(scope, 'repository:app:pull')
    assert.equal((await get('/v2/app/tags/list', { authorization: `Bearer ${token}` })).status, 200)
    assert.equal((await post('grant_type=password')).status, 400)
    assert.equal(
      (await post(new URLSearchParams({ grant_type: 'password', x: 'x'.repeat(70_000) }))).status,
      413,
    )
  })

  it('answers many wrong passwords with 429 and when to come back', async () => {
    for (let count = 0; count < 10; count++) {
      const authorization = basic('eve', `${WRONG}${count}`)
      const response = await get('/token', { authorization })
      assert.deepEqual(
        [response.status, response.headers.get('www-authenticate')],
        [401, 'Basic realm="berth-registry"'],
      )
    }
    const refused = await get('/v2/', { authorization: basic('eve', WRONG) })
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '300'])
    assert.equal((await get('/v2/', { authorization: basic('ann', PASSWORD) })).status, 200)
  })

  it('reports failed logins, with names of accounts only', async () => {
    await get('/v2/', { authorization: basic('ann', WRONG) })
    await get('/v2/', { authorization: basic('sentinel-typed-as-name', 'x') })
    const reports = log.flatMap((line) =>
      line.includes('"login failed"') ? [JSON.parse(line) as Record<string, string>] : [],
    )
    assert.deepEqual(
      reports.slice(-2).map(({ level, account, remoteAddress }) => [level, account, remoteAddress]),
      [
        ['warn', 'ann', '127.0.0.1'],
        ['warn', undefined, '127.0.0.1'],
      ],
    )
  })

  it('keeps no secret in its log', async () => {
    const secret = await accounts.accessTokens.create({ account: 'ann', name: 'log', scopes: [] })
    await get('/v2/', { authorization: basic('ann', secret) })
    await get('/v2/', { authorization: `Bearer ${secret}x` })
    await get('/v2/', { authorization: `Basic ${PASSWORD}` })
    const key = await readFile(join(root, 'token-key.pem'), 'utf8')
    const text = log.join('')
    assert.match(text, /LOGIN_FAILED/)
    for (const hidden of [
      'sentinel',
      Buffer.from(`ann:${PASSWORD}`).toString('base64'),
      secret,
      'brt_',
      'brr_',
      'eyJ',
      key.slice(40, 80),
    ]) {
      assert.ok(!text.includes(hidden), hidden)
    }
  })
})
