/** NativeNames with containers that are namespaces held by one process each; for tests that run in a namespace of their own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { silentLogger } from '#base/logger.ts'
import { NativeNames } from '#network/names/native-names.ts'
import type { NamedContainer, NamesUnderTest } from '#network/names/names.suite.ts'
import { type NativeHelper, startHelper } from '#os/native-helper.ts'
import { type Message, type QueryOptions, decode, encodeQuery, reverseName } from './dns.ts'
import { nativeBuild, temporaryDirectory } from './native.ts'
import type { PeerRequest } from '../integration/names-peer.ts'

const PEER = join(import.meta.dirname, '../integration/names-peer.ts')

/** Closed when it takes longer; answers come in a millisecond. */
const PATIENCE = 8000

export class TestContainer implements NamedContainer {
  readonly pid: number
  readonly #holder: ChildProcess
  readonly #peer: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly #closed: (id: string) => Promise<void>

  private constructor(
    holder: ChildProcess,
    peer: ChildProcess,
    lines: AsyncIterator<string>,
    closed: (id: string) => Promise<void>,
  ) {
    this.pid = holder.pid as number
    this.#holder = holder
    this.#peer = peer
    this.#lines = lines
    this.#closed = closed
  }

  static async start(closed: (id: string) => Promise<void>): Promise<TestContainer> {
    const script = 'ip link set lo up; echo; exec sleep 600'
    const holder = spawn('unshare', ['--net', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(holder.stdout, 'data')
    const enter = ['-t', String(holder.pid), '-n', process.execPath, PEER]
    const peer = spawn('nsenter', enter, { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface({ input: peer.stdout })[Symbol.asyncIterator]()
    await lines.next()
    return new TestContainer(holder, peer, lines, closed)
  }

  /** Raw bytes; what came back within the time. */
  async exchange(
    transport: 'udp' | 'tcp',
    messages: readonly Buffer[],
    options: { readonly wait?: number; readonly patience?: number } = {},
  ): Promise<readonly Buffer[]> {
    const request: PeerRequest = {
      transport,
      messages: messages.map((message) => message.toString('hex')),
      wait: options.wait ?? messages.length,
      patience: options.patience ?? PATIENCE,
    }
    this.#peer.stdin?.write(`${JSON.stringify(request)}\n`)
    const { value } = (await this.#lines.next()) as { readonly value: string }
    return (JSON.parse(value) as string[]).map((hex) => Buffer.from(hex, 'hex'))
  }

  async ask(
    name: string,
    options: QueryOptions & { readonly tcp?: boolean; readonly patience?: number } = {},
  ): Promise<Message | undefined> {
    const wait = options.patience === undefined ? {} : { patience: options.patience }
    const [answer] = await this.exchange(
      options.tcp === true ? 'tcp' : 'udp',
      [encodeQuery(name, options)],
      wait,
    )
    return answer === undefined ? undefined : decode(answer)
  }

  async addresses(name: string, options: { readonly tcp?: boolean } = {}): Promise<readonly string[]> {
    return (await this.ask(name, options))?.answers.map(({ data }) => data) ?? []
  }

  async lookup(_id: string, name: string): Promise<readonly string[] | undefined> {
    const [v4, v6] = [
      await this.ask(name, { type: 'A', patience: 300 }),
      await this.ask(name, { type: 'AAAA', patience: 300 }),
    ]
    if (v4?.rcode !== 0 || v6?.rcode !== 0) return undefined
    return [...v4.answers, ...v6.answers].map(({ data }) => data)
  }

  async reverse(_id: string, address: string): Promise<string | undefined> {
    return (await this.ask(reverseName(address), { type: 'PTR', patience: 300 }))?.answers[0]?.data
  }

  /** Runs a program in the namespace; its output. */
  async run(...argv: readonly string[]): Promise<string> {
    const child = spawn('nsenter', ['-t', String(this.pid), '-n', ...argv], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    await once(child, 'close')
    return output
  }

  async end(id: string): Promise<void> {
    await this.stop()
    await this.#closed(id)
  }

  async stop(): Promise<void> {
    for (const child of [this.#peer, this.#holder]) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }
}

function helperIn(execRoot: string): Promise<NativeHelper> {
  return startHelper({ execRoot, buildDir: nativeBuild, logger: silentLogger })
}

export class NamesWorld implements NamesUnderTest {
  readonly directory: string
  #helper: NativeHelper
  readonly #root: AsyncDisposable & { readonly path: string }
  readonly #containers: TestContainer[] = []
  #names: NativeNames

  private constructor(root: AsyncDisposable & { readonly path: string }, helper: NativeHelper) {
    this.#root = root
    this.directory = join(root.path, 'names')
    this.#helper = helper
    this.#names = this.#open()
  }

  static async open(): Promise<NamesWorld> {
    const root = await temporaryDirectory('names')
    return new NamesWorld(root, await helperIn(root.path))
  }

  get helperPid(): number {
    return this.#helper.pid
  }

  get names(): NativeNames {
    return this.#names
  }

  #open(): NativeNames {
    return new NativeNames({
      helper: this.#helper,
      directory: this.directory,
      program: join(nativeBuild, 'berth-dns'),
      logger: silentLogger,
    })
  }

  async container(): Promise<TestContainer> {
    const container = await TestContainer.start((id) => this.#forgotten(id))
    this.#containers.push(container)
    return container
  }

  /** The daemon lets go, and another one begins. */
  async nextDaemon(between: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    await this.#names[Symbol.asyncDispose]()
    await between()
    this.#names = this.#open()
  }

  /** The daemon is killed, and its helper with it; another one begins. */
  async crash(): Promise<void> {
    process.kill(this.#helper.pid, 'SIGKILL')
    await this.nextDaemon(async () => {
      await this.#helper[Symbol.asyncDispose]()
      this.#helper = await helperIn(this.#root.path)
    })
  }

  /** Processes of berth-dns for this world. */
  async processes(): Promise<readonly number[]> {
    const found: number[] = []
    for (const name of await readdir('/proc')) {
      if (!/^\d+$/.test(name)) continue
      const line = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')
      if (line.includes('berth-dns') && line.includes(this.directory)) found.push(Number(name))
    }
    return found
  }

  async state(): Promise<string> {
    return readFile(join(this.directory, 'state'), 'utf8')
  }

  async messages(): Promise<string> {
    return readFile(join(this.directory, 'dns.log'), 'utf8').catch(() => '')
  }

  async #forgotten(id: string): Promise<void> {
    while ((await this.state()).includes(id)) await new Promise((resolve) => setTimeout(resolve, 5))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const container of this.#containers) await container.stop()
    await this.#names[Symbol.asyncDispose]()
    while ((await this.processes()).length > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    await this.#helper[Symbol.asyncDispose]()
    await this.#root[Symbol.asyncDispose]()
  }
}
