/** The daemon is killed at bad moments; what it acknowledged holds, what it did not has no half effect, nothing is lost. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, afterEach, before, describe, it } from 'node:test'
import { busyboxTar, member } from '#test/support/busybox-image.ts'
import { NODE, TestDaemon, run } from '#test/support/daemon.ts'
import { EngineApi, type Inspected, exec, happened, history } from '#test/support/engine-api.ts'
import { differences, observe } from '#test/support/leak-check.ts'

let api: EngineApi

before(async () => {
  api = await EngineApi.start()
})
after(() => api[Symbol.asyncDispose]())
afterEach(async () => {
  await api.daemon.removeAll()
  await api.daemon.assertNoLeaks()
})

const COUNTING = 'i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.1; done'
const FOREVER = 'trap "exit 0" TERM; while :; do sleep 0.05; done'

/** Kills the daemon, lets `meanwhile` happen, starts it again. Returns milliseconds until it answered. */
async function crash(meanwhile: () => Promise<void> | void = () => undefined): Promise<number> {
  await api.daemon.down('SIGKILL')
  await meanwhile()
  const begin = performance.now()
  await api.daemon.up()
  return performance.now() - begin
}

function identity({ Id, State, RestartCount }: Inspected): object {
  return { Id, status: State.Status, pid: State.Pid, startedAt: State.StartedAt, RestartCount }
}

describe('a daemon killed while containers run', () => {
  it('loses no request, no log line and no container', async () => {
    const port = { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] }
    const server = await api.started(
      {
        Cmd: 'echo fine > /var/www/index.html; exec httpd -f -p 80 -h /var/www',
        HostConfig: { PortBindings: port },
      },
      'server',
    )
    const counters = await Promise.all(Array.from({ length: 19 }, () => api.started({ Cmd: COUNTING })))
    const all = [server, ...counters]
    const before = (await Promise.all(all.map((id) => api.inspect(id)))).map(identity)
    const { Ports } = (await api.inspect(server)).NetworkSettings as {
      Ports: Record<string, { HostPort: string }[]>
    }

    await using load = await startLoad(`http://127.0.0.1:${Ports['80/tcp']?.[0]?.HostPort}/`)
    await load.progress()
    const milliseconds = await crash(() => load.progress())
    assert.ok(milliseconds < 5000, `${milliseconds} ms until the daemon answered`)
    assert.deepEqual((await Promise.all(all.map((id) => api.inspect(id)))).map(identity), before)
    await load.progress()
    const { done, failures } = await load.end()
    assert.deepEqual(failures, [], `of ${done} requests`)

    for (const id of counters) await assertCountsOn(id)
    // Everything works on containers that were found again.
    const [first = ''] = counters
    assert.equal((await exec(api, first, 'echo hello')).out, 'hello\n')
    await api.call('POST', `/containers/${first}/stop?t=0`, undefined, 204)
    assert.equal((await api.inspect(first)).State.ExitCode, 137)
    const fresh = await Promise.all([1, 2, 3].map(() => api.started({ Cmd: FOREVER })))
    const addresses = await Promise.all([...all.slice(0, 1), ...counters.slice(1), ...fresh].map(address))
    assert.equal(new Set(addresses).size, addresses.length, 'every address is given once')
  })

  it('finds paused containers, health checks and waiting restarts again', async () => {
    const paused = await api.started({ Cmd: FOREVER })
    await api.call('POST', `/containers/${paused}/pause`)
    const Healthcheck = { Test: ['CMD-SHELL', 'test -e /fine'], Interval: 60e6, Retries: 1 }
    const checked = await api.started({ Cmd: FOREVER, Healthcheck })
    const RestartPolicy = { Name: 'on-failure', MaximumRetryCount: 4 }
    const failing = await api.started({ Cmd: 'exit 1', HostConfig: { RestartPolicy } })
    await happened(api, checked, 'health_status: unhealthy')
    await api.until('a back-off', async () => (await api.inspect(failing)).State.Status === 'restarting')
    await crash()
    assert.equal((await api.inspect(paused)).State.Status, 'paused')
    await api.call('POST', `/containers/${paused}/unpause`, undefined, 204)
    await exec(api, checked, 'touch /fine')
    await happened(api, checked, 'health_status: healthy')
    await api.until('the last restart', async () => {
      const { State, RestartCount } = await api.inspect(failing)
      return State.Status === 'exited' && RestartCount === 4
    })
  })

  it('goes on in the same way after an orderly end', async () => {
    const id = await api.started({ Cmd: COUNTING })
    const before = identity(await api.inspect(id))
    await api.daemon.down('SIGTERM')
    await api.daemon.up()
    assert.deepEqual(identity(await api.inspect(id)), before)
    await assertCountsOn(id)
  })

  /** The log has every number once, and goes on. */
  async function assertCountsOn(id: string): Promise<void> {
    const seen = (await lines(id)).length
    await api.until('the log to go on', async () => (await lines(id)).length > seen)
    const all = await lines(id)
    assert.deepEqual(
      all,
      all.map((_, i) => `line ${i + 1}`),
    )
  }

  async function lines(id: string): Promise<string[]> {
    return (await api.logs(id)).out.trimEnd().split('\n')
  }

  async function address(id: string): Promise<string> {
    const { Networks } = (await api.inspect(id)).NetworkSettings as {
      Networks: Record<string, { IPAddress: string }>
    }
    return Networks['bridge']?.IPAddress ?? id
  }
})

