import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { FakeMachine, TestEngine } from '#test/support/engine.ts'

let machine: FakeMachine
let engine: TestEngine

beforeEach(async () => {
  machine = new FakeMachine()
  engine = await TestEngine.start(machine)
})
afterEach(() => machine[Symbol.dispose]())

const SECOND = 1e9

async function service(name: string, dependsOn = '', more: object = {}): Promise<string> {
  const Labels = {
    'com.docker.compose.project': 'shop',
    'com.docker.compose.service': name,
    'com.docker.compose.depends_on': dependsOn,
  }
  return engine.run({ Labels, HostConfig: { RestartPolicy: { Name: 'unless-stopped' } }, ...more }, name)
}

/** The machine is started again, and the engine with it; nothing runs that is not started now. */
async function boot(): Promise<void> {
  engine.kill()
  for (const { id } of machine.shims.running) machine.shims.init(id).orphan()
  machine.bootId = 'next'
  engine = await TestEngine.start(machine)
  await engine.settled()
}

const statuses = (...ids: readonly string[]): string[] => ids.map((id) => engine.status(id))

describe('at boot', () => {
  const probed = { Healthcheck: { Test: ['CMD', 'true'], Interval: 10 * SECOND, StartPeriod: 0 } }

  it('a container waits until those it depends on run, and are healthy where that was asked for', async () => {
    const db = await service('db', '', probed)
    const api = await service('api', 'db:service_healthy:false')
    const web = await service('web', 'api:service_started:false')
    await boot()
    assert.deepEqual(statuses(db, api, web), ['running', 'restarting', 'restarting'])
    await machine.clock.advance(10_000)
    await engine.settled()
    assert.deepEqual(statuses(db, api, web), ['running', 'running', 'running'])
  })

  it('nothing waits for what is not going to run', async () => {
    const db = await service('db', '', probed)
    const job = await service('job', '', { Cmd: ['true'], HostConfig: {} })
    const web = await service(
      'web',
      'db:service_healthy:false,job:service_completed_successfully:false,gone:service_started:false',
    )
    await engine.lifecycle.stop(db)
    await boot()
    assert.deepEqual(statuses(db, job, web), ['exited', 'exited', 'running'])
  })

  it('a stop by hand of whom it waits for lets it go', async () => {
    const db = await service('db', '', probed)
    const web = await service('web', 'db:service_healthy:false')
    await boot()
    assert.deepEqual(statuses(db, web), ['running', 'restarting'])
    await engine.lifecycle.stop(db)
    await engine.settled()
    assert.deepEqual(statuses(db, web), ['exited', 'running'])
  })

  it('a stop of the one that waits is a stop', async () => {
    await service('db', '', probed)
    const web = await service('web', 'db:service_healthy:false')
    await boot()
    await engine.lifecycle.stop(web)
    await machine.clock.advance(10_000)
    await engine.settled()
    assert.equal(engine.status(web), 'exited')
  })

  it('nobody waits for ever: not in a circle, and not for what does not get well', async () => {
    const one = await service('one', 'two:service_started:false')
    const two = await service('two', 'one:service_started:false')
    const db = await service('db', '', { Healthcheck: { ...probed.Healthcheck, Test: ['CMD', 'false'] } })
    const web = await service('web', 'db:service_healthy:false')
    await boot()
    assert.deepEqual(statuses(one, two, web), ['running', 'running', 'restarting'])
    for (let seconds = 0; seconds < 125; seconds += 5) {
      await machine.clock.advance(5000)
      await engine.settled()
    }
    assert.deepEqual(statuses(db, web), ['running', 'running'])
  })

  it('other projects and containers that run once are none of its business', async () => {
    const other = await service('db', '', probed)
    engine.registry.update(other, {
      config: { ...engine.container(other).config, Labels: { 'com.docker.compose.project': 'other' } },
    })
    const web = await service('web', 'db:service_healthy:false')
    await boot()
    assert.equal(engine.status(web), 'running')
  })
})
