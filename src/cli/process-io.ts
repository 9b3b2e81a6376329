import { homedir } from 'node:os'
import type { Io } from './io.ts'

/** The calling process itself. */
export function processIo(): Io {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    home: homedir(),
    uid: process.getuid?.() ?? -1,
    now: Date.now,
    onSignal(names, listener) {
      for (const name of names) process.on(name, listener)
      return {
        [Symbol.dispose]: () => {
          for (const name of names) process.off(name, listener)
        },
      }
    },
    rawTerminal,
    exit: (code) => process.exit(code),
  }
}

async function rawTerminal(): Promise<Disposable> {
  const { spawnSync } = await import('node:child_process')
  process.stdin.setRawMode(true)
  // Node leaves output processing on, which would turn the line feeds of full-screen programs into new lines.
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] })
  // Puts back everything that was there before, output processing too; Node also does so when the process ends.
  return { [Symbol.dispose]: () => void process.stdin.setRawMode(false) }
}
