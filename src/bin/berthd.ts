import { EventEmitter } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { engineErrorOf, messageOf } from '#base/errors.ts'
import { readConfig } from '#daemon/config.ts'
import { runDaemon } from '#daemon/daemon.ts'
import { checkListeners } from '#daemon/listeners.ts'
import { LiveConfig } from '#daemon/reloading.ts'
import { usage } from '#daemon/usage.ts'
import { version } from '#daemon/version.ts'

// Filters are regular expressions of the client's: one that would take for ever is evaluated without backtracking.
setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks')

const ended = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => ended.abort())
const reloads = new EventEmitter()
process.on('SIGHUP', () => reloads.emit('reload'))

function onReload(listener: () => void): Disposable {
  reloads.on('reload', listener)
  return { [Symbol.dispose]: () => void reloads.off('reload', listener) }
}

async function main(argv: readonly string[]): Promise<void> {
  const line = readConfig(argv)
  if (line.help) {
    process.stdout.write(usage)
  } else if (line.version) {
    process.stdout.write(`berthd version ${version}\n`)
  } else if (line.validate) {
    await checkListeners(line.config.door)
    process.stdout.write('configuration OK\n')
  } else {
    const live = new LiveConfig(line.config, () => readConfig(argv).config)
    await runDaemon(live, { ended: ended.signal, onReload })
  }
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`berthd: ${messageOf(error)}\n`)
  if (engineErrorOf(error) === undefined && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  process.exitCode = 1
}