interface Load extends AsyncDisposable {
  /** Resolves when a hundred more requests are done. */
  progress(): Promise<void>
  end(): Promise<{ readonly done: number; readonly failures: readonly string[] }>
}

/** Requests from the daemon's network namespace until ended. */
async function startLoad(url: string): Promise<Load> {
  const program = join(import.meta.dirname, '../support/http-load.ts')
  const child = spawn('nsenter', [`--net=/run/netns/${api.daemon.marks.netns}`, NODE, program, url], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const output = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const { value, done } = await output.next()
    assert.ok(done !== true, 'the load has ended')
    return String(value)
  }
  return {
    async progress() {
      await next()
    },
    async end() {
      child.stdin.end()
      for (;;) {
        const line = await next()
        if (line.startsWith('{')) return JSON.parse(line) as { done: number; failures: string[] }
      }
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      if (child.exitCode === null) await once(child, 'exit')
    },
  }
}

/** What init has not collected yet is no process any more. */
function lives(pid: number): boolean {
  const { stdout } = run('ps', ['-o', 'stat=', '-p', String(pid)])
  return stdout !== '' && !stdout.startsWith('Z')
}

function shims(): number[] {
  const { stdout } = run('ps', ['-eo', 'pid=,args='])
  return stdout
    .split('\n')
    .filter((line) => line.includes('berth-shim') && line.includes(`${api.daemon.marks.execRoot}/`))
    .map((line) => Number.parseInt(line, 10))
}

