import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import { SignJWT } from 'jose'
import { engineErrorOf } from '#base/errors.ts'
import { FakeClock } from '#base/fake-clock.ts'
import type { Action, Resource } from '../access.ts'
import { BearerTokens, type AccessEntry } from './bearer-tokens.ts'
import { accessWith, basic, requestFrom } from './fake-access.ts'

const users = { ann: 'secret', bob: 'other', root: 'admin' }
const settings = {
  admins: ['root'],
  anonymous: ['public/*'],
  rules: [{ repository: 'team/*', users: ['ann'], actions: ['pull', 'push'] }],
}
const base: Resource = { kind: 'base' }
const repository = (name: string, ...actions: readonly Action[]): Resource => ({
  kind: 'repository',
  name,
  actions,
})
const entry = (name: string, ...actions: readonly string[]): AccessEntry => ({
  type: 'repository',
  name,
  actions,
})

type Fixture = ReturnType<typeof accessWith>

/** The caller's name, or the code of the refusal and its challenge. */
async function ask(
  { access }: Fixture,
  authorization: string | undefined,
  resource: Resource,
): Promise<string> {
  try {
    return (await access.authorize(requestFrom(authorization), resource)).name
  } catch (error) {
    const { code, details } = engineErrorOf(error) ?? assert.fail(String(error))
    return `${code} ${(details['challenge'] as string | undefined) ?? ''}`.trim()
  }
}

const challenge = 'Bearer realm="http://registry.test:5000/token",service="test-registry"'

describe('RegistryAccess', () => {
  it('asks strangers to log in, and says for what', async () => {
    const fixture = accessWith(users, settings)
    assert.equal(await ask(fixture, undefined, base), `LOGIN_REQUIRED ${challenge}`)
    assert.equal(await ask(fixture, undefined, repository('public/a', 'pull')), 'anonymous')
    assert.equal(
      await ask(fixture, undefined, repository('public/a', 'push')),
      `LOGIN_REQUIRED ${challenge},scope="repository:public/a:pull,push"`,
    )
    assert.equal(await ask(fixture, 'Digest x="y"', base), `LOGIN_REQUIRED ${challenge}`)
    assert.equal(await ask(fixture, 'Basic !!!', base), `LOGIN_REQUIRED ${challenge}`)
  })

  it('takes Basic as it is', async () => {
    const fixture = accessWith(users, settings)
    const ann = basic('ann', 'secret')
    assert.equal(await ask(fixture, ann, base), 'ann')
    assert.equal(await ask(fixture, ann, repository('team/a', 'pull', 'push')), 'ann')
    assert.equal(await ask(fixture, ann, repository('ann/x/y', 'delete')), 'ann')
    assert.equal(await ask(fixture, ann, repository('team/a', 'delete')), 'ACCESS_DENIED')
    assert.equal(await ask(fixture, ann, { kind: 'admin' }), 'ACCESS_DENIED')
    assert.equal(await ask(fixture, basic('root', 'admin'), { kind: 'admin' }), 'root')
    assert.equal(await ask(fixture, basic('ann', 'SECRET'), base), `LOGIN_FAILED ${challenge}`)
  })

  it('lists show what the caller may pull', async () => {
    const { access } = accessWith(users, settings)
    const names = ['team/a', 'ann/x', 'public/p', 'other']
    const seen = async (authorization?: string): Promise<string[]> => {
      const caller = await access.authorize(requestFrom(authorization), { kind: 'catalog' })
      return names.filter((name) => access.mayPull(caller, name))
    }
    assert.deepEqual(await seen(), ['public/p'])
    assert.deepEqual(await seen(basic('ann', 'secret')), ['team/a', 'ann/x', 'public/p'])
    assert.deepEqual(await seen(basic('root', 'admin')), names)
    assert.equal(access.mayPull({ name: 'root' }, 'team/a'), false)
  })

  it('names the token endpoint as the client addresses it, and lets no header break out of the challenge', async () => {
    const { access } = accessWith(users)
    const secure = { ...requestFrom(), secure: true, host: '[::1]:443' }
    await assert.rejects(access.authorize(secure, base), (error) =>
      String(engineErrorOf(error)?.details['challenge']).startsWith('Bearer realm="https://[::1]:443/token"'),
    )
    for (const host of ['a",service="evil', 'a b', 'evil.test/x', 'user@evil', '']) {
      await assert.rejects(access.authorize({ ...requestFrom(), host }, base), {
        code: 'REGISTRY_HOST_INVALID',
      })
    }
  })
})

