import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempDisposable, stat } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { forwardSocket } from './agent-sockets.ts'

const OWNER = { mode: 0o640, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }

function dialIn(directory: string, name: string): () => Socket {
  return () => connect({ path: join(directory, name), allowHalfOpen: true })
}

describe('forwardSocket()', () => {
  it('leads both ways until it is disposed', async () => {
    await using directory = await mkdtempDisposable(join(tmpdir(), 'berth-agent-'))
    await using agent = createServer({ allowHalfOpen: true }, (client) => {
      client.once('data', (data) => client.once('end', () => client.end(`got ${data.toString()}`)))
    })
    agent.listen(join(directory.path, 'agent'))
    await once(agent, 'listening')
    const path = join(directory.path, 'own')
    const dial = dialIn(directory.path, 'agent')
    {
      await using _forwarded = await forwardSocket(path, dial, OWNER)
      assert.equal((await stat(path)).mode & 0o777, 0o640)
      const client = connect({ path, allowHalfOpen: true })
      client.end('question')
      assert.equal(await text(client), 'got question')
    }
    const late = connect(path)
    await assert.rejects(once(late, 'connect'), /ENOENT|ECONNREFUSED/)
  })

  it('ends connections of a process that is still there, and of an agent that is not', async () => {
    await using directory = await mkdtempDisposable(join(tmpdir(), 'berth-agent-'))
    const path = join(directory.path, 'own')
    await using forwarded = await forwardSocket(path, dialIn(directory.path, 'none'), OWNER)
    const client = connect(path)
    await once(client, 'close')
    await using agent = createServer(() => undefined)
    agent.listen(join(directory.path, 'none'))
    await once(agent, 'listening')
    const waiting = connect(path)
    waiting.on('error', () => undefined)
    const [upstream] = (await once(agent, 'connection')) as [
      { on(event: 'error', listener: () => void): void },
    ]
    upstream.on('error', () => undefined)
    const closed = once(waiting, 'close')
    await forwarded[Symbol.asyncDispose]()
    await closed
  })
})
