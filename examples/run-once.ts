/**
 * The client library at work: runs a command in a new container, passes its output on, ends with its exit code, and leaves
 * nothing.
 *
 *     node_modules/node/bin/node examples/run-once.ts busybox sh -c 'echo hello; exit 3'
 */
import { Client } from '#client/client.ts'
import { parseEndpoint } from '#client/endpoint.ts'
import { demultiplex } from '#client/stdcopy.ts'

const [image = 'busybox', ...command] = process.argv.slice(2)
using client = new Client({
  endpoint: parseEndpoint(process.env['BERTH_HOST'] ?? 'unix:///run/berth/berth.sock'),
})

const { Id } = await client.containers.create({ Image: image, Cmd: command })
// Fields of Docker's documents may be missing; this one never is.
const id = Id ?? ''
try {
  // Attached and waited for before the start, so that nothing is missed however short the command is.
  const { stream } = await client.containerStreams.attach(id, { stdin: false, stdout: true, stderr: true })
  const { result } = await client.containers.wait(id, 'next-exit')
  await client.containers.start(id)
  for await (const { stream: name, data } of demultiplex(stream)) process[name].write(data)
  process.exitCode = (await result).StatusCode
} finally {
  await client.containers.remove(id, { force: true, volumes: true })
}
