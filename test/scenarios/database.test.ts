/** A database keeps its data: Debian's redis, in a named volume. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { it } from 'node:test'
import { EngineApi, exec } from '#test/support/engine-api.ts'
import { redisArchive } from '#test/support/redis-image.ts'

const archive = redisArchive()
const SERVER = [
  'redis-server',
  '--dir',
  '/data',
  '--appendonly',
  'yes',
  '--appendfsync',
  'always',
  '--save',
  '',
  '--bind',
  '127.0.0.1',
]

async function engine(): Promise<EngineApi> {
  const api = await EngineApi.start()
  await api.import('redis&tag=1', await readFile(archive ?? ''))
  return api
}

async function serve(api: EngineApi, image: string, volume: string, name: string): Promise<string> {
  const HostConfig = { Mounts: [{ Type: 'volume', Source: volume, Target: '/data' }] }
  const id = await api.started({ Image: image, Cmd: SERVER, User: 'redis', HostConfig }, name)
  await api.until('redis answers', async () => (await ask(api, id, 'ping')) === 'PONG')
  return id
}

async function ask(api: EngineApi, id: string, ...command: readonly string[]): Promise<string> {
  return (await exec(api, id, `redis-cli ${command.join(' ')}`)).out.trim()
}

it(
  'redis keeps its data through everything',
  { skip: archive === undefined && 'no Debian mirror' },
  async () => {
    await using api = await engine()
    // The directory of the image is redis' own: its owner comes with the first use of the volume.
    const prepared = await api.run({ Image: 'redis:1', Cmd: 'install -d -o redis -g redis /data' })
    await api.call('POST', `/commit?container=${prepared.id}&repo=redis&tag=1`, undefined, 201)
    await api.call('DELETE', `/containers/${prepared.id}`)
    let id = await serve(api, 'redis:1', 'db', 'first')
    assert.equal(await ask(api, id, 'set', 'key', 'precious'), 'OK')

    // Stop and start.
    await api.call('POST', `/containers/${id}/restart`)
    await api.until('redis answers', async () => (await ask(api, id, 'ping')) === 'PONG')
    assert.equal(await ask(api, id, 'get', 'key'), 'precious')

    // A newer image, a new container.
    await api.call('DELETE', `/containers/${id}?force=1&v=1`)
    const newer = await api.run({
      Image: 'redis:1',
      Cmd: 'echo newer > /etc/version; echo of the image > /data/extra',
    })
    await api.call('POST', `/commit?container=${newer.id}&repo=redis&tag=2`, undefined, 201)
    await api.call('DELETE', `/containers/${newer.id}`)
    id = await serve(api, 'redis:2', 'db', 'second')
    assert.equal(await ask(api, id, 'get', 'key'), 'precious')
    assert.equal((await exec(api, id, 'cat /etc/version; ls /data/extra 2>/dev/null')).out.trim(), 'newer')

    // The daemon is killed; what was said to be written is.
    const written = Array.from({ length: 20 }, (_, i) => ask(api, id, 'set', `k${i}`, `v${i}`))
    assert.deepEqual(new Set(await Promise.all(written)), new Set(['OK']))
    await api.daemon.down('SIGKILL')
    await api.daemon.up()
    assert.equal(await ask(api, id, 'get', 'k19'), 'v19')

    // A clone, and an archive that goes to another engine.
    await api.call('POST', `/containers/${id}/stop`)
    await api.call('POST', '/berth/volumes/db/clone?name=twin', undefined, 201)
    const twin = await serve(api, 'redis:2', 'twin', 'third')
    assert.equal(await ask(api, twin, 'get', 'key'), 'precious')
    assert.equal(await ask(api, twin, 'set', 'key', 'changed'), 'OK')
    await api.call('POST', `/containers/${id}/start`)
    await api.until('redis answers', async () => (await ask(api, id, 'ping')) === 'PONG')
    assert.equal(await ask(api, id, 'get', 'key'), 'precious')
    await api.call('POST', `/containers/${id}/stop`)
    const { bytes } = await api.call('GET', '/berth/volumes/db/export')
    await using other = await engine()
    await other.call('POST', '/berth/volumes/moved/import', bytes, 201)
    const moved = await serve(other, 'redis:1', 'moved', 'far')
    assert.deepEqual(
      [await ask(other, moved, 'get', 'key'), await ask(other, moved, 'get', 'k7')],
      ['precious', 'v7'],
    )
    await other.daemon.removeAll()
    await other.call('DELETE', '/volumes/moved')
    await api.daemon.removeAll()
    for (const volume of ['db', 'twin']) await api.call('DELETE', `/volumes/${volume}`, undefined, 204)
  },
)
