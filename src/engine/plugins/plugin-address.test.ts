import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { pluginAddress, pluginNames } from './plugin-address.ts'

let root: string
const servers: Server[] = []

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-plugins-'))
  mkdirSync(join(root, 'sockets/nested'), { recursive: true })
  mkdirSync(join(root, 'etc'))
})
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
  rmSync(root, { recursive: true })
})

async function listen(path: string): Promise<string> {
  const server = createServer().listen(join(root, path))
  servers.push(server)
  await once(server, 'listening')
  return join(root, path)
}

const places = () => ({
  sockets: join(root, 'sockets'),
  specifications: [join(root, 'etc'), join(root, 'missing')],
})
const find = (name: string) => pluginAddress(name, places())

describe('pluginAddress()', () => {
  it('finds sockets, also in a directory of their own, before specifications', async () => {
    const plain = await listen('sockets/plain.sock')
    const nested = await listen('sockets/nested/nested.sock')
    writeFileSync(join(root, 'etc/plain.spec'), 'tcp://10.0.0.1:80')
    assert.deepEqual(await find('plain'), { socketPath: plain })
    assert.deepEqual(await find('nested'), { socketPath: nested })
    assert.deepEqual(await pluginNames(places()), ['nested', 'plain'])
  })

  it('reads specifications', async () => {
    writeFileSync(join(root, 'etc/a.spec'), 'unix:///srv/a.sock\n')
    writeFileSync(join(root, 'etc/b.spec'), 'tcp://storage.example:8080')
    const TLSConfig = { CAFile: '/ca.pem' }
    writeFileSync(
      join(root, 'etc/c.json'),
      JSON.stringify({ Name: 'c', Addr: 'https://storage.example:8443', TLSConfig }),
    )
    assert.deepEqual(await find('a'), { socketPath: '/srv/a.sock' })
    assert.deepEqual(await find('b'), { host: 'storage.example', port: 8080, tls: undefined })
    assert.deepEqual(await find('c'), { host: 'storage.example', port: 8443, tls: TLSConfig })
    assert.deepEqual(await pluginNames(places()), ['a', 'b', 'c'])
  })

  it('says what is wrong with one, and leaves no directory by its name', async () => {
    writeFileSync(join(root, 'etc/odd.spec'), 'somewhere')
    writeFileSync(join(root, 'etc/torn.json'), '{"Addr":')
    await assert.rejects(find('odd'), { code: 'PLUGIN_SPEC_INVALID' })
    await assert.rejects(find('torn'), { code: 'PLUGIN_SPEC_INVALID' })
    for (const name of ['', '../etc/odd', '/etc/odd', 'a/../odd', 'missing'])
      assert.equal(await find(name), undefined)
  })
})