describe('RegistryAccess with a bearer token', () => {
  const bearer = async (
    { bearerTokens }: Fixture,
    subject: string,
    ...access: AccessEntry[]
  ): Promise<string> =>
    `Bearer ${(await bearerTokens.issue({ subject, accessToken: undefined, access })).token}`

  it('lets through what it covers, and asks for a larger one otherwise', async () => {
    const fixture = accessWith(users, settings)
    const token = await bearer(fixture, 'ann', entry('team/a', 'pull'))
    assert.equal(await ask(fixture, token, base), 'ann')
    assert.equal(await ask(fixture, token, repository('team/a', 'pull')), 'ann')
    const more = ',scope="repository:team/a:pull,push",error="insufficient_scope"'
    assert.equal(await ask(fixture, token, repository('team/a', 'push')), `TOKEN_SCOPE ${challenge}${more}`)
    assert.match(await ask(fixture, token, repository('team/b', 'pull')), /^TOKEN_SCOPE /)
    assert.match(await ask(fixture, token, { kind: 'catalog' }), /^TOKEN_SCOPE .*scope="registry:catalog:\*"/)
  })

  it('mounts only from repositories that it covers', async () => {
    const fixture = accessWith(users)
    const { access } = fixture
    const token = await bearer(fixture, 'ann', entry('target', 'pull', 'push'), entry('source', 'pull'))
    const caller = await access.authorize(requestFrom(token), repository('target', 'push'))
    assert.deepEqual(
      ['source', 'target', 'secret'].map((name) => access.mayPull(caller, name)),
      [true, true, false],
    )
    const whole = await access.authorize(requestFrom(basic('ann', 'secret')), repository('target', 'push'))
    assert.equal(access.mayPull(whole, 'secret'), true)
  })

  it('is worth no more than the rules and the account are now', async () => {
    const fixture = accessWith(users, settings)
    const token = await bearer(fixture, 'bob', entry('team/a', 'pull'))
    assert.equal(await ask(fixture, token, repository('team/a', 'pull')), 'ACCESS_DENIED')
    fixture.table.delete('bob')
    assert.match(await ask(fixture, token, base), /^TOKEN_INVALID .*error="invalid_token"/)
  })

  it('ends after five minutes', async () => {
    const fixture = accessWith(users)
    const token = await bearer(fixture, 'ann', entry('a', 'pull'))
    await fixture.clock.advance(299_000)
    assert.equal(await ask(fixture, token, base), 'ann')
    await fixture.clock.advance(10_000)
    assert.match(await ask(fixture, token, base), /^TOKEN_INVALID /)
  })

  it('is refused for another audience, issuer, key, or a time that has not come', async () => {
    const fixture = accessWith(users)
    const { key, clock, service } = fixture
    const claims = { subject: 'ann', accessToken: undefined, access: [entry('a', 'pull')] }
    const elsewhere = new BearerTokens({ key, clock, service: 'another-registry' })
    const strange = new BearerTokens({ key: accessWith(users).key, clock, service })
    const later = new BearerTokens({
      key,
      service,
      clock: new FakeClock(new Date(clock.now().getTime() + 60_000)),
    })
    for (const tokens of [elsewhere, strange, later]) {
      const { token } = await tokens.issue(claims)
      assert.match(await ask(fixture, `Bearer ${token}`, base), /^TOKEN_INVALID /)
    }
    const seconds = Math.floor(clock.now().getTime() / 1000)
    const forged = await new SignJWT({ access: [] })
      .setProtectedHeader({ alg: 'ES256', typ: 'JWT' })
      .setIssuer('somebody')
      .setAudience(service)
      .setSubject('ann')
      .setIssuedAt(seconds)
      .setNotBefore(seconds)
      .setExpirationTime(seconds + 60)
      .setJti('1')
      .sign(key.privateKey)
    assert.match(await ask(fixture, `Bearer ${forged}`, base), /^TOKEN_INVALID /)
  })

  it('CVE-2015-9235: is refused with alg none, and with a MAC under the public key', async () => {
    const fixture = accessWith(users)
    const token = (await bearer(fixture, 'ann', entry('a', 'pull'))).slice('Bearer '.length)
    const [, payload = ''] = token.split('.')
    const header = (alg: string): string =>
      Buffer.from(JSON.stringify({ alg, typ: 'JWT' })).toString('base64url')
    const forged = ['none', 'None', 'NONE'].map((alg) => `${header(alg)}.${payload}.`)
    for (const format of ['pem', 'der'] as const) {
      const secret = fixture.key.publicKey.export({ type: 'spki', format })
      const signed = `${header('HS256')}.${payload}`
      forged.push(`${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`)
    }
    for (const text of forged)
      assert.match(await ask(fixture, `Bearer ${text}`, base), /^(TOKEN_INVALID|LOGIN_REQUIRED) /)
  })

  it('is refused with any altered bit, such as a larger access claim', async () => {
    const fixture = accessWith(users)
    const token = (await bearer(fixture, 'bob', entry('a', 'pull'))).slice('Bearer '.length)
    const [header = '', payload = '', signature = ''] = token.split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as {
      sub: string
      access: AccessEntry[]
    }
    const altered = [
      { ...claims, sub: 'root' },
      { ...claims, access: [entry('a', 'pull', 'push')] },
    ].map(
      (document) => `${header}.${Buffer.from(JSON.stringify(document)).toString('base64url')}.${signature}`,
    )
    for (const text of [...altered, `${token}A`, `${header}.${payload}.`, 'x.y.z', 'x']) {
      assert.match(await ask(fixture, `Bearer ${text}`, base), /^TOKEN_INVALID /)
    }
  })
})

