/** Registries that are measured and pulled from; each serves one empty directory on a port of 127.0.0.1. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { runProgram } from '../../run-program.ts'

const REPOSITORY = join(import.meta.dirname, '../../..')
const PATIENCE_MS = 15_000

export interface RunningRegistry extends AsyncDisposable {
  /** `127.0.0.1:5401` */
  readonly address: string
}

interface RegistryOptions {
  /** What begins every command line: the way into another network namespace. */
  readonly inside: readonly string[]
  readonly directory: string
  readonly port: number
}

/** Debian's `docker-registry`. */
export async function debianRegistry({ inside, directory, port }: RegistryOptions): Promise<RunningRegistry> {
  const config = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(directory, 'data') }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}` },
  }
  mkdirSync(directory, { recursive: true })
  const file = join(directory, 'config.yml') // JSON is YAML
  writeFileSync(file, JSON.stringify(config))
  return start([...inside, 'docker-registry', 'serve', file], { inside, directory, port })
}

/** `berth registry serve`. */
export async function berthRegistry({ inside, directory, port }: RegistryOptions): Promise<RunningRegistry> {
  mkdirSync(directory, { recursive: true })
  const address = `127.0.0.1:${port}`
  const command = [
    join(REPOSITORY, 'bin/berth'),
    'registry',
    'serve',
    '--listen',
    address,
    '--root',
    join(directory, 'data'),
  ]
  return start([...inside, ...command], { inside, directory, port })
}

async function start(
  [program = '', ...args]: readonly string[],
  { inside, directory, port }: RegistryOptions,
): Promise<RunningRegistry> {
  const log = join(directory, 'log')
  const output = openSync(log, 'a')
  const child = spawn(program, args, { stdio: ['ignore', output, output] })
  const ended = once(child, 'exit')
  const address = `127.0.0.1:${port}`
  const stop = async (): Promise<void> => {
    child.kill()
    await ended
  }
  const deadline = performance.now() + PATIENCE_MS
  while (
    (await runProgram([...inside, 'curl', '-sf', '-o', '/dev/null', `http://${address}/v2/`])).code !== 0
  ) {
    if (child.exitCode === null && performance.now() < deadline) {
      await delay(20)
      continue
    }
    await stop()
    throw new Error(`${program} does not answer:\n${readFileSync(log, 'utf8')}`)
  }
  return { address, [Symbol.asyncDispose]: stop }
}
