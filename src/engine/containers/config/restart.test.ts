import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { RestartPolicy } from '#api/generated/types.ts'
import { cancelsRestart, decideRestart, startsAtBoot } from './restart.ts'

const failed = { exitCode: 1, ranFor: 5, stoppedByUser: false }
const first = { count: 0, delay: 0 }
const restarts = (policy: RestartPolicy | undefined, end: object = {}, state = first) =>
  decideRestart(policy, state, { ...failed, ...end }).restart

describe('decideRestart()', () => {
  it('follows the policy', () => {
    assert.equal(restarts(undefined), false)
    assert.equal(restarts({ Name: 'no' }), false)
    assert.equal(restarts({ Name: 'always' }, { exitCode: 0 }), true)
    assert.equal(restarts({ Name: 'unless-stopped' }, { exitCode: 0 }), true)
    assert.equal(restarts({ Name: 'on-failure' }), true)
    assert.equal(restarts({ Name: 'on-failure' }, { exitCode: 0 }), false)
  })

  it('never restarts what was stopped by hand', () => {
    for (const Name of ['always', 'unless-stopped', 'on-failure'] as const) {
      assert.equal(restarts({ Name }, { stoppedByUser: true }), false)
    }
  })

  it('gives up after as many failures as were allowed', () => {
    const policy: RestartPolicy = { Name: 'on-failure', MaximumRetryCount: 2 }
    const counts = [0, 1, 2].map((count) => restarts(policy, {}, { count, delay: 0 }))
    assert.deepEqual(counts, [true, true, false])
  })

  it('doubles the delay up to a minute, and begins anew after a stable run', () => {
    const policy: RestartPolicy = { Name: 'always' }
    const delays: number[] = []
    let state = first
    for (let i = 0; i < 12; i++) {
      const decision = decideRestart(policy, state, failed)
      assert.ok(decision.restart)
      state = decision.state
      delays.push(state.delay)
    }
    assert.deepEqual(delays, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000])
    const after = decideRestart(policy, state, { ...failed, ranFor: 10_000 })
    assert.deepEqual(after, { restart: true, state: { count: 13, delay: 100 } })
  })

  it('keeps the delay between a tenth of a second and a minute', () => {
    fc.assert(
      fc.property(fc.nat(60_000), fc.nat(20_000), (delay, ranFor) => {
        const decision = decideRestart({ Name: 'always' }, { count: 1, delay }, { ...failed, ranFor })
        assert.ok(decision.restart && decision.state.delay <= 60_000)
        assert.ok(decision.state.delay >= Math.min(100, delay || 100))
      }),
    )
  })
})

describe('startsAtBoot()', () => {
  const facts = { hasRun: true, stoppedByUser: false, exitCode: 0, restartCount: 0 }

  it('brings back what the policy wants', () => {
    const stopped = { ...facts, stoppedByUser: true }
    assert.equal(startsAtBoot({ Name: 'always' }, stopped), true)
    assert.equal(startsAtBoot({ Name: 'unless-stopped' }, stopped), false)
    assert.equal(startsAtBoot({ Name: 'unless-stopped' }, facts), true)
    assert.equal(startsAtBoot({ Name: 'on-failure' }, facts), false)
    assert.equal(startsAtBoot({ Name: 'on-failure' }, { ...facts, exitCode: 1 }), true)
    assert.equal(startsAtBoot({ Name: 'on-failure' }, { ...stopped, exitCode: 1 }), false)
    assert.equal(startsAtBoot({ Name: 'no' }, facts), false)
  })

  it('leaves what never ran alone', () => {
    assert.equal(startsAtBoot({ Name: 'always' }, { ...facts, hasRun: false }), false)
  })
})

describe('cancelsRestart()', () => {
  it('takes any signal for a stop, unless the container has a stop signal of its own', () => {
    assert.equal(cancelsRestart(1, undefined), true)
    assert.equal(cancelsRestart(1, 'SIGINT'), false)
    assert.equal(cancelsRestart(2, 'SIGINT'), true)
    assert.equal(cancelsRestart(9, 'SIGINT'), true)
  })
})
