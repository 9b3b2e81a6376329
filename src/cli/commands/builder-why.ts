import { showWhy } from '../build/why.ts'
import { command } from '../command.ts'

export default command({
  usage: '[BUILD]',
  summary: 'Say why the steps of the last build were done again',
  min: 0,
  max: 1,
  completes: 'none',
  flags: {},
  run: ({ args: [build] }, context) => showWhy(build, context),
})