describe('what ends while the daemon is down', () => {
  it('is reported with its true code', async () => {
    const exits = await api.started({ Cmd: 'trap "exit 7" TERM; echo ready; while :; do sleep 0.05; done' })
    const killed = await api.started({ Cmd: ['sleep', '1000'] })
    const memory = { Memory: 16 << 20, MemorySwap: 16 << 20 }
    const starved = await api.started({
      Cmd: 'trap "tail -c 100m /dev/zero > /dev/null; exit 9" TERM; echo ready; while :; do sleep 0.05; done',
      HostConfig: memory,
    })
    const removed = await api.started({ Cmd: ['sleep', '1000'], HostConfig: { AutoRemove: true } })
    const again = await api.started({
      Cmd: ['sleep', '1000'],
      HostConfig: { RestartPolicy: { Name: 'always' } },
    })
    const stays = await api.started({ Cmd: ['sleep', '1000'] })
    for (const id of [exits, starved])
      await api.until('the trap', async () => (await api.logs(id)).out !== '')
    const pids = new Map<string, number>()
    for (const id of [exits, killed, starved, removed, again, stays])
      pids.set(id, (await api.inspect(id)).State.Pid)
    const kill = (id: string, signal: NodeJS.Signals): boolean => process.kill(pids.get(id) ?? 0, signal)

    let ended = 0
    await crash(async () => {
      kill(exits, 'SIGTERM')
      kill(starved, 'SIGTERM')
      for (const id of [killed, removed, again]) kill(id, 'SIGKILL')
      await api.until('the shims to end', async () => shims().length === 1)
      ended = Date.now()
    })

    assert.deepEqual(await end(exits), { status: 'exited', code: 7, oom: false })
    assert.deepEqual(await end(killed), { status: 'exited', code: 137, oom: false })
    assert.deepEqual(await end(starved), { status: 'exited', code: 9, oom: true })
    for (const id of [exits, killed, starved]) {
      const at = Date.parse((await api.inspect(id)).State.FinishedAt)
      assert.ok(at <= ended + 1 && at > ended - 20_000, 'the end is dated when it happened')
    }
    await happened(api, removed, 'destroy')
    assert.equal((await api.inspect(stays)).State.Pid, pids.get(stays))
    await api.until('a restart by policy', async () => {
      const { State } = await api.inspect(again)
      return State.Status === 'running' && State.Pid !== pids.get(again)
    })
    assert.equal((await api.inspect(again)).RestartCount, 1)
  })

  it('starts again in the order of its Compose project', async () => {
    const service = (name: string, dependsOn: string, more: object): Promise<string> => {
      const Labels = {
        'com.docker.compose.project': 'shop',
        'com.docker.compose.service': name,
        'com.docker.compose.depends_on': dependsOn,
      }
      const HostConfig = { RestartPolicy: { Name: 'unless-stopped' } }
      return api.started({ Cmd: FOREVER, Labels, HostConfig, ...more }, name)
    }
    const Healthcheck = { Test: ['CMD', 'test', '-e', '/ready'], Interval: 2e8, Retries: 1000 }
    const db = await service('db', '', {
      Cmd: 'rm -f /ready; sleep 2; touch /ready; exec sleep 1000',
      Healthcheck,
    })
    const ids = [
      db,
      await service('api', 'db:service_healthy:true', {}),
      await service('web', 'api:service_started:false', {}),
    ]
    await crash(() => {
      for (const pid of shims()) process.kill(pid, 'SIGKILL')
    })
    await api.until('the last one', async () => (await api.inspect(ids[2] ?? '')).State.Status === 'running')
    const [, second = '', third = ''] = await Promise.all(
      ids.map(async (id) => (await api.inspect(id)).State.StartedAt),
    )
    const [healthy] = (await history(api, { container: [db], event: ['health_status'] })).slice(-1)
    assert.equal(healthy?.Action, 'health_status: healthy')
    assert.ok(
      Date.parse(second) >= Math.floor((healthy?.timeNano ?? Infinity) / 1e6),
      'the database is well first',
    )
    assert.ok(third >= second)
  })

  it('is ended and explained when its shim was killed', async () => {
    const ids = await Promise.all([1, 2, 3].map(() => api.started({ Cmd: FOREVER })))
    const pids = await Promise.all(ids.map(async (id) => (await api.inspect(id)).State.Pid))
    const [, , alsoDead = 0] = pids
    await crash(() => {
      for (const pid of shims()) process.kill(pid, 'SIGKILL')
      process.kill(alsoDead, 'SIGKILL')
    })
    for (const [i, id] of ids.entries()) {
      const { State } = await api.inspect(id)
      assert.deepEqual([State.Status, State.ExitCode], ['exited', 137])
      assert.notEqual(State.Error, '')
      assert.equal(lives(pids[i] ?? 0), false)
    }
    await api.daemon.assertNoLeaks()
    for (const id of ids) await api.call('POST', `/containers/${id}/start`, undefined, 204)
  })

  it('is ended and explained when its shim is killed before the eyes of the daemon', async () => {
    const id = await api.started({ Cmd: FOREVER })
    const { Pid } = (await api.inspect(id)).State
    for (const pid of shims()) process.kill(pid, 'SIGKILL')
    await happened(api, id, 'die')
    const { State } = await api.inspect(id)
    assert.deepEqual([State.Status, State.ExitCode], ['exited', 137])
    assert.match(State.Error, /supervisor/)
    assert.equal(lives(Pid), false)
    await api.call('POST', `/containers/${id}/start`, undefined, 204)
  })

  async function end(id: string): Promise<object> {
    const { State } = await api.inspect(id)
    return { status: State.Status, code: State.ExitCode, oom: State['OOMKilled'] }
  }
})

