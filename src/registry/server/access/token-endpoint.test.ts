import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeJwt } from 'jose'
import { accessWith, basic, requestFrom } from './fake-access.ts'

const users = { ann: 'secret', bob: 'other', root: 'admin' }
const settings = { admins: ['root'], anonymous: ['public/*'], rules: [] }
const query = (...pairs: readonly (readonly [string, string])[]): URLSearchParams =>
  new URLSearchParams(pairs.map((pair) => [...pair]))
const form = (fields: Readonly<Record<string, string>>): URLSearchParams => new URLSearchParams(fields)

describe('TokenEndpoint.get()', () => {
  it('grants what is allowed of the scopes, and no more', async () => {
    const { tokens, service } = accessWith(users, settings)
    const asked = query(
      ['service', service],
      ['scope', 'repository:ann/app:pull,push repository:bob/app:pull,push'],
      ['scope', 'repository:public/x:*'],
      ['scope', 'repository(plugin):ann/plugin:pull'],
      ['scope', 'registry:catalog:*'],
      ['scope', 'registry:admin:*'],
      ['scope', 'nonsense'],
      ['scope', ''],
    )
    const reply = await tokens.get(requestFrom(basic('ann', 'secret')), asked)
    const { iss, sub, aud, exp = 0, nbf = 0, iat = 0, jti, access } = decodeJwt(reply.token)
    assert.deepEqual(
      { iss, sub, aud, access },
      {
        iss: 'berth-registry',
        sub: 'ann',
        aud: service,
        access: [
          { type: 'repository', name: 'ann/app', actions: ['pull', 'push'] },
          { type: 'repository', name: 'public/x', actions: ['pull'] },
          { type: 'repository', class: 'plugin', name: 'ann/plugin', actions: ['pull'] },
          { type: 'registry', name: 'catalog', actions: ['*'] },
        ],
      },
    )
    assert.ok(exp === iat + 300 && nbf <= iat && typeof jti === 'string')
    assert.deepEqual(
      [reply.token === reply.access_token, reply.expires_in, reply.refresh_token],
      [true, 300, undefined],
    )
    assert.match(reply.issued_at, /^2026-01-02T03:04:05/)
  })

  it('gives strangers a token for what is open, and refuses wrong passwords', async () => {
    const { tokens } = accessWith(users, settings)
    const scope = query(
      ['scope', 'repository:public/x:pull repository:ann/x:pull'],
      ['offline_token', 'true'],
    )
    const reply = await tokens.get(requestFrom(), scope)
    assert.deepEqual(
      [reply.scope, reply.refresh_token, decodeJwt(reply.token).sub],
      ['repository:public/x:pull', undefined, ''],
    )
    await assert.rejects(tokens.get(requestFrom(basic('ann', 'wrong')), scope), {
      kind: 'unauthenticated',
      details: { challenge: 'Basic realm="test-registry"' },
    })
    await assert.rejects(tokens.get(requestFrom('Bearer x'), scope), { code: 'LOGIN_FAILED' })
  })

  it('answers for its own service only, and not to endless lists', async () => {
    const { tokens } = accessWith(users)
    await assert.rejects(tokens.get(requestFrom(), query(['service', 'registry.docker.io'])), {
      code: 'TOKEN_REQUEST_INVALID',
    })
    const many = query(['scope', Array<string>(101).fill('repository:a:pull').join(' ')])
    await assert.rejects(tokens.get(requestFrom(), many), { code: 'TOKEN_REQUEST_INVALID' })
  })
})

