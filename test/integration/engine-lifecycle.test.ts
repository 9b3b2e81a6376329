/** A container from create to remove, on the real kernel, through the API. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { after, afterEach, before, describe, it } from 'node:test'
import {
  EngineApi,
  type Wanted,
  actions,
  exec,
  happened,
  history,
  separated,
} from '#test/support/engine-api.ts'
import { descriptors } from '#test/support/leak-check.ts'

let api: EngineApi

before(async () => {
  api = await EngineApi.start()
})
after(() => api[Symbol.asyncDispose]())
// Each test ends with nothing but the image.
afterEach(async () => {
  await api.daemon.removeAll()
  await api.daemon.assertNoLeaks()
})

const FOREVER = 'trap "exit 0" TERM; echo ready; while :; do sleep 0.05; done'

describe('start, stop and kill', () => {
  it('runs a command to its end, with both streams and the exit code', async () => {
    const ran = await api.run({ Cmd: 'echo out; echo err >&2; exit 3' })
    assert.deepEqual([ran.code, ran.out, ran.err], [3, 'out\n', 'err\n'])
    const { State } = await api.inspect(ran.id)
    assert.equal(State.Status, 'exited')
    assert.equal(State.ExitCode, 3)
    assert.equal(State.Pid, 0)
    assert.ok(State.StartedAt <= State.FinishedAt)
  })

  it('tells 304 when there is nothing to start or to stop', async () => {
    const id = await api.started({ Cmd: FOREVER })
    await api.ready(id)
    await api.call('POST', `/containers/${id}/start`, undefined, 304)
    await api.call('POST', `/containers/${id}/stop`, undefined, 204)
    await api.call('POST', `/containers/${id}/stop`, undefined, 304)
    assert.equal((await api.inspect(id)).State.ExitCode, 0)
  })

  it('starts again with the same files and a log that goes on', async () => {
    const { id } = await api.run({ Cmd: 'echo run >> /count; cat /count' })
    await api.call('POST', `/containers/${id}/start`, undefined, 204)
    await api.wait(id)
    assert.equal((await api.logs(id)).out, 'run\nrun\nrun\n')
  })

  it('stop sends the stop signal of the container, or that of the request', async () => {
    const Cmd = 'trap "exit 41" USR1; trap "exit 42" INT; echo ready; while :; do sleep 0.05; done'
    const own = await api.started({ Cmd, StopSignal: 'SIGUSR1' })
    await api.ready(own)
    await api.call('POST', `/containers/${own}/stop`, undefined, 204)
    assert.equal((await api.inspect(own)).State.ExitCode, 41)

    const asked = await api.started({ Cmd, StopSignal: 'SIGUSR1' })
    await api.ready(asked)
    await api.call('POST', `/containers/${asked}/stop?signal=SIGINT`, undefined, 204)
    assert.equal((await api.inspect(asked)).State.ExitCode, 42)
  })

  it('stop kills what does not listen when its time is over', async () => {
    const id = await api.started({ Cmd: 'trap "" TERM; echo ready; while :; do sleep 0.05; done' })
    await api.ready(id)
    await api.call('POST', `/containers/${id}/stop?t=1`, undefined, 204)
    assert.equal((await api.inspect(id)).State.ExitCode, 137)
    assert.deepEqual((await actions(api, id)).slice(-4), ['kill', 'kill', 'die', 'stop'])
  })

  it('kill reports the death by a signal as 128 and its number', async () => {
    const killed = await api.started({ Cmd: ['sleep', '1000'] })
    await api.call('POST', `/containers/${killed}/kill`, undefined, 204)
    // Docker waits for SIGKILL: the state is true when the call returns.
    const { State } = await api.inspect(killed)
    assert.deepEqual([State.Status, State.ExitCode], ['exited', 137])

    // An init passes on what pid 1 itself would ignore.
    const Init = { HostConfig: { Init: true } }
    const term = await api.started({ Cmd: 'echo ready; exec sleep 1000', ...Init })
    await api.ready(term)
    await api.call('POST', `/containers/${term}/kill?signal=TERM`, undefined, 204)
    assert.equal(await api.wait(term), 143)
    const interrupted = await api.started({ Cmd: 'echo ready; exec sleep 1000', ...Init })
    await api.ready(interrupted)
    await api.call('POST', `/containers/${interrupted}/kill?signal=2`, undefined, 204)
    assert.equal(await api.wait(interrupted), 130)
  })

  it('kill refuses a container that does not run and a signal that is none', async () => {
    const id = await api.create({ Cmd: 'true' })
    assert.match(await api.refused(409, 'POST', `/containers/${id}/kill`), /is not running/)
    assert.match(
      await api.refused(400, 'POST', `/containers/${id}/kill?signal=SIGNOPE`),
      /Invalid signal: SIGNOPE/i,
    )
  })

  it('restart gives the container a new process', async () => {
    const id = await api.started({ Cmd: FOREVER })
    await api.ready(id)
    const before = (await api.inspect(id)).State
    await api.call('POST', `/containers/${id}/restart?t=5`, undefined, 204)
    const { State, RestartCount } = await api.inspect(id)
    assert.equal(State.Status, 'running')
    assert.notEqual(State.Pid, before.Pid)
    assert.ok(State.StartedAt > before.StartedAt)
    assert.equal(RestartCount, 0)
    assert.deepEqual(await actions(api, id), ['create', 'start', 'kill', 'die', 'stop', 'start', 'restart'])
  })

  it('restart starts a stopped container, and keeps one that was started with --rm', async () => {
    const { id } = await api.run({ Cmd: 'true' })
    await api.call('POST', `/containers/${id}/restart`, undefined, 204)
    await happened(api, id, 'restart')
    const kept = await api.started({ Cmd: FOREVER, HostConfig: { AutoRemove: true } })
    await api.ready(kept)
    await api.call('POST', `/containers/${kept}/restart`, undefined, 204)
    assert.equal((await api.inspect(kept)).State.Status, 'running')
  })

  it('reaps orphans and passes signals on with --init', async () => {
    const id = await api.started({
      Cmd: 'sh -c "sleep 0.01 & exit 0"; exec sleep 1000',
      HostConfig: { Init: true },
    })
    const { out } = await exec(api, id, ['cat', '/proc/1/cmdline'])
    assert.match(out.replaceAll('\0', ' '), /^\/sbin\/docker-init -- sh -c/)
    await api.until('the orphan to be reaped', async () => {
      const stats = await exec(api, id, 'cat /proc/[0-9]*/stat 2>/dev/null')
      return !/\) Z /.test(stats.out)
    })
    const document = await api.inspect(id)
    assert.equal(document.Path, 'sh')
  })

  it('reports an out-of-memory kill', async () => {
    const HostConfig = { Memory: 16 << 20, MemorySwap: 16 << 20 }
    const { id, code } = await api.run({ Cmd: ['sh', '-c', 'x=$(tail -c 100m /dev/zero)'], HostConfig })
    assert.equal(code, 137)
    const { State } = await api.inspect(id)
    assert.equal(State['OOMKilled'], true)
    assert.ok((await actions(api, id)).includes('oom'))
  })
})

