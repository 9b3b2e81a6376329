import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { authorizationsFrom } from './authorizations.ts'

function given(secrets: Readonly<Record<string, string>>) {
  return authorizationsFrom({
    secret: async (id) => (secrets[id] === undefined ? undefined : Buffer.from(secrets[id])),
  })
}

describe('authorizationsFrom()', () => {
  it('makes a token what git servers take', async () => {
    const authorization = await given({ GIT_AUTH_TOKEN: 't\n' })('git', 'https://host/x.git')
    assert.equal(authorization, `Basic ${Buffer.from('x-access-token:t').toString('base64')}`)
  })

  it('prefers what is for the server, and a header to a token', async () => {
    const of = given({
      GIT_AUTH_HEADER: 'all',
      'GIT_AUTH_HEADER.one': 'for one',
      'GIT_AUTH_HEADER.two:8080': 'for two and its port',
      'GIT_AUTH_HEADER.two': 'for two',
      'GIT_AUTH_TOKEN.one': 't',
    })
    assert.equal(await of('git', 'https://one/x.git'), 'for one')
    assert.equal(await of('git', 'http://two:8080/x.git'), 'for two and its port')
    assert.equal(await of('git', 'http://two:8081/x.git'), 'for two')
    assert.equal(await of('git', 'https://three/x.git'), 'all')
  })

  it('gives web servers only what is for them', async () => {
    const of = given({ HTTP_AUTH_TOKEN_one: 't', HTTP_AUTH_HEADER_two: 'basic x', GIT_AUTH_TOKEN: 'g' })
    assert.equal(await of('http', 'https://one/x'), 'Bearer t')
    assert.equal(await of('http', 'https://two/x'), 'basic x')
    assert.equal(await of('http', 'https://three/x'), undefined)
  })

  it('gives nothing that is no header, and nothing to other protocols', async () => {
    const of = given({ GIT_AUTH_HEADER: 'a\r\nHost: x' })
    assert.equal(await of('git', 'https://host/x.git'), undefined)
    assert.equal(await given({ GIT_AUTH_HEADER: 'a' })('git', 'ssh://host/x.git'), undefined)
    assert.equal(await given({ GIT_AUTH_HEADER: 'a' })('git', 'git@host:x.git'), undefined)
  })
})
