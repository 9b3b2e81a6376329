import { closeSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { EngineError } from '#base/errors.ts'
import { main } from '#registry/server/program.ts'

const ended = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    // Whoever asks twice does not want to wait.
    if (ended.signal.aborted) process.exit(130)
    ended.abort()
  })
}

process.exitCode = await main(process.argv.slice(2), {
  stdin: process.stdin,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  secret: (prompt) => readSecret(prompt),
  signal: ended.signal,
  onHangUp(listener) {
    const heard = (): void => (terminalIsGone() ? ended.abort() : listener())
    process.on('SIGHUP', heard)
    return { [Symbol.dispose]: () => void process.off('SIGHUP', heard) }
  },
})

/** SIGHUP is sent by an administrator, and by the terminal we were started in when it is closed. */
function terminalIsGone(): boolean {
  if (!process.stdin.isTTY) return false
  try {
    closeSync(openSync('/dev/tty', 'r'))
    return false
  } catch {
    return true // there is no other reason why it could not be opened
  }
}

/** One line from the terminal, which shows nothing of it. */
async function readSecret(prompt: string): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true })
  process.stderr.write(prompt)
  try {
    return await lines.question('', { signal: ended.signal })
  } catch (cause) {
    // Ctrl-C: a terminal that is read key by key sends it as one.
    ended.abort()
    throw new EngineError('cancelled', 'interrupted', { code: 'PROMPT_INTERRUPTED', cause })
  } finally {
    lines.close()
    process.stderr.write('\n')
  }
}
