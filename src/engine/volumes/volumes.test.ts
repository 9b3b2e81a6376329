import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { FakeMachine, TestEngine } from '#test/support/engine.ts'
import { VolumeRows } from '#store/volumes.ts'
import type { Volumes } from './volumes.ts'

let machine: FakeMachine
let engine: TestEngine
let volumes: Volumes

beforeEach(async () => {
  machine = new FakeMachine()
  await boot()
})
afterEach(() => machine[Symbol.dispose]())

async function boot(): Promise<void> {
  engine?.kill()
  engine = await TestEngine.start(machine)
  volumes = engine.volumes
}

const NONE = new Map<string, string[]>()
const using = (name: string) => ({ HostConfig: { Binds: [`${name}:/data`] } })
const anonymous = { Volumes: { '/data': {} } }
const removal = { force: true, volumes: true, link: false }
const inTrash = () => readdirSync(join(machine.dataRoot, 'trash'))

async function names(): Promise<string[]> {
  return (await volumes.list(NONE)).Volumes.map(({ Name }) => Name ?? '')
}

describe('Volumes.create()', () => {
  it('makes a directory that any user of a container may look into', async () => {
    const { Mountpoint } = await volumes.create({ Name: 'data' })
    assert.equal(Mountpoint, join(machine.dataRoot, 'volumes/data/_data'))
    assert.equal(statSync(Mountpoint).mode & 0o777, 0o755)
    assert.equal(statSync(join(Mountpoint, '..')).mode & 0o777, 0o701)
    assert.equal(statSync(join(Mountpoint, '../..')).mode & 0o777, 0o700)
  })

  it('gives back a volume that is there as it is', async () => {
    const first = await volumes.create({ Name: 'data', Labels: { a: '1' } })
    assert.deepEqual(await volumes.create({ Name: 'data', Labels: { a: '2' } }), first)
  })

  it('makes one for many who ask at the same time', async () => {
    const all = await Promise.all([1, 2, 3].map(() => volumes.create({ Name: 'data' })))
    assert.equal(new Set(all.map(({ CreatedAt }) => CreatedAt)).size, 1)
    assert.deepEqual(
      engine.takeEvents().filter((event) => event === 'volume create'),
      ['volume create'],
    )
  })

  it('leaves a directory with every volume, however often it is made and removed', async () => {
    const work = Array.from({ length: 20 }, (_, i) =>
      i % 2 === 0 ? volumes.create({ Name: 'data' }) : volumes.remove('data', { force: true }),
    )
    await Promise.all(work)
    for (const name of await names()) assert.ok(existsSync(volumes.directory(name)))
  })

  it('refuses bad names, other drivers and options', async () => {
    const bad = (body: object) => volumes.create(body)
    await assert.rejects(bad({ Name: '../x' }), /includes invalid characters for a local volume name/)
    await assert.rejects(bad({ Name: 'x' }), {
      message: /^create x: volume name is too short, names should be/,
    })
    await assert.rejects(bad({ Name: 'xy', Driver: 'nfs' }), /plugin "nfs" not found/)
    await assert.rejects(
      bad({ Name: 'xy', DriverOpts: { colour: '1' } }),
      /^EngineError: create xy: invalid option: "colour"$/,
    )
    await assert.rejects(
      bad({ Name: 'xy', DriverOpts: { type: 'tmpfs' } }),
      /missing required option: "device"/,
    )
    await assert.rejects(bad({ Name: 'xy', DriverOpts: { o: 'ro', type: 'x' } }), /missing required option/)
    await assert.rejects(bad({ Name: 'xy', DriverOpts: { size: 'much' } }), /invalid size: 'much'/)
    await assert.rejects(
      bad({ Name: 'xy', DriverOpts: { size: '1G' } }),
      /the size of a volume cannot be limited here/,
    )
    assert.deepEqual(await names(), [])
  })

  it('names and marks one without a name', async () => {
    const { Name, Labels } = await volumes.create({})
    assert.match(Name ?? '', /^[0-9a-f]{64}$/)
    assert.deepEqual(Labels, { 'com.docker.volume.anonymous': '' })
  })

  it('takes a directory without a record into use again', async () => {
    await volumes.create({ Name: 'data' })
    writeFileSync(join(volumes.directory('data'), 'file'), 'precious')
    new VolumeRows(machine.db).remove('data')
    await boot()
    assert.match(machine.log.join(''), /no record/)
    await volumes.create({ Name: 'data' })
    assert.equal(readFileSync(join(volumes.directory('data'), 'file'), 'utf8'), 'precious')
  })
})

