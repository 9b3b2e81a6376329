import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { isLoopback, listen } from './listen.ts'

async function directory(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'berth-listen-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

function server(): Server & Disposable {
  const made = createServer((socket) => {
    // A probe hangs up without reading.
    socket.on('error', () => socket.destroy()).end('hello')
  })
  return Object.assign(made, { [Symbol.dispose]: () => void made.close() })
}

async function greeting(path: string): Promise<string> {
  const client = connect({ path })
  const [text] = (await once(client, 'data')) as [Buffer]
  client.destroy()
  return text.toString()
}

describe('listen() on a unix socket', () => {
  it('makes it readable and writable for owner and group alone, and leaves nothing else', async () => {
    await using dir = await directory()
    using listening = server()
    const path = join(dir.path, 'engine.sock')
    const bound = await listen(listening, { kind: 'unix', path, gid: process.getgid?.() })

    assert.equal(bound.address, `unix://${path}`)
    assert.equal((await stat(path)).mode & 0o777, 0o660)
    assert.deepEqual(await readdir(dir.path), ['engine.sock'])
    assert.equal(await greeting(path), 'hello')

    await bound.release()
    assert.deepEqual(await readdir(dir.path), [])
  })

  it('replaces the socket of a run that ended without cleaning up', async () => {
    await using dir = await directory()
    const path = join(dir.path, 'engine.sock')
    using crashed = server()
    await listen(crashed, { kind: 'unix', path })
    crashed.close() // closes the descriptor; the file stays, because it was renamed
    await once(crashed, 'close')
    assert.deepEqual(await readdir(dir.path), ['engine.sock'])

    using next = server()
    await listen(next, { kind: 'unix', path })
    assert.equal(await greeting(path), 'hello')
  })

  it('refuses a path that is served, and leaves it served', async () => {
    await using dir = await directory()
    const path = join(dir.path, 'engine.sock')
    using first = server()
    await listen(first, { kind: 'unix', path })
    using second = server()
    await assert.rejects(listen(second, { kind: 'unix', path }), (error) => isKind(error, 'conflict'))
    assert.equal(await greeting(path), 'hello')
    assert.deepEqual(await readdir(dir.path), ['engine.sock'])
  })

  it('refuses to replace what is no socket', async () => {
    await using dir = await directory()
    const file = join(dir.path, 'notes.txt')
    await writeFile(file, 'x')
    const link = join(dir.path, 'link')
    await symlink(file, link)
    using listening = server()
    for (const path of [file, link]) {
      await assert.rejects(listen(listening, { kind: 'unix', path }), (error) => isKind(error, 'conflict'))
    }
  })

  it('does not remove a socket that has become somebody else’s', async () => {
    await using dir = await directory()
    const path = join(dir.path, 'engine.sock')
    using first = server()
    const bound = await listen(first, { kind: 'unix', path })
    await rm(path)
    using second = server()
    await listen(second, { kind: 'unix', path })
    await bound.release()
    assert.equal(await greeting(path), 'hello')
  })
})

describe('isLoopback()', () => {
  it('is true for this machine alone', () => {
    for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '::1']) assert.equal(isLoopback(host), true)
    for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.evil.example', '', '1127.0.0.1']) {
      assert.equal(isLoopback(host), false)
    }
  })
})
