/**
 * Bundles the command line, the daemon and the registry into one file each: dist/berth.cjs, dist/berthd.js and
 * dist/berth-registry.js. `node tools/bundle.ts`.
 *
 * The command line is CommonJS because it has to start fast. Importing a module of Node's own from an ES module reads
 * all of its exports, some of which load a good part of Node (`node:http` has WebSocket: 25 ms); and one file in which
 * each command is initialised when it is called is read faster than many.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { build, type BuildOptions } from 'esbuild'

const root = join(import.meta.dirname, '..')
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }

const common: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node26',
  format: 'esm',
  outdir: 'dist',
  legalComments: 'none',
  define: {
    BERTH_VERSION: JSON.stringify(version),
    BERTH_COMMIT: JSON.stringify(git('rev-parse', '--short', 'HEAD')),
    BERTH_BUILT: JSON.stringify(new Date().toISOString()),
  },
}

rmSync(join(root, 'dist'), { recursive: true, force: true })
await build({
  ...common,
  entryPoints: { berth: 'src/bin/berth.ts' },
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  define: { ...common.define, 'import.meta.dirname': '__dirname' },
  minify: true,
})
await build({
  ...common,
  entryPoints: {
    berthd: 'src/bin/berthd.ts',
    'berth-registry': 'src/bin/berth-registry.ts',
    'layer-thread': 'src/store/snapshots/layer-thread-start.ts',
    'compress-thread': 'src/engine/push/compress-thread-start.ts',
    'bcrypt-thread': 'src/registry/server/access/bcrypt-thread.ts',
  },
  sourcemap: true,
  // The few CommonJS packages inside call require() for Node's own modules.
  banner: {
    js: `import { createRequire as berthRequire } from 'node:module'; const require = berthRequire(import.meta.url);`,
  },
})

/** The output of git, or nothing outside of a checkout. */
function git(...args: string[]): string {
  try {
    return execFileSync('git', args, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return '' // an unpacked archive has no history
  }
}
