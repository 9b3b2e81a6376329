import { readConfig, usage } from '#daemon/config.ts'
import { runDaemon } from '#daemon/daemon.ts'
import { version } from '#daemon/version.ts'
import { engineErrorOf, messageOf } from '#base/errors.ts'

const ended = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => ended.abort())

try {
  const line = readConfig(process.argv.slice(2))
  if (line.help) process.stdout.write(usage)
  else if (line.version) process.stdout.write(`berthd version ${version}\n`)
  else await runDaemon(line.config, ended.signal)
} catch (error) {
  process.stderr.write(`berthd: ${messageOf(error)}\n`)
  if (engineErrorOf(error) === undefined && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  process.exitCode = 1
}
