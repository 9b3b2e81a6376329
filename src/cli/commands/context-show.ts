import { command } from '../command.ts'

export default command({
  usage: '',
  summary: 'Print the name of the context in use',
  min: 0,
  max: 0,
  local: true,
  flags: {},
  run: (_invocation, { context, out }) => Promise.resolve(out(`${context}\n`)),
})