describe('commands that cannot be started', () => {
  it('says 127 for one that is not there, and leaves nothing', async () => {
    const id = await api.create({ Cmd: ['no-such-command'] })
    const message = await api.refused(400, 'POST', `/containers/${id}/start`)
    assert.match(message, /exec: "no-such-command": executable file not found in \$PATH: unknown/)
    const { State } = await api.inspect(id)
    assert.deepEqual([State.Status, State.ExitCode], ['created', 127])
    assert.match(State.Error, /executable file not found/)
  })

  it('says 127 for a path that is not there', async () => {
    const id = await api.create({ Cmd: ['/no/such/command'] })
    assert.match(await api.refused(400, 'POST', `/containers/${id}/start`), /no such file or directory/)
    assert.equal((await api.inspect(id)).State.ExitCode, 127)
  })

  it('says 126 for what cannot be executed', async () => {
    for (const path of ['/etc/passwd', '/etc']) {
      const id = await api.create({ Cmd: [path] })
      assert.match(await api.refused(400, 'POST', `/containers/${id}/start`), /permission denied/)
      assert.equal((await api.inspect(id)).State.ExitCode, 126, path)
    }
  })

  it('removes one that was to be removed at its end', async () => {
    const id = await api.create({ Cmd: ['no-such-command'], HostConfig: { AutoRemove: true } })
    await api.refused(400, 'POST', `/containers/${id}/start`)
    await happened(api, id, 'destroy')
    await api.refused(404, 'GET', `/containers/${id}/json`)
  })

  it('exec says 126 and 127 as well', async () => {
    const id = await api.started({ Cmd: FOREVER })
    assert.deepEqual(await execCode(id, ['no-such-command']), 127)
    assert.deepEqual(await execCode(id, ['/etc/passwd']), 126)
    const { code } = await exec(api, id, 'kill -9 $$')
    assert.equal(code, 137)
  })

  async function execCode(id: string, Cmd: readonly string[]): Promise<number> {
    const { Id } = (await api.call('POST', `/containers/${id}/exec`, { Cmd, AttachStdout: true })).json<{
      Id: string
    }>()
    await api.daemon.call('POST', `/exec/${Id}/start`, { Detach: false })
    return (await api.call('GET', `/exec/${Id}/json`)).json<{ ExitCode: number }>().ExitCode
  }
})