describe('TokenEndpoint.post()', () => {
  const password = { grant_type: 'password', username: 'ann', password: 'secret', client_id: 'docker' }

  it('logs in, and keeps the login if the client wants', async () => {
    const { tokens, logins } = accessWith(users)
    assert.equal((await tokens.post(requestFrom(), form(password))).refresh_token, undefined)
    const { refresh_token: kept = '' } = await tokens.post(
      requestFrom(),
      form({ ...password, access_type: 'offline' }),
    )
    assert.match(kept, /^brr_[\w-]{43}$/)
    const [login] = logins.list()
    assert.deepEqual([login?.account, login?.client, login?.address], ['ann', 'docker', '192.0.2.7'])
    const again = { grant_type: 'refresh_token', refresh_token: kept, scope: 'repository:x:pull,push' }
    const reply = await tokens.post(requestFrom(), form(again))
    assert.deepEqual([reply.scope, reply.refresh_token], ['repository:x:pull,push', kept])
  })

  it('a refresh token opens no larger scope than its account or access token has', async () => {
    const { tokens, accessTokens } = accessWith(users, settings)
    const secret = await accessTokens.create({
      account: 'ann',
      name: 'ci',
      scopes: ['repository:ann/app:pull'],
    })
    const login = { ...password, password: secret, access_type: 'offline', scope: 'repository:ann/app:pull' }
    const { refresh_token: kept = '' } = await tokens.post(requestFrom(), form(login))
    const scope = 'repository:ann/app:pull,push repository:bob/x:pull registry:admin:*'
    const reply = await tokens.post(
      requestFrom(),
      form({ grant_type: 'refresh_token', refresh_token: kept, scope }),
    )
    assert.equal(reply.scope, 'repository:ann/app:pull')
  })

  it('a refresh token ends with its account, its password, its access token, and with disuse', async () => {
    const fixture = accessWith(users)
    const { tokens, table, accessTokens, logins, clock } = fixture
    const login = async (secret: string): Promise<URLSearchParams> => {
      const fields = { ...password, password: secret, access_type: 'offline' }
      const { refresh_token: kept = '' } = await tokens.post(requestFrom(), form(fields))
      return form({ grant_type: 'refresh_token', refresh_token: kept })
    }
    const refused = (refresh: URLSearchParams): Promise<void> =>
      assert.rejects(tokens.post(requestFrom(), refresh), { kind: 'unauthenticated', code: 'TOKEN_INVALID' })

    const byToken = await login(await accessTokens.create({ account: 'ann', name: 'a', scopes: [] }))
    const byPassword = await login('secret')
    const old = table.get('ann')
    table.set('ann', { name: 'ann', hash: 'hash of new' })
    await refused(byPassword)
    await tokens.post(requestFrom(), byToken)
    await accessTokens.remove('ann', 'a')
    await refused(byToken)
    table.delete('ann')
    await refused(byPassword)

    if (old !== undefined) table.set('ann', old)
    await tokens.post(requestFrom(), byPassword)
    await clock.advance(90 * 86_400_000)
    await refused(byPassword)
    const unused = await login('secret')
    assert.equal(await logins.removeAll('ann'), 1)
    await refused(unused)
    await refused(form({ grant_type: 'refresh_token' }))
  })

  it('refuses other grants', async () => {
    const { tokens } = accessWith(users)
    for (const fields of [{}, { grant_type: 'client_credentials' }]) {
      await assert.rejects(tokens.post(requestFrom(), form(fields)), { code: 'TOKEN_REQUEST_INVALID' })
    }
  })

  it('keeps a bounded number of logins per account', async () => {
    const { tokens, logins, clock } = accessWith(users)
    for (let count = 0; count < 210; count++) {
      await tokens.post(requestFrom(), form({ ...password, access_type: 'offline' }))
      await clock.advance(1)
    }
    assert.equal(logins.list().length, 200)
  })
})

describe('AccessTokens', () => {
  it('keeps no secret, and tells when a token was used', async () => {
    const { accessTokens, db, clock } = accessWith(users)
    const secret = await accessTokens.create({ account: 'ann', name: 'laptop', scopes: [] })
    assert.match(secret, /^brt_[\w-]{43}$/)
    assert.doesNotMatch(JSON.stringify(db.all('SELECT * FROM access_tokens')), new RegExp(secret.slice(4)))
    assert.equal(accessTokens.list()[0]?.used, undefined)
    accessTokens.use(secret)
    await clock.advance(30_000)
    accessTokens.use(secret)
    assert.equal(accessTokens.list()[0]?.used, clock.now().getTime() - 30_000)
  })

  it('refuses names and scopes that mean nothing', async () => {
    const { accessTokens } = accessWith(users)
    const create = (name: string, ...scopes: readonly string[]): Promise<string> =>
      accessTokens.create({ account: '', name, scopes })
    await assert.rejects(create('ci'), { code: 'TOKEN_SCOPE_INVALID' })
    for (const scope of ['x', 'registry:catalog:*', 'repository:A:pull', 'repository:a:write']) {
      await assert.rejects(create('ci', scope), { kind: 'invalid_argument' }, scope)
    }
    for (const name of ['', 'a b', 'anonymous', '-x']) {
      await assert.rejects(create(name, 'repository:a:pull'), { code: 'TOKEN_NAME_INVALID' })
    }
    await create('ci', 'repository:a:pull')
    await assert.rejects(create('ci', 'repository:a:pull'), { code: 'TOKEN_NAME_TAKEN' })
    await assert.rejects(accessTokens.remove('ann', 'ci'), { code: 'TOKEN_NOT_FOUND' })
  })
})
