/** Every example runs, on a real engine, and leaves nothing. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { it } from 'node:test'
import { PrivateEngine } from '../../tools/private-engine.ts'

const REPOSITORY = join(import.meta.dirname, '../..')

it('examples/run-once.ts passes output and exit code on when the command ends', async () => {
  const images = spawnSync(join(REPOSITORY, 'tools/make-images'), [join(REPOSITORY, '.cache/images')])
  assert.equal(images.status, 0, String(images.stderr))
  await using engine = await PrivateEngine.start('examples')
  await engine.berth('import', join(REPOSITORY, '.cache/images/busybox.tar'), 'busybox')

  const example = join(REPOSITORY, 'examples/run-once.ts')
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [example, 'busybox', 'sh', '-c', 'echo out; echo err >&2; exit 3'],
    { encoding: 'utf8', env: { ...process.env, BERTH_HOST: engine.host } },
  )
  assert.deepEqual([status, stdout, stderr], [3, 'out\n', 'err\n'])
  assert.equal(await engine.berth('ps', '--all', '--quiet'), '')
})
