import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Duplex, duplexPair } from 'node:stream'
import { EngineError } from '#base/errors.ts'
import type { ExitEvent, Shim, ShimConfig, ShimEvent, Shims, StreamSelection } from './shim.ts'

type Arguments = readonly string[]

/**
 * Shims whose processes are played: `true`, `false`, `echo WORDS`, `cat` and `sleep`; every other command is not found.
 * What is to run is read from the bundle's `config.json` and from `exec/ID.json`, as a runtime would.
 */
export class FakeShims implements Shims {
  readonly #living = new Map<string, FakeShim>()
  readonly #records = new Map<string, ExitEvent>()
  #pids = 1000

  async spawn(directory: string, config: ShimConfig): Promise<Shim & { readonly pid: number }> {
    const shim = new FakeShim(directory, config, {
      nextPid: () => ++this.#pids,
      record: (exit) => this.#records.set(config.exitRecord, exit),
      gone: () => this.#living.delete(directory),
    })
    this.#living.set(directory, shim)
    return shim
  }

  async connect(directory: string): Promise<Shim | undefined> {
    return this.#living.get(directory)
  }

  async exitRecord(file: string): Promise<ExitEvent | undefined> {
    return this.#records.get(file)
  }
}

interface World {
  nextPid(): number
  record(exit: ExitEvent): void
  gone(): void
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
  #started = false
  #gone = false

  constructor(directory: string, config: ShimConfig, world: World) {
    this.directory = directory
    this.pid = world.nextPid()
    this.#config = config
    this.#world = world
    this.#init = new FakeProcess(config.tty, config.stdinOnce, (code) => this.#exited(code))
  }

  async *watch(): AsyncGenerator<ShimEvent> {
    for (let at = 0; ; at++) {
      while (at === this.#events.length) {
        if (this.#gone) return
        await this.#changed.promise
      }
      yield this.#events[at] as ShimEvent
    }
  }

  async start(): Promise<{ readonly pid: number }> {
    if (this.#started) throw new EngineError('internal', 'already started', { code: 'RUNTIME_START_FAILED' })
    this.#started = true
    const args = await argumentsIn(join(this.#config.bundle, 'config.json'))
    try {
      checkCommand(args)
    } catch (error) {
      this.#tell({ type: 'failed', message: (error as Error).message })
      this.#end()
      throw error
    }
    const pid = this.#world.nextPid()
    this.#tell({ type: 'started', pid, startTime: String(pid), at: new Date() })
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
    const args = await argumentsIn(join(this.directory, 'exec', `${id}.json`))
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
    if (process?.state !== 'running') return false
    process.end(128 + signal)
    return true
  }

  async discard(): Promise<void> {
    if (!this.#started) this.#end()
  }

  #living(target: string): FakeProcess {
    const process = target === 'init' ? this.#init : this.#execs.get(target)
    if (process === undefined || process.state === 'ended') {
      throw new EngineError('conflict', 'the process has ended', { code: 'PROCESS_ENDED' })
    }
    return process
  }

  #exited(code: number): void {
    for (const exec of this.#execs.values()) if (exec.state === 'running') exec.end(137)
    const exit: ExitEvent = { type: 'exit', code, oomKilled: false, at: new Date() }
    this.#world.record(exit)
    this.#tell(exit)
    this.#end()
  }

  #end(): void {
    this.#gone = true
    this.#world.gone()
    this.#wake()
  }

  #tell(event: ShimEvent): void {
    this.#events.push(event)
    this.#wake()
  }

  #wake(): void {
    const { resolve } = this.#changed
    this.#changed = Promise.withResolvers<void>()
    resolve()
  }
}

class FakeProcess {
  readonly tty: boolean
  state: 'new' | 'running' | 'ended' = 'new'
  readonly #closesInput: boolean
  readonly #onExit: (code: number) => void
  readonly #clients: { readonly stream: Duplex; readonly streams: StreamSelection }[] = []
  #args: Arguments = []

  constructor(tty: boolean, closesInput: boolean, onExit: (code: number) => void) {
    this.tty = tty
    this.#closesInput = closesInput
    this.#onExit = onExit
  }

  attach(streams: StreamSelection): Duplex {
    const [ours, theirs] = duplexPair()
    this.#clients.push({ stream: ours, streams })
    ours.on('error', () => undefined)
    // Input waits in the pair until there is a process.
    if (this.state === 'running') this.#read(ours, streams)
    return theirs
  }

  start(args: Arguments): void {
    this.state = 'running'
    this.#args = args
    const [command, ...words] = args
    for (const { stream, streams } of this.#clients) this.#read(stream, streams)
    if (command === 'echo') this.#write(`${words.join(' ')}\n`)
    if (command !== 'cat' && command !== 'sleep') this.end(command === 'false' ? 1 : 0)
  }

  endInput(): void {
    if (this.state === 'running' && this.#args[0] === 'cat' && !this.tty) this.end(0)
  }

  end(code: number): void {
    this.state = 'ended'
    for (const { stream } of this.#clients) stream.end()
    this.#onExit(code)
  }

  #read(stream: Duplex, streams: StreamSelection): void {
    stream.on('data', (chunk: Buffer) => {
      if (streams.stdin && this.state === 'running' && this.#args[0] === 'cat') this.#write(chunk.toString())
    })
    stream.once('end', () => {
      if (streams.stdin && this.#closesInput) this.endInput()
    })
  }

  #write(text: string): void {
    const payload = Buffer.from(text)
    const header = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0])
    header.writeUInt32BE(payload.length, 4)
    for (const { stream, streams } of this.#clients) {
      if (streams.stdout) stream.write(this.tty ? payload : Buffer.concat([header, payload]))
    }
  }
}

async function argumentsIn(file: string): Promise<Arguments> {
  const document = JSON.parse(await readFile(file, 'utf8')) as {
    args?: string[]
    process?: { args?: string[] }
  }
  return document.process?.args ?? document.args ?? []
}

const COMMANDS = ['true', 'false', 'echo', 'cat', 'sleep']

function checkCommand([command = '']: Arguments): void {
  if (COMMANDS.includes(command)) return
  const message = `executable file \`${command}\` not found in $PATH: no such file or directory`
  throw new EngineError('internal', message, { code: 'RUNTIME_START_FAILED' })
}
