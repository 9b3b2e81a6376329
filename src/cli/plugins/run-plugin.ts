import { addressOf } from '#client/endpoint.ts'
import type { ConnectionFlags, ContextInUse, Target } from '../connection.ts'
import type { Io } from '../io.ts'
import type { Plugin } from './plugins.ts'

interface Call {
  readonly plugin: Plugin
  /** After the plugin's name. */
  readonly args: readonly string[]
  readonly globals: ConnectionFlags & { readonly config: string; readonly debug: boolean }
  readonly inUse: ContextInUse
  readonly target: Target
  readonly io: Io
}

/** Becomes the plugin, which is told to talk to the engine that berth would have talked to. */
export function runPlugin({ plugin, args, globals, inUse, target, io }: Call): never {
  const { DOCKER_HOST: _host, DOCKER_CONTEXT: _context, ...env } = io.env
  const where =
    inUse.name === 'default' ? { DOCKER_HOST: addressOf(target.endpoint) } : { DOCKER_CONTEXT: inUse.name }
  const told = {
    ...env,
    ...where,
    ...(globals.config === '' ? {} : { DOCKER_CONFIG: globals.config }),
    DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND: io.program,
  }
  return io.become(plugin.path, [...globalArguments(globals), plugin.name, ...args], told)
}

/** The flags before the command that no variable stands for. */
function globalArguments(globals: Call['globals']): string[] {
  const texts = (['tlscacert', 'tlscert', 'tlskey'] as const).flatMap((name) =>
    globals[name] === '' ? [] : [`--${name}=${globals[name]}`],
  )
  const switches = (['debug', 'tls', 'tlsverify'] as const).flatMap((name) =>
    globals[name] ? [`--${name}`] : [],
  )
  return [...switches, ...texts]
}
