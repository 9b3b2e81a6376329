import type { RegistryCommand } from './command.ts'

/** Every command of `berth-registry`, by its words. A module is loaded when its command is called. */
export const commands: Readonly<Record<string, () => Promise<RegistryCommand>>> = {
  serve: async () => (await import('./serve.ts')).serveCommand,
  gc: async () => (await import('./gc.ts')).gcCommand,
  'user add': async () => (await import('./user.ts')).userAdd,
  'user passwd': async () => (await import('./user.ts')).userPasswd,
  'user rm': async () => (await import('./user.ts')).userRm,
  'user ls': async () => (await import('./user.ts')).userLs,
  'token create': async () => (await import('./token.ts')).tokenCreate,
  'token rm': async () => (await import('./token.ts')).tokenRm,
  'token ls': async () => (await import('./token.ts')).tokenLs,
}
