import { once } from 'node:events'
import { Background } from '#base/background.ts'
import { EngineError } from '#base/errors.ts'
import { jsonLogger, type LogLevel } from '#base/logger.ts'
import { defaults, readRegistryConfig } from '../config.ts'
import { openRegistry } from '../registry.ts'
import { type CommandInvocation, type CommandIo, type RegistryCommand, textOf } from './command.ts'

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

export const serveCommand: RegistryCommand = {
  usage: '[OPTIONS]',
  summary: 'Serve a registry until it is interrupted',
  min: 0,
  max: 0,
  options: {
    listen: { kind: 'text', value: 'ADDR:PORT', help: `Where to listen (default ${defaults.listen})` },
    root: { kind: 'text', value: 'DIR', help: `Where everything is kept (default ${defaults.root})` },
    htpasswd: { kind: 'text', value: 'FILE', help: 'Accounts, with bcrypt passwords' },
    'tls-cert': { kind: 'text', value: 'FILE', help: 'Certificate (PEM); read again when it changes' },
    'tls-key': { kind: 'text', value: 'FILE', help: 'Its private key (PEM)' },
    'tls-client-ca': { kind: 'text', value: 'FILE', help: 'Clients must have a certificate of this CA' },
    'mirror-of': { kind: 'text', value: 'URL', help: 'Cache what is pulled from that registry' },
    config: { kind: 'text', value: 'FILE', help: 'Settings as JSON; options win over it' },
    'insecure-open': { kind: 'switch', help: 'Listen beyond this host without accounts or TLS' },
    'log-level': { kind: 'text', value: 'LEVEL', help: 'debug, info, warn or error (default info)' },
  },
  more: `Then, on the same host:
  berth tag alpine 127.0.0.1:5000/alpine
  berth push 127.0.0.1:5000/alpine
`,
  async run(invocation, io) {
    const config = await readRegistryConfig({
      listen: textOf(invocation, 'listen'),
      root: textOf(invocation, 'root'),
      htpasswd: textOf(invocation, 'htpasswd'),
      tlsCert: textOf(invocation, 'tls-cert'),
      tlsKey: textOf(invocation, 'tls-key'),
      tlsClientCa: textOf(invocation, 'tls-client-ca'),
      mirrorOf: textOf(invocation, 'mirror-of'),
      insecureOpen: invocation.options['insecure-open'] === true ? true : undefined,
      config: textOf(invocation, 'config'),
    })
    const logger = jsonLogger((line) => io.err(line), levelOf(invocation))
    const background = new Background(logger)
    await using registry = await openRegistry(config, { logger })
    io.out(startText(registry.url, config.root, config.htpasswd !== undefined))
    using _hangUp = io.onHangUp(() => background.run('reading certificates again', () => registry.reload()))
    await ended(io)
    await background.idle()
    io.out('Ending: requests that are running get a moment\n')
  },
}

/** Where it listens, and what to type next. */
export function startText(url: string, root: string, hasAccounts: boolean): string {
  // Who listens everywhere is reached here, too.
  const address = new URL(url).host.replace(/^(?:\[::\]|0\.0\.0\.0)/, '127.0.0.1')
  const login = hasAccounts ? `berth login ${address} && ` : ''
  return `Registry at ${url}, data in ${root}
Try:  ${login}berth tag IMAGE ${address}/IMAGE && berth push ${address}/IMAGE
`
}

async function ended({ signal }: CommandIo): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}

function levelOf(invocation: CommandInvocation): LogLevel {
  const text = textOf(invocation, 'log-level') ?? 'info'
  const level = levels.find((known) => known === text)
  if (level !== undefined) return level
  throw new EngineError('invalid_argument', `--log-level is one of ${levels.join(', ')}`, {
    code: 'CONFIG_INVALID',
  })
}
