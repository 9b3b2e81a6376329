import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Background } from '#base/background.ts'
import { isKind } from '#base/errors.ts'
import { FakeClock } from '#base/fake-clock.ts'
import { silentLogger } from '#base/logger.ts'
import { Sessions } from './sessions.ts'

it('ends a session with what its client did not send to the end', async () => {
  const dropped: string[] = []
  const cut = async (): Promise<never> => Promise.reject(new Error('aborted'))
  const sessions = new Sessions({
    contexts: {
      list: async (_session, name) => (name === 'whole' ? [] : cut()),
      fill: cut,
      open: cut,
      drop: async (session) => void dropped.push(session),
    },
    clock: new FakeClock(new Date()),
    background: new Background(silentLogger),
    sockets: '/nonexistent',
  })
  const body = (async function* body() {})()
  for (const send of [
    async (id: string) => sessions.putFiles(id, 'whole', body),
    async (id: string) => sessions.putContext(id, 'cut', body),
  ]) {
    const { id } = sessions.begin()
    const secret = Buffer.from('secret')
    sessions.putSecret(id, 's', secret)
    await sessions.putContext(id, 'whole', body)
    assert.equal(dropped.length, 0)
    await assert.rejects(send(id), /aborted/)
    assert.deepEqual(dropped.splice(0), [id])
    assert.deepEqual(secret, Buffer.alloc(6))
    await assert.rejects(send(id), (error) => isKind(error, 'not_found'))
  }
})
