import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { FakeMachine, TestEngine } from '#test/support/engine.ts'
import type { BuildCacheRecord } from '../builds/service.ts'
import type { ImageService } from '../services.ts'
import { System } from './system.ts'
import { usageOf, usageOrZero } from './usage.ts'

let machine: FakeMachine
let engine: TestEngine
let system: System

beforeEach(async () => {
  machine = new FakeMachine()
  engine = await TestEngine.start(machine)
  const { registry, volumes } = engine
  const images = { list: async () => [{ Id: 'a', Size: 10, SharedSize: 4, Containers: 1 }] }
  system = new System({
    registry,
    volumes,
    builds: { usage: async () => [record('a', 10, false), record('b', 5, true)] },
    snapshots: machine.snapshots,
    containers: { list: async () => [] },
    images: images as unknown as ImageService,
    loggingDriver: () => 'json-file',
    eventListeners: () => 3,
    labels: () => [],
    account: async () => ({ Root: '/data', Total: 0, Categories: [], Unexplained: [] }),
    facts: {
      id: 'engine',
      version: '1.2.3',
      apiVersion: '1.55',
      minApiVersion: '1.44',
      gitCommit: '',
      builtAt: '',
      dataRoot: '/var/lib/berth',
      storageDriver: 'directory',
      runtime: { name: 'crun', path: '/usr/bin/crun', version: '1.8', reason: '' },
      configuredRuntimes: { own: { path: '/opt/own', args: ['--debug'] } },
      cgroupVersion: '2',
      debug: true,
      classicBuilder: false,
      warnings: [],
      proxies: { http: '', https: 'http://me:secret@proxy:3128', no: 'localhost' },
      registries: { hubMirrors: ['https://mirror.example'], insecure: ['reg.example:5000', '10.0.0.0/8'] },
    },
  })
})
afterEach(() => machine[Symbol.dispose]())

function record(ID: string, Size: number, InUse: boolean): BuildCacheRecord {
  const [CreatedAt, LastUsedAt] = ['2026-01-02T03:04:05Z', null]
  const counts = { Size, CreatedAt, LastUsedAt, UsageCount: 1 }
  return { ID, Parents: null, Type: 'regular', Description: '', InUse, Shared: false, ...counts }
}

describe('System.info()', () => {
  it('has runtimes by name, Docker’s default among them', async () => {
    const own = { path: '/usr/bin/crun' }
    assert.deepEqual((await system.info()).Runtimes, {
      runc: own,
      crun: own,
      own: { path: '/opt/own', runtimeArgs: ['--debug'] },
    })
  })

  it('counts containers by state', async () => {
    await engine.create()
    const paused = await engine.run()
    await engine.lifecycle.pause(paused)
    await engine.run()
    const restarting = await engine.run({ HostConfig: { RestartPolicy: { Name: 'always' } } })
    machine.shims.init(restarting).end(1)
    await engine.settled()
    const { Containers, ContainersRunning, ContainersPaused, ContainersStopped, Images } = await system.info()
    assert.deepEqual(
      [Containers, ContainersRunning, ContainersPaused, ContainersStopped, Images],
      [4, 2, 1, 1, 1],
    )
  })
})

describe('System.info() about the process', () => {
  it('tells what is open, under way and listened to', async () => {
    const { Debug, NFd = 0, NGoroutines, NEventsListener } = await system.info()
    assert.deepEqual([Debug, NEventsListener], [true, 3])
    assert.ok(Number(NFd) > 3)
    assert.ok(Number(NGoroutines) > 0)
  })
})

describe('System.info().RegistryConfig', () => {
  it('shows its proxies, without a password', async () => {
    const { HttpProxy, HttpsProxy, NoProxy } = await system.info()
    assert.deepEqual([HttpProxy, HttpsProxy, NoProxy], ['', 'http://xxxxx:xxxxx@proxy:3128', 'localhost'])
  })

  it('shows mirrors, insecure hosts and networks', async () => {
    const mirrors = ['https://mirror.example/']
    assert.deepEqual((await system.info()).RegistryConfig, {
      IndexConfigs: {
        'docker.io': { Name: 'docker.io', Mirrors: mirrors, Secure: true, Official: true },
        'reg.example:5000': { Name: 'reg.example:5000', Mirrors: [], Secure: false, Official: false },
      },
      InsecureRegistryCIDRs: ['10.0.0.0/8', '127.0.0.0/8', '::1/128'],
      Mirrors: mirrors,
    })
  })
})

describe('System.diskUsage()', () => {
  it('gives what was asked for alone', async () => {
    assert.deepEqual(Object.keys(await system.diskUsage({ types: ['volume'] })), ['VolumeUsage'])
    assert.deepEqual(Object.keys(await system.diskUsage({ types: [] })).length, 5)
  })
})

describe('usageOf()', () => {
  it('sums all, and what is idle as reclaimable', () => {
    const usage = usageOf(
      [1, 2, 3],
      (item) => item * 10,
      (item) => item === 2,
    )
    assert.deepEqual(
      [usage.TotalSize, usage.Reclaimable, usage.ActiveCount, usage.TotalCount],
      [60, 40, 1, 3],
    )
  })
})

describe('usageOrZero()', () => {
  it('is none for a container whose files are just being removed', async () => {
    const id = await engine.create()
    assert.equal(await usageOrZero(machine.snapshots, id), 0)
    await machine.snapshots.remove(id)
    assert.equal(await usageOrZero(machine.snapshots, id), 0)
    const broken = { usage: () => Promise.reject(new Error('I/O error')) }
    await assert.rejects(usageOrZero(broken, id), /I\/O error/)
  })
})

describe('System.diskUsage() of builds', () => {
  it('has every record of the cache, and what is not in use as reclaimable', async () => {
    const usage = (await system.diskUsage({ types: ['build-cache'] })) as { BuildCacheUsage: object }
    assert.deepEqual(Object.keys(usage), ['BuildCacheUsage'])
    assert.deepEqual(usage.BuildCacheUsage, {
      ActiveCount: 1,
      TotalCount: 2,
      Reclaimable: 10,
      TotalSize: 15,
      Items: [record('a', 10, false), record('b', 5, true)],
    })
  })
})
