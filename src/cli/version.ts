/** Filled in by the bundler; a checkout has no commit and no date of its own. */
declare const BERTH_VERSION: string | undefined
declare const BERTH_COMMIT: string | undefined
declare const BERTH_BUILT: string | undefined

export const clientVersion = {
  version: typeof BERTH_VERSION === 'string' ? BERTH_VERSION : '0.1.0',
  gitCommit: typeof BERTH_COMMIT === 'string' ? BERTH_COMMIT : 'source',
  built: typeof BERTH_BUILT === 'string' ? BERTH_BUILT : '',
} as const
