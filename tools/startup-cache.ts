/**
 * What V8 has compiled of the command line by the end of one command, for the next start to begin with:
 * `node tools/startup-cache.ts SCRIPT FILE -- ARGUMENTS` runs SCRIPT as `dist/berth.cjs` does, and writes FILE.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { constants, Script } from 'node:vm'

const [script = '', file = '', , ...args] = process.argv.slice(2)
const compiled = new Script(readFileSync(script, 'utf8'), {
  filename: script,
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
})
process.on('exit', () => writeFileSync(file, compiled.createCachedData()))
process.argv = [process.execPath, script, ...args]
const run = compiled.runInThisContext() as (require: NodeJS.Require, directory: string) => void
run(createRequire(script), dirname(script))