describe('pause', () => {
  it('freezes and thaws, and refuses what makes no sense', async () => {
    const id = await api.started({ Cmd: 'i=0; while :; do i=$((i+1)); echo $i > /n; done' })
    await api.call('POST', `/containers/${id}/pause`, undefined, 204)
    assert.deepEqual(pick((await api.inspect(id)).State), { Status: 'paused', Running: true, Paused: true })
    const { Pid } = (await api.inspect(id)).State
    const before = processorTime(Pid)
    assert.match(await api.refused(409, 'POST', `/containers/${id}/pause`), /already paused/)
    assert.match(await api.refused(409, 'POST', `/containers/${id}/start`), /cannot start a paused container/)
    assert.match(await api.refused(409, 'POST', `/containers/${id}/exec`, { Cmd: ['true'] }), /is paused/)
    assert.match(
      await api.refused(409, 'DELETE', `/containers/${id}`),
      /is paused and must be unpaused first/,
    )
    assert.equal(processorTime(Pid), before)
    await api.call('POST', `/containers/${id}/unpause`, undefined, 204)
    assert.match(await api.refused(409, 'POST', `/containers/${id}/unpause`), /is not paused/)
    await api.until('it to go on', async () => processorTime(Pid) > before)
  })

  it('lets a paused container be stopped, killed and removed', async () => {
    const stopped = await api.started({ Cmd: FOREVER })
    await api.ready(stopped)
    await api.call('POST', `/containers/${stopped}/pause`)
    await api.call('POST', `/containers/${stopped}/stop`, undefined, 204)
    assert.equal((await api.inspect(stopped)).State.ExitCode, 0)

    const killed = await api.started({ Cmd: FOREVER })
    await api.call('POST', `/containers/${killed}/pause`)
    await api.call('POST', `/containers/${killed}/kill`, undefined, 204)
    assert.equal((await api.inspect(killed)).State.ExitCode, 137)

    const removed = await api.started({ Cmd: FOREVER })
    await api.call('POST', `/containers/${removed}/pause`)
    await api.remove(removed)
  })

  function pick(state: Readonly<Record<string, unknown>>): object {
    const { Status, Running, Paused } = state
    return { Status, Running, Paused }
  }

  function processorTime(pid: number): number {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return Number(fields[11]) + Number(fields[12])
  }
})

describe('wait', () => {
  it('returns at once for a container that does not run', async () => {
    assert.equal(await api.wait(await api.create({ Cmd: 'true' })), 0)
    const { id } = await api.run({ Cmd: 'exit 9' })
    assert.equal(await api.wait(id), 9)
    assert.match(
      await api.refused(400, 'POST', `/containers/${id}/wait?condition=tomorrow`),
      /invalid condition: "tomorrow"/,
    )
    await api.refused(404, 'POST', '/containers/nobody/wait')
  })

  it('next-exit and removed may be asked before the start', async () => {
    const id = await api.create({ Cmd: 'exit 6', HostConfig: { AutoRemove: true } })
    const [next, removed] = await Promise.all([
      api.daemon.open('POST', `/containers/${id}/wait?condition=next-exit`),
      api.daemon.open('POST', `/containers/${id}/wait?condition=removed`),
    ])
    assert.deepEqual([next.statusCode, removed.statusCode], [200, 200])
    await api.call('POST', `/containers/${id}/start`, undefined, 204)
    for (const response of [next, removed]) {
      const chunks = await Array.fromAsync(response as AsyncIterable<Buffer>)
      assert.deepEqual(JSON.parse(Buffer.concat(chunks).toString()), { StatusCode: 6 })
    }
    await api.refused(404, 'GET', `/containers/${id}/json`)
  })

  it('ends when a container that never ran is removed', async () => {
    const id = await api.create({ Cmd: 'true' })
    const waiting = await api.daemon.open('POST', `/containers/${id}/wait?condition=next-exit`)
    await api.remove(id)
    const chunks = await Array.fromAsync(waiting as AsyncIterable<Buffer>)
    assert.deepEqual(JSON.parse(Buffer.concat(chunks).toString()), { StatusCode: 0 })
  })
})

