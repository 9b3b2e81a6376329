import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EngineError, engineErrorOf, messageOf } from './errors.ts'

describe('what failed', () => {
  const full = new Error('no space left on device')

  it('is what failed first, not what then failed to be released', () => {
    const failed = new EngineError('invalid_argument', 'exit code: 1', { code: 'BUILD_RUN_FAILED' })
    const all = new SuppressedError(full, new SuppressedError(full, failed))
    assert.equal(engineErrorOf(all), failed)
    assert.equal(engineErrorOf(new Error('outer', { cause: all })), failed)
    assert.equal(messageOf(all), 'exit code: 1')
  })

  it('is what it is when nothing failed after it', () => {
    assert.equal(engineErrorOf(full), undefined)
    assert.equal(messageOf(full), 'no space left on device')
    assert.equal(messageOf('text'), 'text')
  })
})
