import { homedir } from 'node:os'
import { commandError } from './errors.ts'
import type { Io } from './io.ts'

const SYSTEM_PLUGINS = [
  '/usr/local/lib/docker/cli-plugins',
  '/usr/local/libexec/docker/cli-plugins',
  '/usr/lib/docker/cli-plugins',
  '/usr/libexec/docker/cli-plugins',
]

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
    systemPlugins: SYSTEM_PLUGINS,
    program: process.argv[1] ?? 'berth',
    become,
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

function become(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): never {
  const defined = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined))
  process.execve?.(program, [program, ...args], defined)
  throw commandError('this Node cannot start another program in its place')
}
