import { bool, integer, list, string, type Values } from '../flags.ts'

/** Between `compose` and the name of the subcommand. */
export const composeFlags = {
  'all-resources': bool('Keep resources that no service uses'),
  ansi: string('When to use colours and cursor movements: never, always or auto', { initial: 'auto' }),
  compatibility: bool('Not supported', { hidden: true }),
  'dry-run': bool('Show what would be done, and do nothing'),
  'env-file': list('File of variables instead of .env'),
  file: list('Project file', { short: 'f' }),
  parallel: integer('How much is done at the same time; -1 for no limit', { shown: '-1' }),
  profile: list('Enable services of this profile'),
  progress: string('How to show progress: auto, tty, plain, json or quiet', { initial: 'auto' }),
  'project-directory': string('Directory that relative paths begin in; default: that of the first file'),
  'project-name': string('Name of the project', { short: 'p' }),
} as const

export type ComposeFlags = Values<typeof composeFlags>
