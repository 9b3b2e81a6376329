import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  healthDocument,
  initialHealth,
  nextProbeDelay,
  probeOf,
  probeResult,
  probeTimeout,
  reduceHealth,
} from './health.ts'
import type { HealthState, Probe } from './health.ts'

const probe: Probe = {
  test: { argv: ['true'] },
  interval: 30_000,
  timeout: 30_000,
  retries: 3,
  startPeriod: 10_000,
  startInterval: 5000,
}
const at = new Date(0)
const probed = (exitCode: number, sinceStart = 20_000) =>
  ({ type: 'probed', result: { start: at, end: at, exitCode, output: '' }, sinceStart }) as const
const after = (exits: readonly number[], sinceStart?: number): HealthState =>
  exits.reduce((state, exit) => reduceHealth(state, probed(exit, sinceStart), probe), initialHealth)

describe('probeOf()', () => {
  it('fills in the defaults', () => {
    assert.deepEqual(probeOf({ Healthcheck: { Test: ['CMD', 'a', 'b'] } }), {
      test: { argv: ['a', 'b'] },
      interval: 30_000,
      timeout: 30_000,
      retries: 3,
      startPeriod: 0,
      startInterval: 5000,
    })
  })

  it('runs a shell command in the shell of the container', () => {
    const Healthcheck = { Test: ['CMD-SHELL', 'exit 1'], Interval: 1e9 }
    assert.deepEqual(probeOf({ Healthcheck })?.test, { argv: ['/bin/sh', '-c', 'exit 1'] })
    assert.deepEqual(probeOf({ Healthcheck, Shell: ['bash', '-ec'] })?.test, {
      argv: ['bash', '-ec', 'exit 1'],
    })
    assert.equal(probeOf({ Healthcheck })?.interval, 1000)
  })

  it('looks at a port where that is asked for', () => {
    const test = (...Test: string[]) => probeOf({ Healthcheck: { Test } })?.test
    assert.deepEqual(test('TCP', '5432'), { port: 5432 })
    assert.deepEqual(test('HTTP', '8080/ready?x=1'), { port: 8080, path: '/ready?x=1' })
    assert.deepEqual(test('HTTP', ':80'), { port: 80, path: '/' })
    assert.deepEqual(test('HTTP', 'http://localhost:80/a'), { port: 80, path: '/a' })
    for (const odd of ['0', '70000', 'http', '80/a b', '80/a\r\nX: y', 'http://example:80/']) {
      assert.equal(test('HTTP', odd), undefined)
    }
    assert.equal(test('TCP', '80/a'), undefined)
    assert.equal(test('TCP', '80', '81'), undefined)
  })

  it('is undefined when there is nothing to run', () => {
    for (const Test of [undefined, null, [], ['NONE'], ['CMD'], ['ODD', 'x']]) {
      assert.equal(probeOf({ Healthcheck: { Test } }), undefined)
    }
    assert.equal(probeOf({}), undefined)
  })
})

describe('reduceHealth()', () => {
  it('is healthy after the first success', () => assert.equal(after([0]).status, 'healthy'))

  it('is unhealthy after as many failures as are allowed', () => {
    assert.deepEqual([after([1, 1]).status, after([1, 1, 1]).status], ['starting', 'unhealthy'])
    assert.equal(after([0, 1, 1]).status, 'healthy')
    assert.equal(after([0, 1, 1, -1]).status, 'unhealthy')
  })

  it('recovers with one success', () => {
    const { status, failingStreak } = after([1, 1, 1, 0])
    assert.deepEqual([status, failingStreak], ['healthy', 0])
  })

  it('forgives failures within the start period, until it was healthy once', () => {
    assert.deepEqual([after([1, 1, 1, 1], 5000).status, after([1, 1], 5000).failingStreak], ['starting', 0])
    assert.equal(after([0, 1, 1, 1], 5000).status, 'unhealthy')
  })

  it('keeps the last five results', () => {
    const { log } = after([1, 2, 3, 4, 5, 6])
    assert.deepEqual(
      log.map(({ exitCode }) => exitCode),
      [2, 3, 4, 5, 6],
    )
  })

  it('starts anew with the container and is unhealthy without it', () => {
    const sick = after([1, 1, 1])
    assert.deepEqual(reduceHealth(sick, { type: 'started' }, probe), {
      ...sick,
      status: 'starting',
      failingStreak: 0,
    })
    assert.equal(reduceHealth(after([0]), { type: 'stopped' }, probe).status, 'unhealthy')
  })

  it('is unhealthy only with a full streak', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, 1), { maxLength: 20 }), (exits) => {
        const { status, failingStreak, log } = after(exits)
        assert.equal(status === 'unhealthy', failingStreak >= probe.retries)
        assert.ok(log.length <= 5)
      }),
    )
  })
})

describe('nextProbeDelay()', () => {
  it('is short while starting', () => {
    assert.equal(nextProbeDelay(initialHealth, probe, 0), 5000)
    assert.equal(nextProbeDelay(initialHealth, probe, 10_000), 30_000)
    assert.equal(nextProbeDelay(after([0]), probe, 0), 30_000)
  })
})

describe('results', () => {
  it('are cut at 4096 bytes, on a whole character', () => {
    const { output } = probeResult(at, at, 0, new TextEncoder().encode(`${'a'.repeat(4095)}é`))
    assert.equal(output, `${'a'.repeat(4095)}...`)
    assert.equal(probeResult(at, at, 0, new TextEncoder().encode('é')).output, 'é')
  })

  it('say how long a probe was waited for', () => {
    const text = (timeout: number, written = '') =>
      probeTimeout(at, at, { ...probe, timeout }, Buffer.from(written)).output
    assert.equal(text(30_000), 'Health check exceeded timeout (30s)')
    assert.equal(text(90_000), 'Health check exceeded timeout (1m30s)')
    assert.equal(text(250), 'Health check exceeded timeout (250ms)')
    assert.equal(text(3_600_000), 'Health check exceeded timeout (1h0m0s)')
    assert.equal(text(50, 'half\n'), 'Health check exceeded timeout (50ms): half\n')
  })

  it('become the document of inspect', () => {
    assert.deepEqual(healthDocument(after([7])), {
      Status: 'starting',
      FailingStreak: 1,
      Log: [{ Start: '1970-01-01T00:00:00Z', End: '1970-01-01T00:00:00Z', ExitCode: 7, Output: '' }],
    })
  })
})
