/** The table on a machine without names of protocols: a small Debian has no /etc/protocols. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { it } from 'node:test'
import { fullTransaction } from '#network/nft-table.ts'

const inNamespace = (script: string, input: string): ReturnType<typeof spawnSync> =>
  spawnSync('unshare', ['--mount', '--net', 'sh', '-c', `mount --bind /dev/null /etc/protocols; ${script}`], {
    input,
    encoding: 'utf8',
  })

for (const closed of [false, true]) {
  it(`is taken and listed where protocols have no names (${closed ? 'closed' : 'open'})`, () => {
    const table = fullTransaction({ table: 'names', closed, respect: false }, new Map())
    const { status, stdout, stderr } = inNamespace('nft -f - && nft -j list table inet names', table)
    assert.equal(status, 0, String(stderr))
    assert.match(String(stdout), /"chain"/)
  })
}
