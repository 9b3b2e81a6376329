import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { BcryptThread } from './bcrypt.ts'

/** Of `secret`, cost 4. */
const entry = '$2y$04$AAAAAAAAAAAAAAAAAAAAAOegiQxmbOFwzYbAdvJ2lxaPKGkz6p9fC'

describe('BcryptThread', () => {
  it('makes entries that it and others recognise', async () => {
    await using thread = new BcryptThread()
    const hash = await thread.hash('pass wörd')
    assert.match(hash, /^\$2b\$10\$/)
    assert.deepEqual(
      await Promise.all([
        thread.verify('pass wörd', hash),
        thread.verify('pass word', hash),
        thread.verify('x', entry),
      ]),
      [true, false, false],
    )
  })

  it('leaves the event loop alone meanwhile', async () => {
    await using thread = new BcryptThread()
    let done = false
    const hashing = thread.hash('x').then(() => (done = true))
    let turns = 0
    while (!done) {
      await turn()
      turns++
    }
    await hashing
    assert.ok(turns > 20, `${turns} turns`)
  })

  it('refuses more work than it could do soon, and starts again after its end', async () => {
    const thread = new BcryptThread()
    const jobs = Array.from({ length: 65 }, () => thread.verify('x', entry))
    await assert.rejects(jobs[64] as Promise<boolean>, { code: 'LOGIN_LIMIT' })
    const ended = Promise.allSettled(jobs)
    await thread[Symbol.asyncDispose]()
    const codes = (await ended).map((job) =>
      job.status === 'rejected' ? (job.reason as { code: string }).code : 'done',
    )
    assert.ok(
      codes.includes('PASSWORD_CHECK_FAILED') || codes.filter((code) => code === 'done').length === 64,
    )
    assert.equal(await thread.verify('x', entry), false)
    await thread[Symbol.asyncDispose]()
  })
})
