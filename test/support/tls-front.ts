/** TLS in front of a registry that has none, on addresses of the test's network that look public. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { pipeline } from 'node:stream'
import { NODE, type TestDaemon } from './daemon.ts'
import type { TestCertificate } from './test-authority.ts'

export interface Front {
  readonly address: string
  /** Undefined: whoever connects waits for ever. */
  readonly certificate?: TestCertificate | undefined
}

interface Setup {
  readonly fronts: readonly Front[]
  /** Of the registry on loopback. */
  readonly port: number
}

/** They listen on port 5000. */
export class TlsFronts implements AsyncDisposable {
  readonly #process: ChildProcess

  private constructor(process: ChildProcess) {
    this.#process = process
  }

  static async open(daemon: TestDaemon, setup: Setup): Promise<TlsFronts> {
    for (const { address } of setup.fronts) {
      const { code, stderr } = daemon.inside('ip', 'address', 'add', `${address}/32`, 'dev', 'lo')
      if (code !== 0) throw new Error(stderr)
    }
    const child = spawn(
      'nsenter',
      [`--net=/run/netns/${daemon.marks.netns}`, NODE, import.meta.filename, JSON.stringify(setup)],
      { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
    )
    await once(child, 'message', { signal: AbortSignal.timeout(20_000) })
    return new TlsFronts(child)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, 'exit')
    this.#process.disconnect()
    await ended
  }
}

if (import.meta.main) {
  const { fronts, port } = JSON.parse(process.argv[2] ?? '{}') as Setup
  for (const { address, certificate } of fronts) {
    const server =
      certificate === undefined
        ? createServer((socket) => socket.on('error', () => undefined))
        : createTlsServer(certificate, (socket) => {
            const back = connect(port, '127.0.0.1')
            // Either end may go first; the other one is closed with it.
            pipeline(socket, back, socket, () => undefined)
          }).on('tlsClientError', (_error, socket) => socket.destroy())
    server.listen(5000, address)
    await once(server, 'listening')
  }
  process.on('disconnect', () => process.exit())
  process.send?.('listening')
}
