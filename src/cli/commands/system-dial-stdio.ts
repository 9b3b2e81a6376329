import { pipeline } from 'node:stream/promises'
import { command } from '../command.ts'

/** What `ssh://` addresses and contexts run on the engine's host. */
export default command({
  usage: '',
  summary: 'Connect stdin and stdout to the engine',
  min: 0,
  max: 0,
  flags: {},
  async run(_invocation, { client, io, signal }) {
    const connection = await client.transport.connect()
    const sent = pipeline(io.stdin, connection, { signal }).catch(ignoreHangup)
    // The end of stdin closes only our side: the engine may still have something to say.
    await pipeline(connection, io.stdout, { end: false, signal }).catch(ignoreHangup)
    connection.destroy()
    io.stdin.destroy()
    await sent
  },
})

/** Either side may leave in the middle. */
function ignoreHangup(error: Error): void {
  const codes = ['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE', 'ABORT_ERR']
  if (!codes.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
}