describe('names', () => {
  it('finds a container by id, by prefix and by name with and without a slash', async () => {
    const id = await api.create({ Cmd: 'true' }, 'first-one')
    for (const ref of [id, id.slice(0, 12), id.slice(0, 5), 'first-one', '%2Ffirst-one']) {
      assert.equal((await api.inspect(ref)).Id, id, ref)
    }
    assert.equal((await api.inspect(id)).Name, '/first-one')
    assert.equal(await api.refused(404, 'GET', '/containers/nobody/json'), 'No such container: nobody')
  })

  it('refuses a prefix of several', async () => {
    const ids = await Promise.all(Array.from({ length: 17 }, () => api.create({ Cmd: 'true' })))
    const digits = ids.map((id) => id.slice(0, 1))
    const twice = digits.find((digit, i) => digits.indexOf(digit) !== i) ?? ''
    assert.match(
      await api.refused(400, 'GET', `/containers/${twice}/json`),
      /multiple IDs found with provided prefix/,
    )
  })

  it('refuses a name that is taken or malformed, and frees it with the container', async () => {
    const id = await api.create({ Cmd: 'true' }, 'taken')
    const message = await api.refused(409, 'POST', '/containers/create?name=taken', {
      Image: 'busybox',
      Cmd: ['true'],
    })
    assert.equal(
      message,
      `Conflict. The container name "/taken" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
    )
    const malformed = await api.refused(400, 'POST', '/containers/create?name=a%20b', {
      Image: 'busybox',
      Cmd: ['true'],
    })
    assert.match(malformed, /Invalid container name \(a b\), only \[a-zA-Z0-9\]\[a-zA-Z0-9_.-\] are allowed/)
    await api.remove(id)
    await api.create({ Cmd: 'true' }, 'taken')
  })

  it('makes a name when none is given', async () => {
    const { Name } = await api.inspect(await api.create({ Cmd: 'true' }))
    assert.match(Name ?? '', /^\/[a-z]+_[a-z]+\d?$/)
  })

  it('renames, running or not, and gives the old name free', async () => {
    const id = await api.started({ Cmd: FOREVER }, 'old-name')
    await api.call('POST', `/containers/${id}/rename?name=new-name`, undefined, 204)
    assert.equal((await api.inspect('new-name')).Id, id)
    await api.refused(404, 'GET', '/containers/old-name/json')
    const other = await api.create({ Cmd: 'true' }, 'old-name')
    assert.match(
      await api.refused(409, 'POST', `/containers/${other}/rename?name=new-name`),
      /^Error when allocating new name: Conflict\. /,
    )
    assert.match(await api.refused(400, 'POST', `/containers/${id}/rename?name=new-name`), /same name/)
    const [renamed] = await history(api, { container: [id], event: ['rename'] })
    assert.equal(renamed?.Actor?.Attributes?.['oldName'], '/old-name')
  })
})

describe('remove and prune', () => {
  it('refuses a running container unless forced', async () => {
    const id = await api.started({ Cmd: FOREVER }, 'busy')
    const message = await api.refused(409, 'DELETE', '/containers/busy')
    assert.equal(
      message,
      'cannot remove container "busy": container is running: stop the container before removing or force remove',
    )
    await api.remove(id)
    await api.refused(404, 'DELETE', `/containers/${id}`)
    assert.deepEqual((await actions(api, id)).slice(-3), ['kill', 'die', 'destroy'])
  })

  it('removes a container with --rm at its end, also when nobody waits', async () => {
    const id = await api.started({ Cmd: 'exit 5', HostConfig: { AutoRemove: true } })
    await happened(api, id, 'destroy')
    assert.deepEqual(await actions(api, id), ['create', 'start', 'die', 'destroy'])
  })

  it('refuses a second removal while one is under way, with a conflict or a not found', async () => {
    const id = await api.started({ Cmd: FOREVER })
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => api.daemon.call('DELETE', `/containers/${id}?force=1`)),
    )
    const statuses = answers.map(({ status }) => status)
    assert.ok(statuses.includes(204), statuses.join())
    assert.ok(
      statuses.every((status) => [204, 404, 409].includes(status)),
      statuses.join(),
    )
  })

  it('prunes what does not run', async () => {
    const running = await api.started({ Cmd: FOREVER })
    const { id: exited } = await api.run({ Cmd: 'true', Labels: { keep: 'no' } })
    const created = await api.create({ Cmd: 'true', Labels: { keep: 'yes' } })
    const filters = encodeURIComponent(JSON.stringify({ 'label!': ['keep=yes'] }))
    const pruned = (await api.call('POST', `/containers/prune?filters=${filters}`)).json<{
      ContainersDeleted: string[]
    }>()
    assert.deepEqual(pruned.ContainersDeleted, [exited])
    const rest = (await api.call('POST', '/containers/prune')).json<{
      ContainersDeleted: string[]
      SpaceReclaimed: number
    }>()
    assert.deepEqual(rest.ContainersDeleted, [created])
    assert.equal((await api.inspect(running)).State.Status, 'running')
  })
})

describe('restart policies', () => {
  it('on-failure starts again with growing delays until the count is reached', async () => {
    const RestartPolicy = { Name: 'on-failure', MaximumRetryCount: 3 }
    const id = await api.started({ Cmd: 'echo run; exit 2', HostConfig: { RestartPolicy } })
    const document = await api.until('the last restart', async () => {
      const seen = await api.inspect(id)
      return seen.State.Status === 'exited' && seen.RestartCount === 3 && seen
    })
    assert.equal(document.State.ExitCode, 2)
    assert.equal((await api.logs(id)).out, 'run\n'.repeat(4))
    const times = (await history(api, { container: [id], event: ['start', 'die'] })).map(
      ({ timeNano }) => Number(timeNano) / 1e6,
    )
    const delays = [2, 4, 6].map((i) => (times[i] ?? 0) - (times[i - 1] ?? 0))
    assert.ok((delays[0] ?? 0) >= 99 && (delays[1] ?? 0) >= 199 && (delays[2] ?? 0) >= 399, delays.join())
  })

  it('on-failure is content with success, and no policy with any end', async () => {
    const RestartPolicy = { Name: 'on-failure' }
    const { id } = await api.run({ Cmd: 'exit 0', HostConfig: { RestartPolicy } })
    assert.equal((await api.inspect(id)).State.Status, 'exited')
    assert.equal((await api.inspect(id)).RestartCount, 0)
  })

  it('always goes on after every end, but not after a stop by hand', async () => {
    const id = await api.started({ Cmd: 'exit 0', HostConfig: { RestartPolicy: { Name: 'always' } } })
    await api.until('a restart', async () => ((await api.inspect(id)).RestartCount ?? 0) >= 2)
    await api.call('POST', `/containers/${id}/stop`, undefined, 204, 304)
    await api.until('the end', async () => (await api.inspect(id)).State.Status === 'exited')
    const { RestartCount } = await api.inspect(id)
    // Longer than the delay that was waited for: nothing may come back.
    await assert.rejects(happenedAfter(id, 'start', 1500))
    assert.equal((await api.inspect(id)).RestartCount, RestartCount)
    await api.call('POST', `/containers/${id}/start`, undefined, 204)
    assert.ok(((await api.inspect(id)).RestartCount ?? 9) <= 1, 'a start by hand counts from zero')
  })

  it('says restarting while it waits, which stop, kill and rm cut short', async () => {
    const wanted = { Cmd: 'exit 1', HostConfig: { RestartPolicy: { Name: 'unless-stopped' } } }
    const stopped = await waiting(wanted)
    const { State } = await api.inspect(stopped)
    assert.deepEqual(
      [State.Status, State['Running'], State['Restarting'], State.Pid],
      ['restarting', true, true, 0],
    )
    await api.call('POST', `/containers/${stopped}/stop`, undefined, 204)
    assert.equal((await api.inspect(stopped)).State.Status, 'exited')

    const killed = await waiting(wanted)
    await api.call('POST', `/containers/${killed}/kill`, undefined, 204)
    assert.equal((await api.inspect(killed)).State.Status, 'exited')
    await api.remove(await waiting(wanted))
  })

  it('refuses a policy with --rm and a count that means nothing', async () => {
    const create = (HostConfig: object): Promise<string> =>
      api.refused(400, 'POST', '/containers/create', { Image: 'busybox', Cmd: ['true'], HostConfig })
    assert.match(
      await create({ AutoRemove: true, RestartPolicy: { Name: 'always' } }),
      /can't create 'AutoRemove' container with restart policy/,
    )
    assert.match(
      await create({ RestartPolicy: { Name: 'always', MaximumRetryCount: 3 } }),
      /maximum retry count can only be used with 'on-failure'/,
    )
    assert.match(await create({ RestartPolicy: { Name: 'sometimes' } }), /invalid restart policy/)
  })

  /** In its third back-off, which is long enough to look at. */
  async function waiting(wanted: Wanted): Promise<string> {
    const id = await api.started(wanted)
    await api.until('a long back-off', async () => {
      const { RestartCount, State } = await api.inspect(id)
      return (RestartCount ?? 0) >= 2 && State.Status === 'restarting'
    })
    return id
  }

  async function happenedAfter(id: string, action: string, patience: number): Promise<void> {
    const filters = encodeURIComponent(JSON.stringify({ container: [id], event: [action] }))
    const now = Date.now() / 1000
    const response = await api.daemon.open(
      'GET',
      `/events?filters=${filters}&since=${now}&until=${now + patience / 1000}`,
    )
    const chunks = await Array.fromAsync(response as AsyncIterable<Buffer>)
    if (chunks.length === 0) throw new Error('nothing happened')
  }
})

describe('health checks', () => {
  const often = { Interval: 60e6, Timeout: 2e9, Retries: 2 }

  it('goes from starting to healthy to unhealthy and back, with events', async () => {
    const Healthcheck = { Test: ['CMD-SHELL', 'echo probe; test -e /fine'], ...often }
    const id = await api.started({ Cmd: FOREVER, Healthcheck })
    assert.equal(health(await api.inspect(id)).Status, 'starting')
    await exec(api, id, 'touch /fine')
    await happened(api, id, 'health_status: healthy')
    const document = await api.inspect(id)
    assert.equal(health(document).Status, 'healthy')
    assert.equal(health(document).Log.at(-1)?.Output, 'probe\n')
    await exec(api, id, 'rm /fine')
    await happened(api, id, 'health_status: unhealthy')
    const sick = health(await api.inspect(id))
    assert.ok(sick.FailingStreak >= 2)
    assert.equal(sick.Log.at(-1)?.ExitCode, 1)
    const listed = (
      await api.call('GET', `/containers/json?filters=${encodeURIComponent('{"health":["unhealthy"]}')}`)
    ).json<{ Status: string }[]>()
    assert.match(listed[0]?.Status ?? '', /^Up .* \(unhealthy\)$/)
    await api.call('POST', `/containers/${id}/stop`)
    assert.equal(health(await api.inspect(id)).Status, 'unhealthy')
  })

  it('kills a probe that takes too long and says so', async () => {
    const Healthcheck = { Test: ['CMD', 'sleep', '1000'], Interval: 50e6, Timeout: 100e6, Retries: 1 }
    const id = await api.started({ Cmd: FOREVER, Healthcheck })
    await happened(api, id, 'health_status: unhealthy')
    const { Log } = health(await api.inspect(id))
    assert.deepEqual([Log[0]?.ExitCode, Log[0]?.Output], [-1, 'Health check exceeded timeout (100ms)'])
    await api.until('no probe to be left', async () => {
      const { out } = await exec(api, id, 'cat /proc/[0-9]*/cmdline | tr "\\0" " "')
      return (out.match(/sleep 1000/g) ?? []).length <= 1
    })
  })

  interface Health {
    readonly Status: string
    readonly FailingStreak: number
    readonly Log: readonly { readonly ExitCode: number; readonly Output: string }[]
  }

  function health({ State }: { readonly State: Readonly<Record<string, unknown>> }): Health {
    return State['Health'] as Health
  }
})

describe('events', () => {
  it('come in the order of what happened, with the attributes of the container', async () => {
    const id = await api.started({ Cmd: FOREVER, Labels: { colour: 'blue' } }, 'eventful')
    await api.ready(id)
    await api.call('POST', `/containers/${id}/pause`)
    await api.call('POST', `/containers/${id}/unpause`)
    await api.call('POST', `/containers/${id}/stop`)
    await api.remove(id)
    const all = (await history(api)).filter(
      ({ Actor }) => Actor?.ID === id || Actor?.Attributes?.['container'] === id,
    )
    assert.deepEqual(
      all.map(({ Type, Action }) => `${Type} ${Action}`),
      [
        'container create',
        'network connect',
        'container start',
        'container pause',
        'container unpause',
        'container kill',
        'container die',
        'network disconnect',
        'container stop',
        'container destroy',
      ],
    )
    const [created] = all
    assert.deepEqual(created?.Actor?.Attributes, { colour: 'blue', image: 'busybox', name: 'eventful' })
    const die = all.find(({ Action }) => Action === 'die')
    assert.equal(die?.Actor?.Attributes?.['exitCode'], '0')
    assert.equal(all.find(({ Action }) => Action === 'kill')?.Actor?.Attributes?.['signal'], '15')
    const times = all.map(({ timeNano }) => Number(timeNano))
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    )
  })

  it('can be filtered by name, label and action', async () => {
    const id = await api.create({ Cmd: 'true', Labels: { tier: 'web' } }, 'picked')
    await api.create({ Cmd: 'true' }, 'other')
    const found = await history(api, { label: ['tier=web'], event: ['create'] })
    assert.deepEqual(
      found.map(({ Actor }) => Actor?.ID),
      [id],
    )
    const named = await history(api, { container: ['picked'] })
    assert.deepEqual(
      named.map(({ Actor }) => Actor?.ID),
      [id],
    )
  })
})

describe('list and inspect', () => {
  it('lists by state, label, name, ancestor and exit code, newest first', async () => {
    const running = await api.started({ Cmd: FOREVER, Labels: { a: '1', b: '2' } }, 'list-running')
    const { id: exited } = await api.run({ Cmd: 'exit 4', Labels: { a: '1' } }, 'list-exited')
    const created = await api.create({ Cmd: ['echo', 'two words'] }, 'list-created')
    assert.deepEqual(await list({}), [created, exited, running])
    assert.deepEqual(await ids('/containers/json'), [running])
    assert.deepEqual(await ids('/containers/json?limit=1'), [created])
    assert.deepEqual(await list({ status: ['exited', 'created'] }), [created, exited])
    assert.deepEqual(await list({ label: ['a=1', 'b'] }), [running])
    assert.deepEqual(await list({ name: ['^/list-ex'] }), [exited])
    assert.deepEqual(await list({ exited: ['4'] }), [exited])
    assert.deepEqual(await list({ ancestor: ['busybox'] }), [created, exited, running])
    assert.deepEqual(await list({ before: ['list-exited'] }), [running])
    assert.deepEqual(await list({ since: ['list-exited'] }), [created])
    assert.match(
      await api.refused(400, 'GET', '/containers/json?filters={"nope":["1"]}'),
      /invalid filter 'nope'/,
    )

    const [summary] = (await api.call('GET', '/containers/json?all=1&size=1')).json<
      Record<string, unknown>[]
    >()
    assert.equal(summary?.['Command'], "echo 'two words'")
    assert.equal(summary?.['Status'], 'Created')
    assert.equal(typeof summary?.['SizeRootFs'], 'number')
  })

  it('inspects a running container', async () => {
    const id = await api.started({ Cmd: FOREVER, Env: ['A=1'], Hostname: 'box' }, 'looked-at')
    const seen = await api.inspect(id)
    assert.equal(seen.Path, 'sh')
    assert.deepEqual(seen.Args, ['-c', FOREVER])
    assert.ok(existsSync(`/proc/${seen.State.Pid}`))
    assert.equal(seen.State.FinishedAt, '0001-01-01T00:00:00Z')
    assert.equal(seen.Config?.Hostname, 'box')
    assert.match(seen.Image ?? '', /^sha256:[0-9a-f]{64}$/)
    assert.ok(existsSync(seen.LogPath ?? ''))
    const { Networks } = seen.NetworkSettings as {
      Networks: Record<string, { IPAddress: string; MacAddress: string }>
    }
    const inside = await exec(api, id, 'ip -o -4 addr show eth0; cat /etc/hosts; hostname')
    assert.ok(inside.out.includes(`inet ${Networks['bridge']?.IPAddress}/`), inside.out)
    assert.ok(inside.out.includes(`${Networks['bridge']?.IPAddress}\tbox`), inside.out)
    assert.ok(inside.out.endsWith('\nbox\n'))
  })

  it('lists the processes of a container', async () => {
    const id = await api.started({ Cmd: 'sleep 1000 & exec sleep 2000' })
    await api.until('both processes', async () => {
      const top = (await api.call('GET', `/containers/${id}/top?ps_args=-o%20pid,args`)).json<{
        Titles: string[]
        Processes: string[][]
      }>()
      assert.deepEqual(top.Titles, ['PID', 'COMMAND'])
      const commands = new Set(top.Processes.map(([, args]) => args))
      return commands.size === 2 && commands.has('sleep 1000') && commands.has('sleep 2000')
    })
  })

  async function ids(path: string): Promise<string[]> {
    return (await api.call('GET', path)).json<{ Id: string }[]>().map(({ Id }) => Id)
  }

  function list(filters: object): Promise<string[]> {
    return ids(`/containers/json?all=1&filters=${encodeURIComponent(JSON.stringify(filters))}`)
  }
})

describe('logs', () => {
  it('follow to the end, and cut by tail and time', async () => {
    const id = await api.started({ Cmd: 'for i in 1 2 3; do echo $i; sleep 0.05; done' })
    const followed = await api.daemon.open('GET', `/containers/${id}/logs?follow=1&stdout=1&stderr=1`)
    const bytes = Buffer.concat(await Array.fromAsync(followed as AsyncIterable<Buffer>))
    assert.equal((await separated(bytes)).out, '1\n2\n3\n')
    assert.equal((await api.logs(id, '&tail=1')).out, '3\n')
    const { out } = await api.logs(id, '&timestamps=1')
    const [first = '', second = ''] = out.split('\n')
    assert.match(first, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z 1$/)
    const since = Date.parse(second.split(' ')[0] ?? '') / 1000
    assert.equal((await api.logs(id, `&since=${since.toFixed(3)}`)).out.includes('1\n'), false)
  })

  it('keeps every byte of a fast writer in order', async () => {
    const { id, code } = await api.run({ Cmd: 'seq 1 200000' })
    assert.equal(code, 0)
    const { out } = await api.logs(id)
    const lines = out.trimEnd().split('\n')
    assert.equal(lines.length, 200_000)
    assert.ok(lines.every((line, i) => Number(line) === i + 1))
  })
})

describe('many at once', () => {
  it('starts and removes 20 containers at the same time', async () => {
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, i) => api.started({ Cmd: FOREVER }, `many-${i}`)),
    )
    const seen = await Promise.all(all.map((id) => api.inspect(id)))
    const addresses = seen.map(({ NetworkSettings }) => {
      const { Networks } = NetworkSettings as { Networks: Record<string, { IPAddress: string }> }
      return Networks['bridge']?.IPAddress
    })
    assert.equal(new Set(addresses).size, 20)
    await Promise.all(all.map((id) => api.remove(id)))
    assert.deepEqual((await api.call('GET', '/containers/json?all=1')).json(), [])
  })

  it('keeps no descriptor of what is gone', async () => {
    const cycle = async (): Promise<void> => {
      const id = await api.started({ Cmd: FOREVER })
      const following = await api.daemon.open('GET', `/containers/${id}/logs?follow=1&stdout=1`)
      const watching = await api.daemon.open('GET', '/events')
      await exec(api, id, 'echo x')
      // Clients that leave without a word.
      following.destroy()
      watching.destroy()
      await api.remove(id)
    }
    await cycle()
    const before = descriptors(api.daemon.pid).length
    for (let round = 0; round < 5; round += 1) await Promise.all([1, 2, 3, 4].map(cycle))
    await api.until('descriptors to be closed', async () => descriptors(api.daemon.pid).length <= before)
  })
})