describe('RegistryAccess with an access token', () => {
  it('takes it as password of its account, or alone as Bearer, within its scopes', async () => {
    const fixture = accessWith(users, settings)
    const scopes = ['repository:team/*:pull']
    const secret = await fixture.accessTokens.create({ account: 'ann', name: 'laptop', scopes })
    for (const authorization of [basic('ann', secret), `Bearer ${secret}`]) {
      assert.equal(await ask(fixture, authorization, repository('team/a', 'pull')), 'ann')
      assert.equal(await ask(fixture, authorization, repository('team/a', 'push')), 'ACCESS_DENIED')
      assert.equal(await ask(fixture, authorization, repository('ann/x', 'pull')), 'ACCESS_DENIED')
    }
    assert.match(await ask(fixture, basic('bob', secret), base), /^LOGIN_FAILED /)
    fixture.table.delete('ann')
    assert.match(await ask(fixture, basic('ann', secret), base), /^LOGIN_FAILED /)
  })

  it('takes a deploy token under its own name', async () => {
    const fixture = accessWith(users, settings)
    const secret = await fixture.accessTokens.create({
      account: '',
      name: 'ci',
      scopes: ['repository:team/*:push'],
    })
    assert.equal(await ask(fixture, basic('ci', secret), repository('team/a', 'push')), 'ci')
    assert.equal(await ask(fixture, basic('ci', secret), repository('ci/a', 'pull')), 'ACCESS_DENIED')
    assert.match(await ask(fixture, basic('ann', secret), base), /^LOGIN_FAILED /)
  })

  it('ends when it expires or is removed, and with it the bearer tokens made from it', async () => {
    const fixture = accessWith(users)
    const { accessTokens, clock, tokens } = fixture
    const expires = clock.now().getTime() + 100_000
    const secret = await accessTokens.create({ account: 'ann', name: 'short', scopes: [], expires })
    const { token } = await tokens.get(requestFrom(basic('ann', secret)), new URLSearchParams())
    assert.equal(await ask(fixture, `Bearer ${token}`, base), 'ann')
    await clock.advance(100_000)
    assert.match(await ask(fixture, `Bearer ${token}`, base), /^TOKEN_INVALID /)
    assert.match(await ask(fixture, `Bearer ${secret}`, base), /^TOKEN_INVALID /)

    const other = await accessTokens.create({ account: 'ann', name: 'other', scopes: [] })
    await accessTokens.remove('ann', 'other')
    assert.match(await ask(fixture, basic('ann', other), base), /^LOGIN_FAILED /)
  })
})
