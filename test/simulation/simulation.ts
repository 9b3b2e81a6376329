import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { engineErrorOf } from '#base/errors.ts'
import { runOf } from '#engine/containers/state.ts'
import type { WaitCondition } from '#engine/containers/waiters.ts'
import { FakeMachine, TestEngine } from '#test/support/engine.ts'

const STEPS = 60
const NAMES = ['one', 'two', 'three']
const commands = [
  ['sleep'],
  ['sleep'],
  ['sleep'],
  ['stubborn'],
  ['stubborn'],
  ['true'],
  ['false'],
  ['nosuch'],
]
const policies = ['no', 'no', 'always', 'unless-stopped', 'on-failure'] as const

/** What was answered about one container; `unsure` when the daemon was killed before it answered. */
interface Told {
  readonly id: string
  readonly name: string
  readonly autoRemove: boolean
  removed: boolean
  unsure: boolean
}

interface Wait {
  readonly id: string
  readonly condition: WaitCondition
  settled: boolean
}

/** Plays one seed; throws with the seed and the story when an invariant does not hold. */
export async function simulate(seed: number): Promise<void> {
  using machine = new FakeMachine()
  const run = new Simulation(seed, machine)
  try {
    await run.play()
  } catch (error) {
    throw new Error(`SIMULATION_SEED=${seed} fails:\n${run.story.join('\n')}`, { cause: error })
  }
}

class Simulation {
  readonly story: string[] = []
  readonly #machine: FakeMachine
  readonly #random: (below: number) => number
  readonly #told = new Map<string, Told>()
  /** How each process has ended. */
  readonly #truth = new Map<number, number>()
  /** Failures that are no answers to anybody. */
  readonly #mistakes: unknown[] = []
  #waits: Wait[] = []
  #engine!: TestEngine
  #pending = 0

  constructor(seed: number, machine: FakeMachine) {
    this.#machine = machine
    this.#random = generator(seed)
  }

  async play(): Promise<void> {
    await this.#boot()
    for (let step = 0; step < STEPS; step++) {
      await this.#step()
      for (let i = this.#random(25); i > 0; i--) await this.#letGo()
    }
    await this.#rest()
    await this.#check()
    await this.#crash()
    await this.#rest()
    await this.#check()
  }

  async #boot(): Promise<void> {
    this.#engine = new TestEngine(this.#machine)
    this.#engine.turns.script()
    this.#pending = 0
    this.#waits = []
    const engine = this.#engine
    let ready = false
    const recovering = engine.recover().then(() => (ready = true))
    while (!ready) {
      // Killed in the middle of recovery: the next one does it all.
      if (this.#random(40) === 0) {
        this.story.push('  killed while it recovers')
        engine.kill()
        return this.#boot()
      }
      await this.#letGo()
      if (engine.turns.waiting === 0 && !ready) await this.#machine.clock.advance(1000)
    }
    await recovering
  }

  async #crash(): Promise<void> {
    this.story.push('crash')
    this.#engine.kill()
    for (let i = this.#random(3); i > 0; i--) this.#fate()
    await this.#boot()
  }

  /** Lets one of those go who wait for their turn, and everybody run as far as they get. */
  async #letGo(): Promise<void> {
    const { turns } = this.#engine
    if (turns.waiting > 0) turns.next(this.#random)
    await turn()
  }

