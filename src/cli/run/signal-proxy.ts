import type { Context } from '../command.ts'
import type { SignalName } from '../io.ts'
import { isKind } from '#base/errors.ts'
import { errorText } from '../errors.ts'

const proxied: readonly SignalName[] = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGCONT',
]

/** Passes the signals that this process gets on to a container, until disposed. */
export function proxySignals(container: string, { io, client }: Context): Disposable {
  return io.onSignal(proxied, (name) => {
    client.containers.kill(container, name.replace(/^SIG/, '')).catch((error: unknown) => {
      // It may not run yet, or no more.
      if (!isKind(error, 'conflict') && !isKind(error, 'not_found')) io.stderr.write(`${errorText(error)}\n`)
    })
  })
}