describe('a daemon killed in the middle of work', () => {
  it('leaves nothing of containers that run and vanish', async () => {
    for (let round = 0; round < 8; round += 1) {
      const workers = [1, 2, 3, 4].map(() => untilDead(() => runOnce()))
      await atRandomMoment()
      await crash()
      await Promise.all(workers)
      // One that was created, and whose start nobody was told of, is still to be started.
      await api.until('containers with --rm to go', async () =>
        (await list()).every(({ State }) => State === 'created'),
      )
      await api.daemon.assertNoLeaks()
      await api.daemon.removeAll()
    }
  })

  it('keeps what it acknowledged of creating and removing, and nothing half', async () => {
    for (let round = 0; round < 8; round += 1) {
      const said = new Map<string, 'created' | 'started' | 'removed' | 'unsure'>()
      const workers = [1, 2, 3, 4].map((worker) => {
        let n = 0
        return untilDead(() => createAndRemove(`r${round}-w${worker}-${(n += 1)}`, said))
      })
      await atRandomMoment()
      await crash()
      await Promise.all(workers)
      const there = new Map((await list()).map(({ Names, State }) => [(Names[0] ?? '').slice(1), State]))
      for (const [name, what] of said) {
        if (what === 'created') assert.equal(there.get(name), 'created', name)
        if (what === 'started') assert.equal(there.get(name), 'running', name)
        if (what === 'removed') assert.equal(there.has(name), false, name)
      }
      await api.daemon.assertNoLeaks()
      await api.daemon.removeAll()
      await api.daemon.assertNoLeaks()
    }
  })

  it('recovers when it is killed while it recovers', async () => {
    const running = await Promise.all([1, 2, 3].map(() => api.started({ Cmd: FOREVER })))
    const before = (await Promise.all(running.map((id) => api.inspect(id)))).map(identity)
    for (let round = 0; round < 5; round += 1) {
      const workers = [1, 2].map(() => untilDead(() => runOnce()))
      await atRandomMoment()
      await api.daemon.down('SIGKILL')
      await Promise.all(workers)
      // Killed again before it answers.
      const coming = api.daemon.up().catch(() => undefined)
      await atRandomMoment()
      await api.daemon.down('SIGKILL')
      await coming
      await api.daemon.up()
      assert.deepEqual((await Promise.all(running.map((id) => api.inspect(id)))).map(identity), before)
      await api.until('containers with --rm to go', async () =>
        (await list()).every(({ State }) => State === 'created' || State === 'running'),
      )
      await api.daemon.assertNoLeaks()
    }
  })

  it('leaves no part of an image that was being imported', async () => {
    const tar = await busyboxTar(member({ path: 'big' }, Buffer.alloc(64 << 20, 'x')))
    for (let round = 0; round < 3; round += 1) {
      const images = (await api.call('GET', '/images/json?all=1')).text
      const importing = api.daemon
        .call('POST', '/images/create?fromSrc=-&repo=half', tar)
        .catch(() => undefined)
      await atRandomMoment()
      await crash()
      const answer = await importing
      const now = (await api.call('GET', '/images/json?all=1')).text
      if (now !== images) await api.call('DELETE', '/images/half')
      else
        assert.equal(
          answer?.text.includes('sha256:') ?? false,
          false,
          'an import that was acknowledged is gone',
        )
      await api.daemon.assertNoLeaks()
    }
  })

  async function runOnce(): Promise<void> {
    const id = await api.create({ Cmd: 'echo x', HostConfig: { AutoRemove: true } })
    const waiting = await api.daemon.open('POST', `/containers/${id}/wait?condition=removed`)
    await api.call('POST', `/containers/${id}/start`, undefined, 204)
    await Array.fromAsync(waiting)
  }

  async function createAndRemove(name: string, said: Map<string, string>): Promise<void> {
    said.set(name, 'unsure')
    const id = await api.create({ Cmd: FOREVER, Volumes: { '/data': {} } }, name)
    said.set(name, 'created')
    if (name.endsWith('3')) return
    said.set(name, 'unsure')
    await api.call('POST', `/containers/${id}/start`, undefined, 204)
    said.set(name, 'started')
    if (name.endsWith('6')) return
    said.set(name, 'unsure')
    await api.remove(id)
    said.set(name, 'removed')
  }

  /** Works until the daemon does not answer any more. Anything but a broken connection is a failure. */
  async function untilDead(work: () => Promise<void>): Promise<void> {
    try {
      for (;;) await work()
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error
    }
  }

  /** The moment is the input of the test, not something that is waited for. */
  function atRandomMoment(): Promise<void> {
    const milliseconds = 20 + Math.random() * 400
    return new Promise((resolve) => setTimeout(resolve, milliseconds))
  }

  async function list(): Promise<{ Names: string[]; State: string }[]> {
    return (await api.call('GET', '/containers/json?all=1')).json()
  }
})

