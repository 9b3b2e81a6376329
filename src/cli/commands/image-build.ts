import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { buildFlags } from '../build/flags.ts'
import { runBuild } from '../build/run-build.ts'
import { command } from '../command.ts'
import { argumentsError } from '../errors.ts'

export default command({
  usage: '[OPTIONS] PATH | URL | -\n        berth build why [BUILD]',
  summary: 'Make an image from a Dockerfile',
  min: 0,
  completes: 'files',
  keepsRequests: true,
  flags: buildFlags,
  async run({ args, flags }, context) {
    const [path = '', build] = args
    const { cwd } = context.io
    // The word means the directory, where there is one.
    if (
      path === 'why' &&
      args.length <= 2 &&
      statSync(resolve(cwd, path), { throwIfNoEntry: false }) === undefined
    ) {
      const { showWhy } = await import('../build/why.ts')
      return showWhy(build, context)
    }
    if (args.length !== 1) throw argumentsError(`berth: 'berth ${context.name}' requires 1 argument`)
    return runBuild(path, flags, context)
  },
})
