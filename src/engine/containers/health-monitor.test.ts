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
const checked = (Test: string[], more: object = {}) => ({
  Healthcheck: { Test, Interval: 10 * SECOND, Timeout: 3 * SECOND, Retries: 2, ...more },
})

async function seconds(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await machine.clock.advance(1000)
    await engine.settled()
  }
}

describe('HealthMonitor', () => {
  it('probes after each interval, without a terminal, and keeps the output', async () => {
    const id = await engine.run(checked(['CMD', 'echo', 'fine']))
    assert.equal(engine.health.of(id)?.Status, 'starting')
    await seconds(9)
    assert.equal(engine.health.of(id)?.Log?.length, 0)
    engine.takeEvents()
    await seconds(1)
    const health = engine.health.of(id)
    assert.equal(health?.Status, 'healthy')
    assert.equal(health?.Log?.[0]?.Output, 'fine\n')
    assert.deepEqual(engine.takeEvents(), [
      'exec_create: echo fine',
      'exec_start: echo fine',
      'exec_die 0',
      'health_status: healthy',
    ])
  })

  it('is unhealthy after so many failures, one of which may be a command that is not there', async () => {
    const id = await engine.run(checked(['CMD', 'nosuch']))
    await seconds(10)
    assert.deepEqual(engine.health.of(id)?.Status, 'starting')
    await seconds(10)
    const health = engine.health.of(id)
    assert.deepEqual(
      [health?.Status, health?.FailingStreak, health?.Log?.[0]?.ExitCode],
      ['unhealthy', 2, 127],
    )
    assert.match(health?.Log?.[0]?.Output ?? '', /executable file not found/)
  })

  it('kills a probe that takes too long', async () => {
    const id = await engine.run(checked(['CMD', 'stubborn']))
    await seconds(13)
    const health = engine.health.of(id)
    assert.equal(health?.Log?.[0]?.ExitCode, -1)
    assert.equal(health?.Log?.[0]?.Output, 'Health check exceeded timeout (3s)')
    assert.deepEqual(engine.execs.openIn(id), [])
  })

  it('does not count while the container is paused, and goes on afterwards', async () => {
    const id = await engine.run(checked(['CMD', 'false']))
    await engine.lifecycle.pause(id)
    await seconds(50)
    assert.equal(engine.health.of(id)?.FailingStreak, 0)
    await engine.lifecycle.unpause(id)
    await seconds(10)
    assert.equal(engine.health.of(id)?.FailingStreak, 1)
  })

  it('goes on after a probe met a container that was just paused', async () => {
    const id = await engine.run(checked(['CMD', 'true']))
    // Paused between the look at its state and the exec.
    const create = engine.execs.create.bind(engine.execs)
    engine.execs.create = async (...args) => {
      engine.execs.create = create
      await engine.lifecycle.pause(id)
      return create(...args)
    }
    await seconds(10)
    await engine.lifecycle.unpause(id)
    await seconds(10)
    assert.equal(engine.health.of(id)?.Status, 'healthy')
  })

  it('ends with the container, and begins anew with the next life', async () => {
    const id = await engine.run(checked(['CMD', 'true']))
    await seconds(10)
    await engine.lifecycle.stop(id)
    assert.equal(engine.health.of(id)?.Status, 'unhealthy')
    assert.deepEqual(machine.clock.sleeping, [])
    await engine.lifecycle.start(id)
    assert.equal(engine.health.of(id)?.Status, 'starting')
  })

  it('restarts what turns unhealthy, after a while that grows, where that was asked for', async () => {
    const HostConfig = { Annotations: { 'berth.health.on-failure': 'restart' } }
    const id = await engine.run({ ...checked(['CMD', 'false'], { Retries: 1 }), HostConfig })
    const restarts: number[] = []
    for (let second = 1; second <= 100; second++) {
      engine.takeEvents()
      await seconds(1)
      if (engine.takeEvents().includes('restart')) restarts.push(second)
    }
    // Every ten seconds a probe fails; between the actions are at least 10, 20, 40 seconds.
    assert.deepEqual(restarts.slice(0, 3), [10, 20, 40])
    assert.equal(engine.registry.get(id)?.state.status, 'running')
  })

  it('leaves what it has killed to the restart policy, and what it has stopped alone', async () => {
    const act = async (action: string) => {
      const HostConfig = {
        Annotations: { 'berth.health.on-failure': action },
        RestartPolicy: { Name: 'always' as const },
      }
      const id = await engine.run({ ...checked(['CMD', 'false'], { Retries: 1 }), HostConfig })
      await seconds(12)
      return engine.registry.get(id)
    }
    const killed = await act('kill')
    assert.deepEqual([killed?.state.status, killed?.restartCount], ['running', 1])
    assert.equal((await act('stop'))?.state.status, 'exited')
    assert.equal((await act('none'))?.state.status, 'running')
  })

  it('goes on under the next daemon, from the status it had', async () => {
    const id = await engine.run(checked(['CMD', 'true']))
    await seconds(10)
    engine = await engine.crash()
    assert.equal(engine.health.of(id)?.Status, 'healthy')
    await seconds(10)
    assert.equal(engine.health.of(id)?.Log?.length, 1)
  })
})
