import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { EngineError } from '#base/errors.ts'
import { FakeProcess, fakeCommands } from './fake-process.ts'
import type { ExitEvent, Shim, ShimConfig, ShimEvent, Shims, StreamSelection } from './shim.ts'

export interface FakeShimsOptions {
  /** Reads a bundle's `config.json` or an exec's document; from disk unless a test keeps them elsewhere. */
  readonly read?: (file: string) => Promise<string>
  readonly now?: () => Date
}

/** The first process of a container, for tests that play its fate. */
export interface FakeInit {
  readonly id: string
  readonly pid: number
  /** The shim still looks after it. */
  readonly supervised: boolean
  readonly frozen: boolean
  end(code: number): void
  /** The process ends; the shim knows, and says so when the result is called. */
  endUntold(code: number): () => void
  signal(number: number): void
  freeze(): void
  thaw(): void
  /** The kernel killed a process of the container for want of memory. */
  oom(): void
  /** The shim is killed; the process lives on. */
  orphan(): void
}

interface World {
  nextPid(): number
  now(): Date
  read(file: string): Promise<string>
  record(exit: ExitEvent): void
  gone(): void
}

/**
 * Shims whose processes are played (see fakeCommands); a command that is none of these is not found. What is to run is read
 * from the bundle's `config.json` and from `exec/ID.json`, as a runtime would.
 */
export class FakeShims implements Shims {
  readonly #options: FakeShimsOptions
  readonly #living = new Map<string, FakeShim>()
  readonly #all: FakeShim[] = []
  readonly #records = new Map<string, ExitEvent>()
  #pids = 1000

  constructor(options: FakeShimsOptions = {}) {
    this.#options = options
  }

  async spawn(directory: string, config: ShimConfig): Promise<Shim & { readonly pid: number }> {
    const shim = new FakeShim(directory, config, {
      nextPid: () => ++this.#pids,
      now: this.#options.now ?? (() => new Date()),
      read: this.#options.read ?? ((file) => readFile(file, 'utf8')),
      record: (exit) => this.#records.set(config.exitRecord, exit),
      gone: () => this.#living.delete(directory),
    })
    this.#records.delete(config.exitRecord)
    this.#living.set(directory, shim)
    this.#all.push(shim)
    return shim
  }

  async connect(directory: string): Promise<Shim | undefined> {
    return this.#living.get(directory)
  }

  async exitRecord(file: string): Promise<ExitEvent | undefined> {
    return this.#records.get(file)
  }

  /** Directories of all shims that live. */
  get supervising(): readonly string[] {
    return [...this.#living.keys()]
  }

  /** All first processes that live, with and without a shim. */
  get running(): readonly FakeInit[] {
    return this.#all.flatMap(({ played }) => played ?? [])
  }

  /** The first process of a container; fails when it does not run. */
  init(id: string): FakeInit {
    const init = this.running.find((one) => one.id === id)
    if (init === undefined) throw new Error(`no process of ${id}`)
    return init
  }
}

class FakeShim implements Shim {
  readonly directory: string
  readonly pid: number
  readonly #config: ShimConfig
  readonly #world: World
  readonly #init: FakeProcess
  readonly #execs = new Map<string, FakeProcess>()
  readonly #events: ShimEvent[] = [{ type: 'ready' }]
  #changed = Promise.withResolvers<void>()
  #initPid = 0
  #oomKilled = false
  #started = false
  #gone = false
  #mute = false

  constructor(directory: string, config: ShimConfig, world: World) {
    this.directory = directory
    this.pid = world.nextPid()
    this.#config = config
    this.#world = world
    this.#init = new FakeProcess(config.tty, config.stdinOnce, (code) => this.#exited(code))
  }

