import type { RegistryCommand } from './command.ts'

/** Every command of `berth-registry`, by its words. A module is loaded when its command is called. */
export const commands: Readonly<Record<string, () => Promise<RegistryCommand>>> = {
  serve: async () => (await import('./serve.ts')).serveCommand,
  user: async () => (await import('./user.ts')).userCommand,
  token: async () => (await import('./token.ts')).tokenCommand,
}
