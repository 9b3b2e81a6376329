/** Everything of the resolver that looks at bytes of others, under the sanitizers: native/tests/dns-fuzz.c. */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { it } from 'node:test'
import { runProcess } from '#os/process.ts'

const NATIVE = join(import.meta.dirname, '../../native')

it('the resolver takes any message, table and resolv.conf without a false step', async () => {
  const built = await runProcess(['make', '-s', '-C', NATIVE, 'build/sanitize/dns-fuzz'])
  assert.equal(built.code, 0, built.stderr)
  const seed = randomInt(1, 2 ** 40)
  const { code, stdout, stderr } = await runProcess([
    join(NATIVE, 'build/sanitize/dns-fuzz'),
    '300000',
    String(seed),
  ])
  assert.equal(code, 0, `seed ${seed}: ${stderr}`)
  assert.ok(Number(stdout) > 30_000, stdout)
})