  async *watch(options: { readonly signal?: AbortSignal | undefined } = {}): AsyncGenerator<ShimEvent> {
    const { signal } = options
    const { promise: aborted, resolve } = Promise.withResolvers<void>()
    let left = signal?.aborted === true
    const onAbort = (): void => {
      left = true
      resolve()
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      for (let at = 0; ; at++) {
        while (at === this.#events.length && !left) {
          if (this.#gone) return
          await Promise.race([this.#changed.promise, aborted])
        }
        if (left) return
        yield this.#events[at] as ShimEvent
      }
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  async start(): Promise<{ readonly pid: number }> {
    this.#checkThere()
    if (this.#started) throw new EngineError('internal', 'already started', { code: 'RUNTIME_START_FAILED' })
    this.#started = true
    const args = await this.#argumentsIn(join(this.#config.bundle, 'config.json'))
    try {
      checkCommand(args)
    } catch (error) {
      this.#tell({ type: 'failed', message: (error as Error).message })
      this.#end()
      throw error
    }
    const pid = this.#world.nextPid()
    this.#initPid = pid
    this.#tell({ type: 'started', pid, startTime: String(pid), at: this.#world.now() })
    this.#init.start(args)
    return { pid }
  }

  async attach(target: string, streams: StreamSelection): Promise<Duplex> {
    return this.#living(target).attach(streams)
  }

  async exec(
    id: string,
    tty: boolean,
    streams: StreamSelection,
  ): Promise<{ readonly pid: number; readonly stream?: Duplex }> {
    this.#checkThere()
    if (this.#init.state !== 'running') {
      throw new EngineError('internal', 'container is not running', { code: 'RUNTIME_EXEC_FAILED' })
    }
    const args = await this.#argumentsIn(join(this.directory, 'exec', `${id}.json`))
    checkCommand(args)
    const process = new FakeProcess(tty, true, (code) => this.#tell({ type: 'exec-exit', exec: id, code }))
    this.#execs.set(id, process)
    const pid = this.#world.nextPid()
    this.#tell({ type: 'exec-started', exec: id, pid })
    const attached = streams.stdin || streams.stdout || streams.stderr
    const stream = attached ? process.attach(streams) : undefined
    process.start(args)
    if (!streams.stdin) process.endInput()
    return stream === undefined ? { pid } : { pid, stream }
  }

  async resize(target: string, _rows: number, _columns: number): Promise<void> {
    const process = this.#living(target)
    if (!process.tty) throw new EngineError('internal', 'process has no terminal', { code: 'SHIM_REFUSED' })
  }

  async kill(target: string, signal: number): Promise<boolean> {
    const process = target === 'init' ? this.#init : this.#execs.get(target)
    if (this.#gone || process?.state !== 'running') return false
    process.signal(signal)
    return true
  }

  async discard(): Promise<void> {
    if (!this.#started) this.#end()
  }

  /** The process as tests see it, while it runs. */
  get played(): FakeInit | undefined {
    const init = this.#init
    if (init.state !== 'running') return undefined
    return {
      id: this.#config.id,
      pid: this.#initPid,
      supervised: !this.#gone,
      frozen: init.frozen,
      end: (code) => init.end(code),
      endUntold: (code) => {
        this.#mute = true
        init.end(code)
        return () => {
          this.#mute = false
          this.#exited(code)
        }
      },
      signal: (number) => init.signal(number),
      freeze: () => init.freeze(),
      thaw: () => init.thaw(),
      oom: () => {
        this.#oomKilled = true
        this.#tell({ type: 'oom' })
      },
      orphan: () => this.#end(),
    }
  }

  #checkThere(): void {
    if (!this.#gone) return
    throw new EngineError('unavailable', 'the supervisor of the container is gone', { code: 'SHIM_GONE' })
  }

  #living(target: string): FakeProcess {
    const process = target === 'init' ? this.#init : this.#execs.get(target)
    if (process === undefined || process.state === 'ended' || this.#gone) {
      throw new EngineError('conflict', 'the process has ended', { code: 'PROCESS_ENDED' })
    }
    return process
  }

  #exited(code: number): void {
    for (const exec of this.#execs.values()) if (exec.state === 'running') exec.end(137)
    if (this.#gone || this.#mute) return
    const exit: ExitEvent = { type: 'exit', code, oomKilled: this.#oomKilled, at: this.#world.now() }
    this.#world.record(exit)
    this.#tell(exit)
    this.#end()
  }

  #end(): void {
    this.#init.closeStreams()
    this.#gone = true
    this.#world.gone()
    this.#wake()
  }

  #tell(event: ShimEvent): void {
    if (this.#gone) return
    this.#events.push(event)
    this.#wake()
  }

  #wake(): void {
    const { resolve } = this.#changed
    this.#changed = Promise.withResolvers<void>()
    resolve()
  }

  async #argumentsIn(file: string): Promise<readonly string[]> {
    const document = JSON.parse(await this.#world.read(file)) as {
      args?: string[]
      process?: { args?: string[] }
    }
    return document.process?.args ?? document.args ?? []
  }
}

function checkCommand([command = '']: readonly string[]): void {
  if (fakeCommands.includes(command)) return
  const message = `executable file \`${command}\` not found in $PATH: no such file or directory`
  throw new EngineError('internal', message, { code: 'RUNTIME_START_FAILED' })
}
