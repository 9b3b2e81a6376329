import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { EventRow } from '#store/events.ts'
import type { Caller, RequestRow } from '#store/requests.ts'
import type { Container } from './container.ts'
import type { Ended } from './state.ts'
import { causeOf } from './why-cause.ts'

const START = '2026-01-02T00:00:00Z'
const END = '2026-01-02T00:01:00Z'
const docker: Caller = { kind: 'unix', uid: 0, pid: 7, user: 'root', command: 'docker' }

const last: Ended = { exitCode: 0, oomKilled: false, error: '', startedAt: START, finishedAt: END }

function ended(change: Partial<Ended>, more: Partial<Container> = {}): Container {
  const state = { status: 'exited', last: { ...last, ...change } }
  return {
    name: 'web',
    config: {},
    hostConfig: {},
    restartCount: 0,
    stoppedByHand: false,
    state,
    ...more,
  } as Container
}

function request(operation: string, begun: string, done: string, caller = docker): RequestRow {
  const at = (time: string) => BigInt(Date.parse(time)) * 1_000_000n
  return { operation, begun: at(begun), ended: at(done), path: '', object: '', caller, status: 204 }
}

const summary = (
  container: Container,
  asked: readonly RequestRow[] = [],
  happened: readonly EventRow[] = [],
) => causeOf(container, asked, happened).Summary

describe('causeOf()', () => {
  it('names who stopped it, and not who was there at another time', () => {
    const stop = request('ContainerStop', '2026-01-02T00:00:50Z', END)
    assert.equal(summary(ended({ exitCode: 143 }), [stop]), 'It was stopped by root with docker (pid 7).')
    const killed = causeOf(ended({ exitCode: 137 }), [stop], [])
    assert.match(killed.Details.join(' '), /did not end after SIGTERM in time, and was killed/)
    const before = request('ContainerStop', START, '2026-01-02T00:00:20Z')
    assert.match(
      summary(ended({ exitCode: 143 }), [before]),
      /ended by SIGTERM, for which nobody asked the engine/,
    )
    const ci: Caller = { kind: 'tls', subject: 'ci', address: '10.0.0.1' }
    assert.equal(
      summary(ended({}), [request('ContainerKill', END, END, ci)]),
      'It was sent a signal by CN=ci from 10.0.0.1.',
    )
  })

  it('tells ends of its own apart', () => {
    assert.equal(summary(ended({})), 'Its process ended by itself, without an error.')
    assert.equal(summary(ended({ exitCode: 3 })), 'Its process ended by itself, with exit code 3.')
    assert.match(summary(ended({ exitCode: 137, oomKilled: true })), /^It ran out of memory/)
    const limited = ended({ oomKilled: true }, { hostConfig: { Memory: 4096 } })
    assert.match(causeOf(limited, [], []).Next ?? '', /berth update --memory MORE web/)
    const missing = ended({ exitCode: 127, error: 'no such file', finishedAt: '0001-01-01T00:00:00Z' })
    assert.equal(summary(missing), 'It could not be started: no such file')
    assert.match(causeOf(missing, [], []).Next ?? '', /not in the image/)
  })

  it('says what the restart policy does', () => {
    const hostConfig = { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 } } as const
    const waits = { status: 'restarting', attempt: 2, last: { ...last, exitCode: 1 } } as const
    assert.match(
      summary(ended({}, { hostConfig, state: waits })),
      /^It waits to be started again by its restart policy \(on-failure:3\)\. Its process ended by itself/,
    )
    const held = causeOf(ended({}, { hostConfig, restartCount: 2, stoppedByHand: true }), [], [])
    assert.match(held.Details.join(' '), /on-failure:3, and has started it again 2 times; it rests since/)
  })

  it('says that the engine ended what was unhealthy', () => {
    const time = BigInt(Date.parse(END)) * 1_000_000n
    const event: EventRow = {
      sequence: 1,
      time,
      type: 'container',
      action: 'health_on_failure',
      actorId: '',
      attributes: {},
    }
    assert.match(summary(ended({ exitCode: 137 }), [], [event]), /its health check failed/)
  })

  it('says since when it runs, and who started it', () => {
    const state = { status: 'running', run: { startedAt: START } } as Container['state']
    const start = request('ContainerStart', START, START)
    assert.equal(
      summary(ended({}, { state }), [start]),
      `It is running since ${START}, when root with docker (pid 7) started it.`,
    )
    assert.equal(summary(ended({}, { state: { status: 'created' } })), 'It was created and never started.')
  })
})
