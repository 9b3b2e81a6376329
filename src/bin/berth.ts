import { main } from '#cli/main.ts'
import { processIo } from '#cli/process-io.ts'

// `berth … | head`: nobody reads on, which is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
// What is said to nobody changes nothing about how a command ends.
process.stderr.on('error', () => undefined)

// Not top-level await: the bundle is CommonJS.
void main(process.argv.slice(2), processIo()).then(async (code) => {
  await Promise.all([written(process.stdout), written(process.stderr)])
  // Not only the exit code: a terminal on stdin would keep the process alive.
  process.exit(code)
})

/** What a slow reader of a pipe has not taken yet would be lost with the process. */
async function written(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.writableLength === 0 || stream.destroyed) return
  await new Promise<void>((resolve) => {
    stream.write('', () => resolve())
  })
}
