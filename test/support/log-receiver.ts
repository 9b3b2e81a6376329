/** Programs that logs are sent to. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { createReadStream } from 'node:fs'
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { json } from 'node:stream/consumers'
import { machineDirectory } from './machine-directory.ts'

/** What has arrived, and waiting for it. */
class Received {
  text = ''
  #changed = Promise.withResolvers<void>()

  add(text: string): void {
    this.text += text
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.text)) await this.#changed.promise
    return this.text
  }
}

/** A syslog server on a unix socket for streams. */
export class StreamReceiver extends Received implements AsyncDisposable {
  readonly #path: string
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(path: string) {
    super()
    this.#path = path
    this.#server = createServer((socket) => {
      this.#sockets.add(socket)
      socket.on('data', (chunk) => this.add(chunk.toString()))
      socket.once('close', () => this.#sockets.delete(socket))
    })
  }

  static async start(path: string): Promise<StreamReceiver> {
    const receiver = new StreamReceiver(path)
    receiver.#server.listen(path)
    await once(receiver.#server, 'listening')
    return receiver
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
    rmSync(this.#path, { force: true })
  }
}

const RECEIVE = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('ready', flush=True)
while True:
    sys.stdout.buffer.write(s.recv(1 << 20) + b'\\n--\\n')
    sys.stdout.flush()
`

/** A unix socket for datagrams, as syslog and the journal have; Node cannot be one. */
export class DatagramReceiver extends Received implements AsyncDisposable {
  readonly #child: ChildProcess

  private constructor(path: string) {
    super()
    this.#child = spawn('python3', ['-c', RECEIVE, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child.stdout?.on('data', (chunk: Buffer) => this.add(chunk.toString()))
  }

  static async start(path: string): Promise<DatagramReceiver> {
    const receiver = new DatagramReceiver(path)
    await receiver.until(/ready/)
    return receiver
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = once(this.#child, 'close')
    this.#child.kill('SIGKILL')
    await gone
  }
}

/** A log plugin as Docker describes them; messages are kept as they are. */
export class LogPluginServer extends Received implements AsyncDisposable {
  readonly calls: { readonly method: string; readonly body: Record<string, unknown> }[] = []
  readonly #server: HttpServer
  readonly #parent: Disposable

  private constructor(parent: Disposable) {
    super()
    this.#parent = parent
    this.#server = createHttpServer((request, response) => {
      void json(request).then((body) => {
        const method = (request.url ?? '').slice(1)
        this.calls.push({ method, body: body as Record<string, unknown> })
        if (method === 'LogDriver.StartLogging') {
          createReadStream((body as { File: string }).File).on('data', (chunk) => this.add(chunk.toString()))
        }
        response.writeHead(200).end(JSON.stringify({ Err: '' }))
        this.add(`[${method}]`)
      })
    })
  }

  static async start(socket: string): Promise<LogPluginServer> {
    const plugin = new LogPluginServer(machineDirectory(dirname(socket)))
    plugin.#server.listen(socket)
    await once(plugin.#server, 'listening')
    return plugin
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    await once(this.#server, 'close')
    this.#parent[Symbol.dispose]()
  }
}