describe('a shim that stands still', () => {
  it('delays nobody but who waits for its container', async () => {
    const stuck = await api.started({ Cmd: FOREVER }, 'stuck')
    const well = await api.started({ Cmd: FOREVER }, 'well')
    const { Pid } = (await api.inspect(stuck)).State
    const shim = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${Pid}/status`, 'utf8'))?.[1])
    process.kill(shim, 'SIGSTOP')
    try {
      assert.equal(await speed(() => api.call('GET', '/containers/json?all=1&size=1')), 'soon')
      assert.equal(await speed(() => api.inspect(stuck)), 'soon')
      assert.equal((await exec(api, well, 'echo well')).out, 'well\n')
      const down = await crash()
      assert.ok(down < 15_000, `${down} ms until the daemon answered`)
      assert.equal(await speed(() => api.call('GET', '/containers/json?all=1')), 'soon')
      assert.equal((await exec(api, well, 'echo well')).out, 'well\n')
      // It is killed in the end, and what it looked after with it.
      await api.remove(stuck)
      assert.equal(lives(Pid), false)
      assert.equal(lives(shim), false)
    } finally {
      if (lives(shim)) process.kill(shim, 'SIGCONT')
    }
  })

  /** A wide limit: it tells waiting from not waiting, not fast from slow. */
  async function speed(work: () => Promise<unknown>): Promise<'soon' | number> {
    const begin = performance.now()
    await work()
    const took = performance.now() - begin
    return took < 1000 ? 'soon' : took
  }
})

describe('a daemon that loses its helper', () => {
  it('ends, says so, and finds everything again', async () => {
    const id = await api.started({ Cmd: FOREVER })
    const before = identity(await api.inspect(id))
    const [helper = 0] = helpers()
    process.kill(helper, 'SIGKILL')
    assert.equal(await api.daemon.ended(), 1)
    assert.match(api.daemon.log, new RegExp(`the helper \\(process ${helper}\\) ended`))
    await api.daemon.up()
    assert.deepEqual(identity(await api.inspect(id)), before)
    assert.equal((await exec(api, id, 'echo still here')).out, 'still here\n')
  })

  function helpers(): number[] {
    const { stdout } = run('ps', ['-eo', 'pid=,args='])
    return stdout
      .split('\n')
      .filter((line) => line.includes('berth-helper') && line.includes(`${api.daemon.marks.execRoot} `))
      .map((line) => Number.parseInt(line, 10))
  }
})

describe('two daemons', () => {
  it('are refused on one data root, with the name of the process that has it', () => {
    const { marks, root, pid } = api.daemon
    const daemon = join(import.meta.dirname, '../../src/bin/berthd.ts')
    const second = run(NODE, [
      daemon,
      '-H',
      `unix://${root}/second.sock`,
      '--data-root',
      marks.dataRoot,
      '--exec-root',
      join(root, 'second'),
    ])
    assert.notEqual(second.code, 0)
    assert.match(second.stderr, new RegExp(`lock.* is locked by process ${pid}\\b`))
    assert.deepEqual(
      differences(observe(marks), {
        running: [],
        containers: [],
        volumes: [],
        ports: 0,
        bridges: ['berth0'],
        endpoints: 0,
        parents: [],
      }),
      [],
    )
  })

  it('can follow each other on it', async () => {
    await using other = await TestDaemon.start({})
    await other.down('SIGKILL')
    await other.up()
    assert.match(readFileSync(join(other.marks.dataRoot, 'lock'), 'utf8'), new RegExp(`^${other.pid} `))
  })
})
