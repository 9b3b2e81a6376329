import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { parseTop } from './top.ts'

const ok = (stdout: string) => ({ code: 0, stdout, stderr: '' })

describe('parseTop()', () => {
  it("keeps the container's processes and the spaces of the command", () => {
    const top = parseTop(ok('UID   PID CMD\nroot    1 init\nroot   42 sh -c sleep 1\n'), [42])
    assert.deepEqual(top, { Titles: ['UID', 'PID', 'CMD'], Processes: [['root', '42', 'sh -c sleep 1']] })
  })

  it('refuses output without a PID column', () => {
    assert.throws(
      () => parseTop(ok('UID CMD\nroot x\n'), []),
      (error) => isKind(error, 'invalid_argument'),
    )
  })
})
