import { bool, list, string, type Values } from './flags.ts'

/** The flags before the command. */
export const globalFlags = {
  config: string('Directory of the client configuration', { shown: '"~/.docker"' }),
  context: string('Context to use; wins over BERTH_HOST and DOCKER_HOST', { short: 'c' }),
  debug: bool('Show where errors come from', { short: 'D' }),
  host: list('Address of the daemon', { short: 'H', shown: 'unix:///run/berth/berth.sock' }),
  'log-level': string('debug, info, warn, error or fatal', { short: 'l', initial: 'info' }),
  tls: bool('Use TLS'),
  tlscacert: string('Trust only certificates of this authority'),
  tlscert: string('Certificate of the client'),
  tlskey: string('Key of the client'),
  tlsverify: bool('Use TLS and verify the daemon'),
  version: bool('Print the version and leave', { short: 'v' }),
} as const

export type Globals = Values<typeof globalFlags>
