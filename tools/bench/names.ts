/**
 * Look-ups that the resolver of containers answers from its table: per second and each, without the rest of the engine.
 * Needs root; runs in a network namespace of its own.
 *
 *     node_modules/node/bin/node tools/bench/names.ts
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { newId } from '#base/ids.ts'
import { resolverOf } from '#network/names/names.suite.ts'
import { NamesWorld } from '#test/support/names-world.ts'

const SOURCE = join(import.meta.dirname, '../../native/tests/dns-bench.c')

if (process.env['BERTH_BENCH_NETNS'] === undefined) {
  const script = 'ip link set lo up; exec "$@"'
  const { status } = spawnSync(
    'unshare',
    ['--net', 'sh', '-c', script, 'sh', process.execPath, import.meta.filename],
    { stdio: 'inherit', env: { ...process.env, BERTH_BENCH_NETNS: '1' } },
  )
  process.exitCode = status ?? 1
} else {
  await measure()
}

async function measure(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'berth-bench-names-'))
  const program = join(directory, 'dns-bench')
  spawnSync('gcc', ['-O2', '-o', program, SOURCE], { stdio: 'inherit' })
  await using world = await NamesWorld.open()
  const container = await world.container()
  // One of 600 names, as in a network of 200 containers.
  const names = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`web-${i}`, ['10.1.0.2']]))
  await world.names.attach(newId(), { pid: container.pid }, resolverOf(names))
  process.stdout.write(`one after the other: ${await container.run(program, 'web-300', '3', '1')}`)
  process.stdout.write(`64 at a time:        ${await container.run(program, 'web-300', '3', '64')}`)
  rmSync(directory, { recursive: true })
}
