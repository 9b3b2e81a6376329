import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { credentialsOf } from './credentials.ts'

describe('credentialsOf()', () => {
  it('takes name and password, together or in one text', () => {
    assert.deepEqual(credentialsOf({ username: 'a', password: 'b' }), { username: 'a', password: 'b' })
    const auth = Buffer.from('a:b:c').toString('base64')
    assert.deepEqual(credentialsOf({ auth }), { username: 'a', password: 'b:c' })
  })

  it('takes tokens', () => {
    assert.deepEqual(credentialsOf({ username: '<token>', identitytoken: 't' }), {
      username: '<token>',
      identityToken: 't',
    })
    assert.deepEqual(credentialsOf({ registrytoken: 't' }), { registryToken: 't' })
  })

  it('is anonymous when there is nothing to say', () => {
    assert.equal(credentialsOf(undefined), undefined)
    assert.equal(credentialsOf({ serveraddress: 'x' }), undefined)
    assert.equal(credentialsOf({ auth: 'bm9jb2xvbg==' }), undefined)
  })
})