  /** Everything that can happen has happened, time included. */
  async #rest(): Promise<void> {
    for (let i = 0; i < 400; i++) {
      while (this.#engine.turns.waiting > 0) await this.#letGo()
      await turn()
      if (this.#engine.turns.waiting > 0) continue
      if (i > 40 && this.#pending === 0) return
      if (i % 4 === 0) for (const init of this.#machine.shims.running) if (i > 200) this.#end(init.pid)
      await this.#machine.clock.advance(5000)
    }
    assert.fail(`${this.#pending} operations do not end`)
  }

  async #step(): Promise<void> {
    const { lifecycle } = this.#engine
    const ref = this.#pick(NAMES)
    if (this.#engine.registry.named(ref) === undefined && this.#random(4) > 0) return this.#create(ref)
    const operations: readonly (() => void | Promise<void>)[] = [
      () => this.#create(ref),
      () => this.#call(`start ${ref}`, () => lifecycle.start(ref)),
      () => this.#call(`start ${ref}`, () => lifecycle.start(ref)),
      () => this.#call(`stop ${ref}`, () => lifecycle.stop(ref, { timeout: this.#random(3) })),
      () => this.#call(`restart ${ref}`, () => lifecycle.restart(ref, { timeout: this.#random(3) })),
      () => this.#call(`kill ${ref}`, () => lifecycle.kill(ref, this.#pick(['KILL', 'TERM', 'HUP']))),
      () => this.#call(`pause ${ref}`, () => lifecycle.pause(ref)),
      () => this.#call(`pause ${ref}`, () => lifecycle.pause(ref)),
      () => this.#rename(ref),
      () => this.#call(`unpause ${ref}`, () => lifecycle.unpause(ref)),
      () => this.#remove(ref),
      () => this.#exec(ref),
      () => this.#wait(ref),
      () => this.#fate(),
      () => this.#fate(),
      () => this.#machine.clock.advance(this.#pick([50, 200, 5000])),
      () => this.#crash(),
    ]
    await this.#pick(operations)()
  }

  #create(name: string): void {
    const autoRemove = this.#random(3) === 0
    const policy = autoRemove ? 'no' : this.#pick(policies)
    const body = {
      Image: 'busybox',
      Cmd: this.#pick(commands),
      HostConfig: { AutoRemove: autoRemove, RestartPolicy: { Name: policy } },
    } as const
    this.#call(
      `create ${name} ${body.Cmd[0]} ${autoRemove ? '--rm' : policy}`,
      () => this.#engine.lifecycle.create({ ...body, Cmd: [...body.Cmd] }, { name }),
      ({ Id }) => {
        this.#told.set(Id, { id: Id, name, autoRemove, removed: false, unsure: false })
        this.#call(`start ${name}`, () => this.#engine.lifecycle.start(Id))
      },
    )
  }

  #remove(ref: string): void {
    const id = this.#engine.registry.find(ref)?.id
    const force = this.#random(3) > 0
    const told = id === undefined ? undefined : this.#told.get(id)
    if (told !== undefined) told.unsure = true
    this.#call(
      `rm ${force ? '-f ' : ''}${ref}`,
      () => this.#engine.lifecycle.remove(ref, { force, volumes: false, link: false }),
      () => told !== undefined && (told.removed = true),
    )
  }

  #rename(ref: string): void {
    const id = this.#engine.registry.find(ref)?.id
    const name = this.#pick(NAMES)
    this.#call(
      `rename ${ref} ${name}`,
      () => this.#engine.lifecycle.rename(ref, name),
      () => {
        const now = id === undefined ? undefined : this.#engine.registry.get(id)?.name
        if (now !== undefined) assert.ok(NAMES.includes(now))
      },
    )
  }

  #exec(ref: string): void {
    const { execs } = this.#engine
    this.#call(`exec ${ref}`, async () => {
      const { Id } = await execs.create(ref, { Cmd: [this.#pick(['true', 'false', 'nosuch', 'sleep'])] })
      await execs.start(Id, { detach: true, tty: false })
    })
  }

  #wait(ref: string): void {
    const condition = this.#pick<WaitCondition>(['not-running', 'next-exit', 'removed'])
    const id = this.#engine.registry.find(ref)?.id
    if (id === undefined) return
    const wait: Wait = { id, condition, settled: false }
    this.story.push(`wait ${ref} ${condition}`)
    const { result } = this.#engine.lifecycle.wait(id, condition)
    this.#waits.push(wait)
    void result.then(() => (wait.settled = true))
  }

  /** Something happens to a process or its shim that nobody asked for. */
  #fate(): void {
    const { running } = this.#machine.shims
    if (running.length === 0) return
    const init = this.#pick(running)
    const name = this.#told.get(init.id)?.name ?? init.id.slice(0, 8)
    switch (this.#random(6)) {
      case 0:
        this.story.push(`  the shim of ${name} is killed ${init.pid} ${init.supervised}`)
        if (init.supervised) init.orphan()
        return
      case 1:
        this.story.push(`  ${name} runs out of memory`)
        init.oom()
        return
      default:
        if (init.frozen) return
        this.#end(init.pid)
    }
  }

  #end(pid: number): void {
    const init = this.#machine.shims.running.find((one) => one.pid === pid)
    if (init === undefined || init.frozen) return
    const code = this.#random(4)
    this.story.push(`  process ${pid} ends with ${code}`)
    if (init.supervised) this.#truth.set(pid, code)
    init.end(code)
  }

  #call<T>(what: string, work: () => Promise<T>, done: (value: T) => unknown = () => undefined): void {
    this.story.push(what)
    const engine = this.#engine
    this.#pending += 1
    const settled = work().then(done, (error: unknown) => {
      // Only errors that are meant for clients; everything else is a mistake of ours.
      const known = engineErrorOf(error)
      if (known === undefined || known.code === 'CONTAINER_TRANSITION') this.#mistakes.push(error)
      this.story.push(`  ${what}: ${known?.message ?? String(error)}`)
    })
    void settled.finally(() => {
      if (this.#engine === engine) this.#pending -= 1
    })
  }

  async #check(): Promise<void> {
    if (this.#mistakes.length > 0) throw this.#mistakes[0]
    this.#checkProcesses()
    this.#checkAcknowledged()
    this.#checkWaits()
    await this.#checkLeftovers()
    await this.#checkRestarts()
  }

  /** I1-I4: rows and processes say the same, and each process is looked after by one shim. */
  #checkProcesses(): void {
    const { registry } = this.#engine
    const processes = new Map(this.#machine.shims.running.map((init) => [init.id, init]))
    assert.equal(processes.size, this.#machine.shims.running.length, 'I4: two processes of one container')
    for (const container of registry.all()) {
      const { id, name, state } = container
      const run = runOf(state)
      const init = processes.get(id)
      assert.equal(init?.pid, run?.pid, `I3: ${name} is ${state.status} with process ${init?.pid}`)
      if (init !== undefined) {
        assert.equal(init.frozen, state.status === 'paused', `I3: ${name} is ${state.status}`)
        assert.ok(init.supervised, `I4: ${name} has no shim`)
      }
      assert.notEqual(state.status, 'removing', `${name} is being removed by nobody`)
      processes.delete(id)
    }
    assert.deepEqual([...processes.keys()], [], 'I3: processes without a container')
    assert.equal(this.#machine.shims.supervising.length, this.#machine.shims.running.length, 'I4')
  }

  /** Whoever waits to be started again is. */
  async #checkRestarts(): Promise<void> {
    const { registry } = this.#engine
    const waiting = registry.all().filter(({ state }) => state.status === 'restarting')
    if (waiting.length === 0) return
    await this.#machine.clock.advance(60_000)
    for (let i = 0; i < 5; i++) while (this.#engine.turns.waiting > 0) await this.#letGo()
    for (const { id, name, restartCount } of waiting) {
      const now = registry.resolve(id)
      assert.ok(
        now.restartCount > restartCount || now.state.status === 'exited',
        `${name} waits for a restart that does not come`,
      )
    }
  }

  /** I5, I6, I15: what was said is so. */
  #checkAcknowledged(): void {
    const all = this.#engine.registry.all()
    const there = new Map(all.map((container) => [container.id, container]))
    for (const told of this.#told.values()) {
      const container = there.get(told.id)
      if (told.removed) assert.equal(container, undefined, `I5: ${told.name} is back`)
      else if (!told.unsure && !told.autoRemove) assert.ok(container, `I5: ${told.name} is lost`)
    }
    for (const { name, hostConfig, state } of all) {
      if (hostConfig.AutoRemove === true) assert.notEqual(state.status, 'exited', `I15: ${name} stays`)
    }
    assert.equal(new Set(all.map(({ name }) => name)).size, all.length, 'I6: names')
    const addresses = all.flatMap(({ state }) => (runOf(state)?.endpoints ?? []).map(({ ipv4 }) => ipv4))
    assert.equal(new Set(addresses).size, addresses.length, 'I6: addresses')
  }

  /** Nobody waits for what has happened. */
  #checkWaits(): void {
    for (const { id, condition, settled } of this.#waits) {
      const container = this.#engine.registry.get(id)
      if (container === undefined) assert.ok(settled, `a ${condition} waiter of a removed container`)
      else if (condition === 'not-running' && runOf(container.state) === undefined) {
        assert.ok(settled, `a ${condition} waiter of ${container.name}, which is ${container.state.status}`)
      }
    }
  }

  /** I7, I8, I13: nothing is kept for what is not there; and no lock is held. */
  async #checkLeftovers(): Promise<void> {
    const { registry, networks, parts } = this.#engine
    const all = registry.all()
    const runs = all.filter(({ state }) => runOf(state) !== undefined).map(({ id }) => id)
    assert.deepEqual([...networks.leased.keys()].toSorted(), runs.toSorted(), 'I8: leases')
    assert.deepEqual(
      [...(await this.#machine.snapshots.snapshots())].toSorted(),
      all.map(({ id }) => id).toSorted(),
      'I13: snapshots',
    )
    const directories = runs.map((id) => parts.paths(id).runtime.split('/').at(-1) ?? '')
    const made = await this.#machine.directories.list('/run/berth/c')
    assert.deepEqual([...made].toSorted(), directories.toSorted(), 'I7: runtime directories')
    for (const { id, name } of all) {
      let free = false
      const acquired = parts.locks.acquire(id).then((lock) => {
        free = true
        lock[Symbol.dispose]()
      })
      await turn()
      assert.ok(free, `the lock of ${name} is held`)
      await acquired
    }
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#random(items.length)] as T
  }
}

/** mulberry32: small, and good enough to choose. */
function generator(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}
