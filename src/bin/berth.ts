import { spawnSync } from 'node:child_process'
import { homedir } from 'node:os'
import type { Io } from '#cli/io.ts'
import { main } from '#cli/main.ts'

const io: Io = {
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
  rawTerminal() {
    process.stdin.setRawMode(true)
    // Node leaves output processing on, which would turn the line feeds of full-screen programs into new lines.
    spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] })
    // Puts back everything that was there before, output processing too; Node also does so when the process ends.
    return { [Symbol.dispose]: () => void process.stdin.setRawMode(false) }
  },
  exit: (code) => process.exit(code),
}

// `berth … | head`: nobody reads on, which is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

const code = await main(process.argv.slice(2), io)
// Not only the exit code: a terminal on stdin would keep the process alive.
process.exit(code)
