import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestDaemon } from './daemon.ts'

/** A wire: a link of the daemon's host, and a machine at its other end, in a network namespace of its own. */
export class Wire implements AsyncDisposable {
  readonly #daemon: TestDaemon
  readonly #process: ChildProcess
  readonly #link: string

  private constructor(daemon: TestDaemon, child: ChildProcess, link: string) {
    this.#daemon = daemon
    this.#process = child
    this.#link = link
  }

  /** `there`: addresses of the machine, with prefix length; its interface is `eth0`. */
  static async lay(daemon: TestDaemon, link: string, ...there: readonly string[]): Promise<Wire> {
    const child = spawn('unshare', ['--net', 'sh', '-c', 'echo; exec sleep 600'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    const wire = new Wire(daemon, child, link)
    const peer = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', String(child.pid)]
    wire.#onHost('ip', 'link', 'add', link, ...peer)
    wire.#onHost('ip', 'link', 'set', link, 'up')
    for (const address of there) wire.run('ip', 'addr', 'add', address, 'dev', 'eth0', 'nodad')
    wire.run('ip', 'link', 'set', 'eth0', 'up')
    return wire
  }

  /** What a program says there. */
  run(...argv: string[]): string {
    return this.#daemon.inside('nsenter', '-t', String(this.#process.pid), '-n', ...argv).stdout
  }

  /** What a web server answers there; empty when nobody does in a second. */
  get(address: string, port = 80): string {
    const host = address.includes(':') ? `[${address}]` : address
    return this.run('curl', '-g', '-s', '-m', '1', `http://${host}:${port}/`).trim()
  }

  /** Address of whoever connects to that port of the machine first. */
  async hears(port: number): Promise<string> {
    const program = `require('node:net').createServer((s) => { console.log(s.remoteAddress); process.exit() }).listen(${port}, '0.0.0.0', () => console.log('listening'))`
    const argv = [`--net=/proc/${this.#process.pid}/ns/net`, process.execPath, '-e', program]
    const child = spawn('nsenter', argv, { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    for await (const chunk of child.stdout) text += String(chunk)
    return text.replace('listening', '').trim()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#daemon.inside('ip', 'link', 'delete', this.#link)
    this.#process.kill('SIGKILL')
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      await once(this.#process, 'exit')
    }
  }

  #onHost(...argv: string[]): void {
    const { code, stderr } = this.#daemon.inside(...argv)
    assert.equal(code, 0, `${argv.join(' ')}: ${stderr}`)
  }
}
