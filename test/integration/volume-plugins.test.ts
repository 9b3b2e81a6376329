/** Volumes of plugins that speak Docker's protocol over a socket, and of a filesystem that limits their size. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { member } from '#test/support/busybox-image.ts'
import { EngineApi, exec } from '#test/support/engine-api.ts'
import { machineDirectory } from '#test/support/machine-directory.ts'
import { VolumePluginServer } from '#test/support/volume-plugin.ts'

const FOREVER = 'trap "exit 0" TERM; while :; do sleep 0.05; done'
const name = `berth-test-${randomBytes(4).toString('hex')}`
let api: EngineApi
let scratch: string
let plugin: VolumePluginServer

before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'berth-plugin-'))
  plugin = await VolumePluginServer.start(`/run/docker/plugins/${name}.sock`, scratch)
  api = await EngineApi.start({}, member({ path: 'seed/file' }, 'from the image\n'))
})
after(async () => {
  try {
    await api[Symbol.asyncDispose]()
  } finally {
    await plugin[Symbol.asyncDispose]()
    rmSync(scratch, { recursive: true, force: true })
  }
})
afterEach(async () => {
  plugin.failing.clear()
  await api.daemon.removeAll()
  for (const volume of plugin.volumes.keys()) await api.call('DELETE', `/volumes/${volume}?force=1`)
  plugin.takeCalls()
  await api.daemon.assertNoLeaks()
})

const using = (Source: string, Target = '/v', more: object = {}) => ({
  HostConfig: { Mounts: [{ Type: 'volume', Source, Target, ...more }] },
})
const create = (Name: string, more: object = {}) =>
  api.call('POST', '/volumes/create', { Name, Driver: name, ...more }, 201)

describe('a volume of a plugin', () => {
  it('is made, used, counted and removed by it', async () => {
    await create('theirs', { DriverOpts: { colour: 'blue' } })
    assert.deepEqual(plugin.volumes.get('theirs'), { colour: 'blue' })
    const shown = (await api.call('GET', '/volumes/theirs')).json<Record<string, unknown>>()
    assert.deepEqual(
      [shown['Driver'], shown['Mountpoint'], shown['Status']],
      [name, join(scratch, 'theirs'), { users: 0 }],
    )
    plugin.takeCalls()
    const id = await api.started({ ...using('theirs', '/seed'), Cmd: FOREVER })
    assert.equal((await exec(api, id, 'cat /seed/file; echo more > /seed/own')).out, 'from the image\n')
    assert.deepEqual([...(plugin.users.get('theirs') ?? [])], [id])
    assert.match(await api.refused(409, 'DELETE', '/volumes/theirs'), /^remove theirs: volume is in use - \[/)
    await api.call('DELETE', `/containers/${id}?force=1`)
    assert.equal(plugin.users.get('theirs')?.size, 0)
    assert.deepEqual(
      plugin.takeCalls().filter((call) => call.includes('ount ')),
      ['Mount theirs', 'Unmount theirs', 'Mount theirs', 'Unmount theirs'],
    )
    assert.equal(readFileSync(join(scratch, 'theirs/own'), 'utf8'), 'more\n')
    await api.call('DELETE', '/volumes/theirs', undefined, 204)
    assert.ok(!plugin.volumes.has('theirs'))
    assert.ok(!existsSync(join(scratch, 'theirs')))
  })

  it('is given back when its container has ended while no daemon was there', async () => {
    await create('lost')
    const id = await api.started({ ...using('lost'), Cmd: FOREVER })
    await api.daemon.down('SIGKILL')
    assert.deepEqual([...(plugin.users.get('lost') ?? [])], [id])
    await api.daemon.up()
    // Taken over: still in use.
    assert.equal(plugin.users.get('lost')?.size, 1)
    const { Pid } = (await api.inspect(id)).State
    const shim = /PPid:\t(\d+)/.exec(readFileSync(`/proc/${Pid}/status`, 'utf8'))?.[1]
    await api.daemon.down('SIGKILL')
    process.kill(Number(shim), 'SIGKILL')
    process.kill(Pid, 'SIGKILL')
    await api.daemon.up()
    await api.until('the volume is given back', async () => plugin.users.get('lost')?.size === 0)
  })

  it('is given back when the daemon is killed while it starts a container', async () => {
    await create('begun')
    const noCopy = { VolumeOptions: { NoCopy: true } }
    const id = await api.create({ ...using('begun', '/v', noCopy), Cmd: FOREVER })
    const users = (): number => plugin.users.get('begun')?.size ?? 0
    for (let i = 0; i < 6; i++) {
      plugin.takeCalls()
      const asked = api.daemon.call('POST', `/containers/${id}/start`).catch(() => undefined)
      if (i % 2 === 0) await api.until('it is mounted', async () => plugin.calls.includes('Mount begun'))
      else await new Promise((resolve) => setTimeout(resolve, i * 20))
      await api.daemon.down('SIGKILL')
      await asked
      await api.daemon.up()
      const running = (await api.inspect(id)).State.Status === 'running'
      await api.until('the plugin knows', async () => users() === (running ? 1 : 0))
      if (running) await api.call('POST', `/containers/${id}/kill`)
      await api.wait(id)
      await api.until('it is free', async () => users() === 0)
    }
  })

  it('of which a part is mounted stays inside', async () => {
    await create('parts')
    mkdirSync(join(scratch, 'parts/in'))
    writeFileSync(join(scratch, 'parts/in/f'), 'deep\n')
    execFileSync('ln', ['-s', '/etc', join(scratch, 'parts/out')])
    const part = (Subpath: string) => using('parts', '/v', { VolumeOptions: { Subpath } })
    assert.equal((await api.run({ ...part('in'), Cmd: 'cat /v/f' })).out, 'deep\n')
    const id = await api.create({ ...part('out'), Cmd: 'ls /v' })
    assert.match(await api.refused(400, 'POST', `/containers/${id}/start`), /escapes the base directory/)
    assert.equal(plugin.users.get('parts')?.size, 0)
  })

  it('that was made past us is listed, shown and can be removed', async () => {
    plugin.volumes.set('foreign', {})
    const { Volumes } = (await api.call('GET', '/volumes')).json<{
      Volumes: { Name: string; Driver: string; Scope: string }[]
    }>()
    assert.deepEqual(
      Volumes.map(({ Name, Driver, Scope }) => [Name, Driver, Scope]),
      [['foreign', name, 'global']],
    )
    assert.equal(
      (await api.call('GET', '/volumes/foreign')).json<{ Driver: string; Scope: string }>().Driver,
      name,
    )
    await api.call('DELETE', '/volumes/foreign', undefined, 204)
    assert.ok(!plugin.volumes.has('foreign'))
  })

  it('gets its words told, and nothing is left of what failed', async () => {
    plugin.failing.set('Create', 'out of disks')
    const refused = await api.refused(500, 'POST', '/volumes/create', { Name: 'nope', Driver: name })
    assert.match(refused, /^create nope: VolumeDriver.Create: out of disks$/)
    await api.call('GET', '/volumes/nope', undefined, 404)
    plugin.failing.clear()
    await create('stuck')
    plugin.failing.set('Mount', 'no way')
    const id = await api.create({ ...using('stuck', '/v', { VolumeOptions: { NoCopy: true } }), Cmd: 'true' })
    const started = await api.refused(500, 'POST', `/containers/${id}/start`)
    assert.match(started, /^error while mounting volume '.*': VolumeDriver.Mount: no way$/)
    assert.equal(
      await api.refused(404, 'POST', '/volumes/create', { Name: 'x1', Driver: 'nosuch' }),
      'create x1: error looking up volume plugin nosuch: plugin "nosuch" not found',
    )
    assert.match(
      await api.refused(409, 'POST', '/volumes/create', { Name: 'stuck', Driver: 'local' }),
      /volume name must be unique/,
    )
  })

  it('may be served where a file says; one that is gone is a warning where volumes are its', async () => {
    const specification = `/etc/docker/plugins/${name}-far.spec`
    const socket = join(scratch, 'far.sock')
    using _made = machineDirectory('/etc/docker/plugins')
    writeFileSync(specification, `unix://${socket}\n`)
    const warnings = async (): Promise<string[] | null> =>
      (await api.call('GET', '/volumes')).json<{ Warnings: string[] | null }>().Warnings
    try {
      assert.equal(await warnings(), null)
      {
        await using _plugin = await VolumePluginServer.start(socket, scratch)
        await api.call('POST', '/volumes/create', { Name: 'far', Driver: `${name}-far` }, 201)
        assert.equal(await warnings(), null)
      }
      const [warning, ...others] = (await warnings()) ?? []
      assert.match(String(warning), new RegExp(`^plugin "${name}-far": VolumeDriver.List: connect E`))
      assert.deepEqual(others, [])
      await using again = await VolumePluginServer.start(socket, scratch)
      again.volumes.set('far', {})
      await api.call('DELETE', '/volumes/far', undefined, 204)
    } finally {
      rmSync(specification)
    }
  })
})

describe('a volume with a size', () => {
  it('is refused where the filesystem has no project quotas', async () => {
    const message = await api.refused(400, 'POST', '/volumes/create', {
      Name: 'small',
      DriverOpts: { size: '10M' },
    })
    assert.match(
      message,
      /^create small: the size of a volume cannot be limited here: .*its filesystem has no project quotas \(mount it with prjquota\)/,
    )
    await api.call('GET', '/volumes/small', undefined, 404)
    assert.deepEqual(readdirSync(join(api.daemon.marks.dataRoot, 'volumes')), [])
  })

  it('takes no more than that where it has them', async (test) => {
    const disk = join(scratch, 'disk')
    const root = join(scratch, 'limited')
    mkdirSync(root)
    execFileSync('truncate', ['-s', '256M', disk])
    execFileSync('mkfs.ext4', ['-q', '-O', 'quota,project', '-E', 'quotatype=prjquota', disk])
    try {
      execFileSync('mount', ['-o', 'loop,prjquota', disk, root], { stdio: 'pipe' })
    } catch (error) {
      test.skip(`no project quotas in this kernel: ${String(error)}`)
      return
    }
    try {
      await using small = await EngineApi.start({ dataRoot: join(root, 'data') })
      await small.call('POST', '/volumes/create', { Name: 'small', DriverOpts: { o: 'size=8m' } }, 201)
      const { out, err } = await small.run({
        ...using('small'),
        Cmd: 'dd if=/dev/zero of=/v/f bs=1M count=20; stat -c %s /v/f',
      })
      assert.match(err, /(?:No space left on device|Disk quota exceeded)/)
      assert.ok(Number(out) <= 8 << 20, out)
      await small.daemon.removeAll()
      await small.call('POST', '/berth/volumes/small/clone?name=other', undefined, 201)
      await small.call('DELETE', '/volumes/small', undefined, 204)
      await small.call('DELETE', '/volumes/other', undefined, 204)
    } finally {
      execFileSync('umount', [root])
    }
  })
})
