import type { ProgramCommand } from './command.ts'

/** Every command of `berth-registry`, by its words. A module is loaded when its command is called. */
export const commands: Readonly<Record<string, () => Promise<ProgramCommand>>> = {
  serve: async () => (await import('./serve.ts')).serve,
}
