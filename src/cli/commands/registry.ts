import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { command } from '../command.ts'
import { commandError } from '../errors.ts'
import type { Io } from '../io.ts'

/** Becomes the registry's own program: signals, output and exit code are that one's. */
export default command({
  usage: 'COMMAND [OPTIONS]',
  summary: 'A registry of your own; without COMMAND, what it can do',
  min: 0,
  interspersed: false,
  flags: {},
  async run({ args }, { io }) {
    const program = registryProgram(io.env)
    return Promise.resolve(io.become(program, args, io.env))
  },
})

function registryProgram(env: Io['env']): string {
  const candidates = [
    env['BERTH_REGISTRY'] ?? '',
    join(import.meta.dirname, '../bin/berth-registry'),
    join(import.meta.dirname, '../../../bin/berth-registry'),
    '/usr/bin/berth-registry',
  ]
  const program = candidates.find((path) => path !== '' && existsSync(path))
  if (program === undefined) {
    throw commandError('there is no berth-registry beside this program; set BERTH_REGISTRY to its path')
  }
  return program
}