describe('Volumes.remove()', () => {
  it('removes row and data', async () => {
    await volumes.create({ Name: 'data' })
    writeFileSync(join(volumes.directory('data'), 'file'), 'x')
    await volumes.remove('data', { force: false })
    assert.deepEqual(await names(), [])
    assert.ok(!existsSync(join(machine.dataRoot, 'volumes/data')))
    assert.deepEqual(inTrash(), [])
    await assert.rejects(volumes.remove('data', { force: false }), { message: 'get data: no such volume' })
    await volumes.remove('data', { force: true })
  })

  it('refuses one that a container has, running or not', async () => {
    const id = await engine.create(using('data'))
    const message = `remove data: volume is in use - [${id}]`
    await assert.rejects(volumes.remove('data', { force: true }), { message })
    await engine.lifecycle.remove(id, removal)
    assert.deepEqual(await names(), ['data'])
    await volumes.remove('data', { force: false })
  })

  it('refuses one of a container that is just being created', async () => {
    await volumes.create({ Name: 'data' })
    const prepare = machine.snapshots.view.bind(machine.snapshots)
    machine.snapshots.view = async (layers) => {
      await assert.rejects(volumes.remove('data', { force: true }), /volume is in use/)
      assert.deepEqual((await volumes.prune(new Map([['all', ['1']]]))).VolumesDeleted, [])
      return prepare(layers)
    }
    await engine.create({ ...using('data') })
    assert.deepEqual(await names(), ['data'])
  })

  it('is finished after a crash, once the row has gone', async () => {
    await volumes.create({ Name: 'data' })
    writeFileSync(join(volumes.directory('data'), 'file'), 'x')
    const path = join(machine.dataRoot, 'volumes/data')
    // As a crash between row and directory leaves it.
    writeFileSync(join(path, '_removing'), '')
    new VolumeRows(machine.db).remove('data')
    await boot()
    assert.ok(!existsSync(path))
  })

  it('has not happened when a crash came before the row had gone', async () => {
    await volumes.create({ Name: 'data' })
    writeFileSync(join(machine.dataRoot, 'volumes/data/_removing'), '')
    await boot()
    assert.deepEqual(await names(), ['data'])
    assert.ok(!existsSync(join(machine.dataRoot, 'volumes/data/_removing')))
  })
})

describe('anonymous volumes', () => {
  it('go with their container when that is asked, or with --rm', async () => {
    const kept = await engine.create(anonymous)
    await engine.lifecycle.remove(kept, { ...removal, volumes: false })
    assert.equal((await names()).length, 1)
    const removed = await engine.create(anonymous)
    await engine.lifecycle.remove(removed, removal)
    const rm = await engine.run({ ...anonymous, HostConfig: { AutoRemove: true } })
    machine.shims.init(rm).end(0)
    await engine.settled()
    assert.equal((await names()).length, 1)
    assert.deepEqual((await volumes.prune(NONE)).VolumesDeleted.length, 1)
  })

  it('stay as long as another container has them', async () => {
    const first = await engine.create(anonymous)
    const second = await engine.create({ HostConfig: { VolumesFrom: [first] } })
    await engine.lifecycle.remove(first, removal)
    assert.equal((await names()).length, 1)
    await engine.lifecycle.remove(second, removal)
    assert.deepEqual(await names(), [])
  })

  it('go with a creation that fails', async () => {
    const bind = { Type: 'bind', Source: join(machine.dataRoot, 'nowhere'), Target: '/y' } as const
    const failing = engine.create({ ...anonymous, HostConfig: { Mounts: [bind] } })
    await assert.rejects(failing, /bind source path does not exist/)
    assert.deepEqual(await names(), [])
    assert.deepEqual(await machine.snapshots.snapshots(), [])
  })
})

describe('Volumes.list() and prune()', () => {
  it('refuse filters that they do not know, also when there is nothing', async () => {
    const filters = new Map([['size', ['1']]])
    await assert.rejects(volumes.list(filters), { message: "invalid filter 'size'" })
    await assert.rejects(volumes.prune(filters), { message: "invalid filter 'size'" })
  })

  it('prune takes anonymous ones only, unless all are asked for', async () => {
    await volumes.create({ Name: 'named', Labels: { keep: '' } })
    await volumes.create({ Name: 'other' })
    const { Name = '' } = await volumes.create({})
    engine.takeEvents()
    assert.deepEqual((await volumes.prune(NONE)).VolumesDeleted, [Name])
    assert.deepEqual(engine.takeEvents(), ['volume destroy', 'volume prune'])
    const all = new Map([
      ['all', ['true']],
      ['label!', ['keep']],
    ])
    assert.deepEqual((await volumes.prune(all)).VolumesDeleted, ['other'])
    assert.deepEqual(await names(), ['named'])
  })
})
