/** Runs inside a network namespace of network.test.ts: `serve PORT…` or `ask tcp|udp ADDRESS PORT`. */
import { createSocket } from 'node:dgram'
import { connect, createServer } from 'node:net'

const [mode, ...args] = import.meta.main ? process.argv.slice(2) : []
if (mode === 'serve') await serve(args.map(Number))
if (mode === 'ask') process.stdout.write(await ask(args[0] ?? '', args[1] ?? '', Number(args[2])))

/** Answers each connection and datagram with the port and the address that it came from. */
async function serve(ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.end(`${port} ${plain(socket.remoteAddress ?? '')}`)
    })
    await new Promise<void>((resolve) => server.listen(port, '::', resolve))
    const udp = createSocket('udp6')
    udp.on('message', (_message, from) => udp.send(`${port} ${plain(from.address)}`, from.port, from.address))
    await new Promise<void>((resolve) => udp.bind(port, '::', resolve))
  }
  process.stdout.write('ready\n')
}

/** The answer, or the error code; `silence` when nothing comes. */
export async function ask(protocol: string, address: string, port: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const timer = setTimeout(() => resolve('silence'), 700)
  try {
    if (protocol === 'tcp') {
      let text = ''
      const socket = connect(port, address)
      socket.on('data', (chunk) => (text += chunk.toString()))
      socket.on('end', () => resolve(text))
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      const answer = await promise
      socket.destroy()
      return answer
    }
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    socket.on('message', (message) => resolve(message.toString()))
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    // Connected: an answer counts only when it comes from where the question went.
    socket.connect(port, address, () => socket.send('?'))
    const answer = await promise
    socket.close()
    return answer
  } finally {
    clearTimeout(timer)
  }
}

function plain(address: string): string {
  return address.replace(/^::ffff:/, '')
}
