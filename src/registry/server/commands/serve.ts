import { once } from 'node:events'
import { Background } from '#base/background.ts'
import { EngineError } from '#base/errors.ts'
import { jsonLogger, type LogLevel } from '#base/logger.ts'
import { defaults, readRegistryConfig } from '../config.ts'
import { openRegistry } from '../registry.ts'
import type { Invocation, ProgramCommand, ProgramIo } from './command.ts'

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

export const serve: ProgramCommand = {
  usage: '[OPTIONS]',
  summary: 'Serve a registry until it is interrupted',
  min: 0,
  max: 0,
  options: {
    listen: { type: 'string', value: 'ADDR:PORT', summary: `Where to listen (default ${defaults.listen})` },
    root: { type: 'string', value: 'DIR', summary: `Where everything is kept (default ${defaults.root})` },
    htpasswd: { type: 'string', value: 'FILE', summary: 'Accounts, with bcrypt passwords' },
    'tls-cert': { type: 'string', value: 'FILE', summary: 'Certificate (PEM); read again when it changes' },
    'tls-key': { type: 'string', value: 'FILE', summary: 'Its private key (PEM)' },
    'tls-client-ca': { type: 'string', value: 'FILE', summary: 'Clients must have a certificate of this CA' },
    'mirror-of': { type: 'string', value: 'URL', summary: 'Cache what is pulled from that registry' },
    config: { type: 'string', value: 'FILE', summary: 'Settings as JSON; options win over it' },
    'insecure-open': { type: 'boolean', summary: 'Listen beyond this host without accounts or TLS' },
    'log-level': { type: 'string', value: 'LEVEL', summary: 'debug, info, warn or error (default info)' },
  },
  more: `Then, on the same host:
  berth tag alpine 127.0.0.1:5000/alpine
  berth push 127.0.0.1:5000/alpine
`,
  async run(invocation, io) {
    const config = await readRegistryConfig({
      listen: invocation.text('listen'),
      root: invocation.text('root'),
      htpasswd: invocation.text('htpasswd'),
      tlsCert: invocation.text('tls-cert'),
      tlsKey: invocation.text('tls-key'),
      tlsClientCa: invocation.text('tls-client-ca'),
      mirrorOf: invocation.text('mirror-of'),
      insecureOpen: invocation.flag('insecure-open') || undefined,
      config: invocation.text('config'),
    })
    const logger = jsonLogger((line) => void io.stderr.write(line), levelOf(invocation))
    const background = new Background(logger)
    await using registry = await openRegistry(config, { logger })
    io.stdout.write(startText(registry.url, config.root, config.htpasswd !== undefined))
    using _hangUp = io.onHangUp(() => background.run('reading certificates again', () => registry.reload()))
    await ended(io)
    await background.idle()
    io.stdout.write('Ending: requests that are running get a moment\n')
  },
}

/** Where it listens, and what to type next. */
export function startText(url: string, root: string, hasAccounts: boolean): string {
  const address = new URL(url).host
  const login = hasAccounts ? `berth login ${address} && ` : ''
  return `Registry at ${url}, data in ${root}
Try:  ${login}berth tag IMAGE ${address}/IMAGE && berth push ${address}/IMAGE
`
}

async function ended({ signal }: ProgramIo): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}

function levelOf(invocation: Invocation): LogLevel {
  const text = invocation.text('log-level') ?? 'info'
  const level = levels.find((known) => known === text)
  if (level !== undefined) return level
  throw new EngineError('invalid_argument', `--log-level is one of ${levels.join(', ')}`, {
    code: 'CONFIG_INVALID',
  })
}
