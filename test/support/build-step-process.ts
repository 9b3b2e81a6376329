/**
 * A process that runs steps of a build until it is killed: `build-step-process.ts MARKS COUNT`. Says `open` when it is
 * about to begin, and `up` once for each that has begun.
 */
import { BuildSteps } from './build-steps.ts'
import type { Marks } from './leak-check.ts'

const [marks = '', count = '1'] = process.argv.slice(2)
const world = await BuildSteps.open(JSON.parse(marks) as Marks)
process.stdout.write('open\n')
const mounts = [
  {
    type: 'cache',
    id: 'kept',
    target: '/cache',
    sharing: 'shared',
    from: undefined,
    source: '/',
    readOnly: false,
    mode: 0o755,
    uid: 0,
    gid: 0,
  },
  { type: 'secret', id: 's', target: '/s', env: undefined, required: true, mode: 0o400, uid: 0, gid: 0 },
  { type: 'ssh', id: 'a', target: '/a', required: true, mode: 0o600, uid: 0, gid: 0 },
  { type: 'bind', from: { kind: 'run' }, source: '/', target: '/b', readOnly: false },
] as never
await Promise.all(
  Array.from({ length: Number(count) }, async (_, i) => {
    await using files = await world.files([world.busybox])
    const network = i % 2 === 0 ? 'default' : 'none'
    await world.run(
      { args: 'echo x > /written; echo up; (sleep 1000; sleep 1000) & wait', mounts, network },
      {
        sources: { run: files },
        secrets: { s: 'value' },
        agents: { a: '/none' },
        onOutput: () => process.stdout.write('up\n'),
      },
    )
  }),
)
