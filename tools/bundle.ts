/**
 * Bundles the command line, the daemon and the registry into one file each: dist/berth.cjs, dist/berthd.js and
 * dist/berth-registry.js. `node tools/bundle.ts`.
 *
 * The command line is CommonJS because it has to start fast. Importing a module of Node's own from an ES module reads
 * all of its exports, some of which load a good part of Node (`node:http` has WebSocket: 25 ms); and one file in which
 * each command is initialised when it is called is read faster than many. What V8 makes of it lies beside it.
 */
import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build, type BuildOptions, type Plugin } from 'esbuild'
import { encodeUpdate } from '#api/build-updates.ts'
import { twoStages } from '#cli/build/progress/updates.fixture.ts'
import { ScriptedEngine } from '#test/support/scripted-engine.ts'

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
/** A module of Node's own that nothing is used of is not loaded either. */
const onlyWhatIsUsed: Plugin = {
  name: 'only what is used',
  setup: (bundling) =>
    bundling.onResolve({ filter: /^node:/ }, ({ path }) => ({ path, external: true, sideEffects: false })),
}

const { outputFiles } = await build({
  ...common,
  entryPoints: { berth: 'src/bin/berth.ts' },
  format: 'cjs',
  define: { ...common.define, 'import.meta.dirname': '__dirname' },
  minify: true,
  plugins: [onlyWhatIsUsed],
  // As a script is read that comes with what was compiled of it.
  banner: { js: '(function (require, __dirname) { const module = { exports: {} };' },
  footer: { js: '})' },
  write: false,
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

await writeCommandLine(outputFiles[0]?.text ?? '')

/**
 * `berth.cjs` runs the script by its cache. V8 takes a cache for that of any script of the same length, so both have names by
 * what is in the script. One of another Node, or none, only costs time.
 */
async function writeCommandLine(script: string): Promise<void> {
  const name = `berth-${createHash('sha256').update(script).digest('hex').slice(0, 16)}`
  const path = join(root, 'dist', name)
  writeFileSync(`${path}.cjs`, script)
  await compileForStart(`${path}.cjs`, `${path}.cache`)
  writeFileSync(
    join(root, 'dist/berth.cjs'),
    `const { readFileSync } = require('node:fs')
const { Script, constants } = require('node:vm')
const filename = \`\${__dirname}/${name}.cjs\`
let cachedData
try {
  cachedData = readFileSync(\`\${__dirname}/${name}.cache\`)
} catch {}
const importModuleDynamically = constants.USE_MAIN_CONTEXT_DEFAULT_LOADER
const script = new Script(readFileSync(filename, 'utf8'), { filename, cachedData, importModuleDynamically })
script.runInThisContext()(require, __dirname)
`,
  )
}

/** By a build, which needs more of the command line than most. */
async function compileForStart(script: string, cache: string): Promise<void> {
  const context = mkdtempSync(join(tmpdir(), 'berth-bundle-'))
  try {
    writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\n')
    await using engine = await ScriptedEngine.start()
    engine.answers['GET /berth/builds/sees'] = { json: { sees: true } }
    const result = { type: 'result', id: '', names: [], artifacts: [], metadata: {} } as const
    const updates = [...twoStages.map(([, update]) => update), result]
    engine.answers['POST /build'] = { stream: updates.map(encodeUpdate) }
    const command = ['-H', engine.host, 'build', '--progress=plain', context]
    // With the flag of bin/berth: a cache is only good for the flags that it was made with.
    const made = [
      '--no-concurrent-recompilation',
      join(root, 'tools/startup-cache.ts'),
      script,
      cache,
      '--',
      ...command,
    ]
    await promisify(execFile)(process.execPath, made)
  } finally {
    rmSync(context, { recursive: true })
  }
}

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
