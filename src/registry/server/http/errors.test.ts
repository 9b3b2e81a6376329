import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EngineError } from '#base/errors.ts'
import { storageFull } from '../storage/errors.ts'
import { failureOf } from './errors.ts'

function textOf(error: unknown): string {
  const { reply } = failureOf(error)
  return reply.kind === 'bytes' ? Buffer.from(reply.bytes).toString() : assert.fail()
}

describe('failureOf()', () => {
  it('tells strangers nothing about the host', () => {
    const lost = new EngineError('data_loss', '/srv/registry.db is damaged', { code: 'DATABASE_DAMAGED' })
    for (const error of [storageFull('/srv/uploads/1', undefined), lost, new Error('open /srv')]) {
      assert.doesNotMatch(textOf(error), /srv/)
    }
    assert.match(textOf(storageFull('/srv', undefined)), /UNAVAILABLE.*no space left/)
  })

  it('makes headers of what is for clients, and leaves them out of the body', () => {
    const error = new EngineError('unauthenticated', 'log in', {
      code: 'LOGIN_REQUIRED',
      details: { challenge: 'Basic realm="x"', retryAfter: 3 },
    })
    const { reply, status } = failureOf(error)
    assert.equal(status, 401)
    assert.equal(reply.headers['WWW-Authenticate'], 'Basic realm="x"')
    assert.equal(reply.headers['Retry-After'], '3')
    assert.doesNotMatch(textOf(error), /realm/)
  })
})
