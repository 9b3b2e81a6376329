/** Files in and out of containers: archives, changes, commits, exports, images as files; with hostile containers. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { readTar } from '#oci/tar/read-tar.ts'
import { member, tarOf } from '#test/support/busybox-image.ts'
import { EngineApi, exec } from '#test/support/engine-api.ts'

let api: EngineApi

before(async () => {
  api = await EngineApi.start()
})
after(() => api[Symbol.asyncDispose]())
afterEach(async () => {
  await api.daemon.removeAll()
  await api.daemon.assertNoLeaks()
})

const FOREVER = 'trap "exit 0" TERM; while :; do sleep 0.05; done'

/** Path to content (of a file), link target (with "-> ") or type. */
async function contents(bytes: Uint8Array): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  const source = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream()
  for await (const { entry, data } of readTar(source)) {
    const content = Buffer.concat(await Array.fromAsync(data)).toString()
    found[entry.path] =
      entry.type === 'file' ? content : entry.link === undefined ? entry.type : `-> ${entry.link}`
  }
  return found
}

async function get(id: string, path: string): Promise<Record<string, string>> {
  const query = `path=${encodeURIComponent(path)}`
  return contents((await api.call('GET', `/containers/${id}/archive?${query}`)).bytes)
}

async function put(id: string, path: string, tar: Uint8Array, more = ''): Promise<void> {
  await api.call('PUT', `/containers/${id}/archive?path=${encodeURIComponent(path)}${more}`, tar, 200)
}

describe('copies', () => {
  it('go into and come out of a running container', async () => {
    const id = await api.started({ Cmd: FOREVER })
    await put(id, '/tmp', await tarOf(member({ path: 'in', uid: 33, mode: 0o640 }, 'hello')))
    const inside = await exec(api, id, 'cat /tmp/in; stat -c " %u %a" /tmp/in; echo back > /tmp/out')
    assert.equal(inside.out, 'hello 33 640\n')
    assert.deepEqual(await get(id, '/tmp/out'), { out: 'back\n' })
  })
})
