/** Links on the default bridge: lines of /etc/hosts that follow the other container, and ways past a bridge without icc. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { EngineApi, exec } from '#test/support/engine-api.ts'

let api: EngineApi
before(async () => {
  api = await EngineApi.start({ args: ['--icc=false'] })
})
after(() => api[Symbol.asyncDispose]())
afterEach(async () => {
  await api.daemon.removeAll()
  await api.daemon.assertNoLeaks()
})

const SERVER =
  'mkdir -p /var/www; hostname > /var/www/index.html; httpd -p 81 -h /var/www; exec httpd -f -p 80 -h /var/www'
const web = { Cmd: SERVER, Hostname: 'www', ExposedPorts: { '80/tcp': {} } }
const SLEEP = 'trap "exit 0" TERM; while :; do sleep 0.05; done'

async function addressOf(id: string): Promise<string> {
  const { Networks } = (await api.inspect(id)).NetworkSettings as {
    Networks: Record<string, { IPAddress: string }>
  }
  return Networks['bridge']?.IPAddress ?? ''
}

async function fetched(id: string, address: string, port = 80): Promise<string> {
  const ask = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 1 ${address} ${port} | tail -n 1`
  return (await exec(api, id, ask)).out.trim()
}

const hosts = async (id: string): Promise<string> => (await exec(api, id, 'cat /etc/hosts')).out

describe('a container that is linked to another one', () => {
  it('finds it by alias, hostname and name, and reaches the ports that it exposes, alone', async () => {
    const target = await api.started(web, 'web')
    const client = await api.started({ Cmd: SLEEP, HostConfig: { Links: ['web:db'] } }, 'client')
    const stranger = await api.started({ Cmd: SLEEP })
    const address = await addressOf(target)
    assert.ok((await hosts(client)).includes(`${address}\tdb www web\n`))
    await api.until('the server', async () => (await fetched(client, 'db')) === 'www')
    for (const name of ['www', 'web', address]) assert.equal(await fetched(client, name), 'www', name)
    assert.equal(await fetched(client, 'db', 81), '')
    assert.equal(await fetched(stranger, address), '')
    assert.equal(await fetched(target, await addressOf(client)), '')
    assert.deepEqual((await api.inspect(client)).HostConfig?.Links, ['/web:/client/db'])
  })

  it('follows it to its next address, also past a restart of the daemon', async () => {
    const target = await api.started(web, 'web')
    const client = await api.started({ Cmd: SLEEP, HostConfig: { Links: ['web:db'] } }, 'client')
    const before = await addressOf(target)
    await api.call('POST', '/containers/web/stop?t=0', undefined, 204)
    // Somebody else takes what was its address.
    const others = await Promise.all([1, 2, 3].map(() => api.started({ Cmd: SLEEP })))
    await api.call('POST', '/containers/web/start', undefined, 204)
    const now = await addressOf(target)
    const text = await hosts(client)
    assert.ok(text.includes(`${now}\tdb www web\n`), text)
    if (now !== before) assert.ok(!text.includes(`${before}\t`), text)
    await api.until('the server', async () => (await fetched(client, 'db')) === 'www')
    assert.equal(await fetched(others[0] ?? '', now), '')
    await api.daemon.down('SIGKILL')
    await api.daemon.up()
    await api.until('the link', async () => (await fetched(client, 'db')) === 'www')
    assert.equal(await fetched(others[0] ?? '', now), '')
    await api.call('POST', '/containers/web/rename?name=shop', undefined, 204)
    assert.deepEqual((await api.inspect(client)).HostConfig?.Links, ['/shop:/client/db'])
    assert.equal((await api.inspect('client/db')).Id, target)
    await api.refused(404, 'GET', '/containers/client/none/json')
    await api.call('DELETE', '/containers/shop?force=1', undefined, 204)
    assert.deepEqual((await api.inspect(client)).HostConfig?.Links, [])
    await api.call('POST', '/containers/client/restart?t=0', undefined, 204)
  })

  it('is so until the link is removed', async () => {
    const target = await api.started(web, 'web')
    const client = await api.started({ Cmd: SLEEP, HostConfig: { Links: ['web:db', 'web:/www2'] } }, 'client')
    await api.until('the server', async () => (await fetched(client, 'db')) === 'www')
    const listed = (await api.call('GET', '/containers/json')).json<{ Id: string; Names: string[] }[]>()
    assert.deepEqual(listed.find(({ Id }) => Id === target)?.Names, ['/web', '/client/db', '/client/www2'])
    await api.call('DELETE', '/containers/client/www2?link=1', undefined, 204)
    assert.equal(await fetched(client, 'db'), 'www')
    await api.call('DELETE', '/containers/client/db?link=1', undefined, 204)
    assert.doesNotMatch(await hosts(client), /web/)
    assert.equal(await fetched(client, await addressOf(target)), '')
    assert.deepEqual((await api.inspect(client)).HostConfig?.Links, null)
    for (const [status, words, ref] of [
      [409, /cannot remove the default link name of the container$/, 'client'],
      [500, /^Cannot get parent \/nobody for link name nobody\/db$/, 'nobody/db'],
      [404, /^No such link: client\/db$/, 'client/db'],
    ] as const) {
      assert.match(await api.refused(status, 'DELETE', `/containers/${ref}?link=1`), words)
    }
    await api.refused(404, 'DELETE', '/containers/client/db')
  })

  it('is refused with the words of Docker when there is nothing to link to', async () => {
    const create = (HostConfig: object) => ({ Image: 'busybox', Cmd: ['true'], HostConfig })
    const cases: readonly [RegExp, object][] = [
      [/^could not get container for nobody: No such container: nobody$/, { Links: ['nobody:db'] }],
      [/^bad format for links: a:b:c$/, { Links: ['a:b:c'] }],
      [/can't be used with links/, { Links: ['a'], NetworkMode: 'none' }],
    ]
    for (const [words, body] of cases) {
      assert.match(await api.refused(400, 'POST', '/containers/create', create(body)), words)
    }
    await api.create(web, 'web')
    const client = await api.create({ Cmd: SLEEP, HostConfig: { Links: ['web:db'] } }, 'client')
    const words = await api.refused(500, 'POST', `/containers/${client}/start`)
    assert.match(words, /Cannot link to a non running container: \/web AS \/client\/db$/)
  })
})
