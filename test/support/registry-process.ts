import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const REPOSITORY = join(import.meta.dirname, '..', '..')
const NODE = join(REPOSITORY, 'node_modules/node/bin/node')

/** `berth-registry serve` as a process of its own, on a free port of loopback, with a root that outlives kills. */
export class RegistryProcess implements AsyncDisposable {
  readonly root: string
  readonly #args: readonly string[]
  #child: ChildProcess | undefined
  #url = ''

  private constructor(root: string, args: readonly string[]) {
    this.root = root
    this.#args = args
  }

  static async start(args: readonly string[] = []): Promise<RegistryProcess> {
    const registry = new RegistryProcess(mkdtempSync(join(tmpdir(), 'berth-registry-')), args)
    try {
      await registry.up()
    } catch (error) {
      await registry[Symbol.asyncDispose]()
      throw error
    }
    return registry
  }

  /** `http://127.0.0.1:PORT`; another port after every start. */
  get url(): string {
    return this.#url
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  async up(): Promise<void> {
    const program = join(REPOSITORY, 'src/bin/berth-registry.ts')
    const args = [
      'serve',
      '--listen',
      '127.0.0.1:0',
      '--root',
      this.root,
      '--log-level',
      'warn',
      ...this.#args,
    ]
    const child = spawn(NODE, ['--disable-warning=ExperimentalWarning', program, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    let said = ''
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const listen = (chunk: Buffer): void => {
      said += chunk.toString()
      const url = /Registry at (\S+),/.exec(said)?.[1]
      if (url !== undefined) resolve(url)
    }
    child.stdout?.on('data', listen)
    child.stderr?.on('data', listen)
    child.once('exit', (code, signal) =>
      reject(new Error(`the registry ended with ${String(code ?? signal)}: ${said}`)),
    )
    this.#url = await promise
  }

  /** The exit code, or the signal it died of. */
  async down(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    const child = this.#child
    if (child === undefined) return 'not running'
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit')
      child.kill(signal)
      await exited
    }
    return child.exitCode ?? child.signalCode ?? 'unknown'
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down('SIGKILL')
    rmSync(this.root, { recursive: true, force: true })
  }
}
