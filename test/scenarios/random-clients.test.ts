/**
 * Eight clients do anything with the same few containers and images, at once, and the daemon is killed under them: no
 * answer is a 5xx, and what is left is what the engine says is left.
 */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { DiskAccount } from '#api/disk-account.ts'
import type { Answer } from '#test/support/daemon.ts'
import { EngineApi } from '#test/support/engine-api.ts'
import { type Random, randomOf } from '#test/support/random.ts'

const WORKERS = 8
const NAMES = ['aa', 'bb', 'cc', 'dd', 'ee', 'ff']
/** `BERTH_TEST_SEED` repeats the choices of a run, if not their order in time. */
const seed = Number(process.env['BERTH_TEST_SEED'] ?? Math.trunc(Math.random() * 2 ** 31))

let api: EngineApi

before(async () => {
  api = await EngineApi.start()
})
after(() => api[Symbol.asyncDispose]())
beforeEach(() => api.daemon.removeAll())

/** A request; undefined when the daemon was killed meanwhile. */
type Call = (method: string, path: string, body?: unknown) => Promise<Answer | undefined>
type Deed = (call: Call, random: Random) => Promise<unknown>

const commands = ['sleep 1000', 'exit 3', 'echo hello', 'trap "exit 0" TERM; while :; do sleep 0.05; done']
const policies = ['no', 'always', 'on-failure', 'unless-stopped']
const name = (random: Random): string => random.pick(NAMES) ?? ''
const post =
  (path: string): Deed =>
  (call, random) =>
    call('POST', `/containers/${name(random)}/${path}`)

/** What a client may do; frequent ones are there more than once. */
const deeds: readonly (readonly [times: number, deed: Deed])[] = [
  [5, create],
  [5, post('start')],
  [2, post('stop?t=0')],
  [2, post('kill')],
  [2, post('restart?t=0')],
  [2, post('pause')],
  [3, post('unpause')],
  [3, (call, random) => call('DELETE', `/containers/${name(random)}?force=${random.below(2)}&v=1`)],
  [1, (call, random) => call('POST', `/containers/${name(random)}/rename?name=${name(random)}`)],
  [
    1,
    (call, random) =>
      call('POST', `/containers/${name(random)}/update`, {
        Memory: (32 + random.below(32)) << 20,
        MemorySwap: -1,
      }),
  ],
  [3, execute],
  [
    2,
    (call, random) => call('POST', `/commit?container=${name(random)}&repo=made${random.below(3)}&pause=1`),
  ],
  [2, (call, random) => call('DELETE', `/images/made${random.below(3)}?force=${random.below(2)}`)],
  [1, (call, random) => call('POST', `/images/busybox/tag?repo=made${random.below(3)}`)],
  [1, (call) => call('POST', '/containers/prune')],
  [1, (call) => call('POST', '/images/prune')],
  [1, (call) => call('GET', '/containers/json?all=1&size=1')],
  [1, (call) => call('GET', '/system/df')],
  [1, (call, random) => call('GET', `/containers/${name(random)}/logs?stdout=1&stderr=1`)],
  [1, (call, random) => call('GET', `/containers/${name(random)}/archive?path=/etc`)],
]
/** How often each answer was given. */
const answers = new Map<string, number>()
const choices = deeds.flatMap(([times, deed]) => Array.from({ length: times }, () => deed))

async function create(call: Call, random: Random): Promise<void> {
  await call('POST', `/containers/create?name=${name(random)}`, {
    Image: random.below(3) === 0 ? `made${random.below(3)}` : 'busybox',
    Cmd: ['sh', '-c', random.pick(commands)],
    Volumes: random.below(4) === 0 ? { '/v': {} } : {},
    HostConfig: {
      AutoRemove: false,
      RestartPolicy: { Name: random.pick(policies) },
      ...(random.below(3) === 0 ? { PortBindings: { '80/tcp': [{ HostPort: '' }] } } : {}),
    },
  })
}

async function execute(call: Call, random: Random): Promise<void> {
  const made = await call('POST', `/containers/${name(random)}/exec`, {
    Cmd: ['sh', '-c', 'echo x'],
    AttachStdout: true,
  })
  if (made?.status !== 201) return
  await call('POST', `/exec/${made.json<{ Id: string }>().Id}/start`, { Detach: random.below(2) === 0 })
}

/** `steps` deeds; a broken connection ends one of them, as `mayBreak` says. */
async function work(random: Random, steps: number, mayBreak: () => boolean): Promise<string[]> {
  const wrong: string[] = []
  const call: Call = async (method, path, body) => {
    try {
      const answer = await api.daemon.call(method, path, body)
      const what = `${method} ${path.replaceAll(/[0-9a-f]{64}/g, '*').replace(/([?=/])(aa|bb|cc|dd|ee|ff)(?=\/|\?|&|$)/g, '$1*')} ${answer.status}`
      answers.set(what, (answers.get(what) ?? 0) + 1)
      if (answer.status >= 500) wrong.push(`${method} ${path}: ${answer.status} ${answer.text.trim()}`)
      return answer
    } catch (error) {
      if (!mayBreak()) wrong.push(`${method} ${path}: ${String(error)}`)
      return undefined
    }
  }
  for (let step = 0; step < steps; step++) await random.pick(choices)?.(call, random)
  return wrong
}

function workers(steps: number, mayBreak: () => boolean, salt: number): Promise<string[][]> {
  return Promise.all(
    Array.from({ length: WORKERS }, (_, i) => work(randomOf(seed + salt + i), steps, mayBreak)),
  )
}

async function assertClean(): Promise<void> {
  await api.daemon.assertNoLeaks()
  await api.daemon.removeAll()
  await api.daemon.assertNoLeaks()
  const { Berth } = (await api.call('GET', '/system/df')).json<{ Berth: DiskAccount }>()
  assert.deepEqual(Berth.Unexplained, [])
  const fsck = await api.call('POST', '/berth/fsck')
  assert.ok(!fsck.text.includes('"finding"'), fsck.text)
}

describe('eight clients at once', () => {
  it('are never told that something is wrong with the engine, and leave nothing behind', async (t) => {
    t.diagnostic(`BERTH_TEST_SEED=${seed}`)
    const wrong = await workers(300, () => false, 0)
    assert.deepEqual(wrong.flat(), [])
    for (const usual of ['/start 204', '/exec 201', '/create?name=* 201', 'force=1&v=1 204']) {
      assert.ok(
        [...answers.keys()].some((what) => what.endsWith(usual)),
        `${usual} is among ${[...answers.keys()].join(', ')}`,
      )
    }
    await assertClean()
  })

  it('find everything in order after the daemon was killed under them, several times', async (t) => {
    t.diagnostic(`BERTH_TEST_SEED=${seed}`)
    const random = randomOf(seed + 1000)
    for (let kill = 0; kill < 4; kill++) {
      let killed = false
      const working = workers(60, () => killed, 100 * (kill + 1))
      // The moment is an input of the test, not something that is waited for.
      await new Promise((resolve) => setTimeout(resolve, 100 + random.below(700)))
      killed = true
      await api.daemon.down('SIGKILL')
      const wrong = await working
      await api.daemon.up()
      assert.deepEqual(wrong.flat(), [])
      await api.daemon.assertNoLeaks()
    }
    await assertClean()
  })
})
