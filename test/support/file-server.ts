import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { TestDaemon } from './daemon.ts'

const BUSYBOX = '/bin/busybox'
const PORT = 8099

/** Serves a directory by HTTP on the loopback of a test daemon's network, at `url`: for it and whoever is in there too. */
export class FileServer implements AsyncDisposable {
  readonly url: string = `http://127.0.0.1:${PORT}`
  readonly #process: ChildProcess

  private constructor(server: ChildProcess) {
    this.#process = server
  }

  static async start(daemon: TestDaemon, directory: string): Promise<FileServer> {
    const httpd = [BUSYBOX, 'httpd', '-f', '-p', `127.0.0.1:${PORT}`, '-h', directory]
    const child = spawn('nsenter', [`--net=/run/netns/${daemon.marks.netns}`, ...httpd], { stdio: 'ignore' })
    await using server = new AsyncDisposableStack()
    const started = server.use(new FileServer(child))
    for (
      let tries = 0;
      daemon.inside(BUSYBOX, 'wget', '-q', '-O', '/dev/null', `${started.url}/ready`).code !== 0;
      tries++
    ) {
      if (tries > 100 || child.exitCode !== null) throw new Error(`${BUSYBOX} httpd does not answer`)
      await delay(50)
    }
    server.move()
    return started
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return
    const ended = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await ended
  }
}
