import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { goMode, permissionsOfMode, typeOfMode } from './go-mode.ts'

describe('modes as Go has them', () => {
  // What os.FileMode says of each.
  const cases = [
    ['file', 0o644, 0o644],
    ['directory', 0o1777, 0x8000_0000 + 0x0010_0000 + 0o777],
    ['symlink', 0o777, 0x0800_0000 + 0o777],
    ['char', 0o620, 0x0400_0000 + 0x0020_0000 + 0o620],
    ['block', 0o660, 0x0400_0000 + 0o660],
    ['fifo', 0o600, 0x0200_0000 + 0o600],
    ['file', 0o6755, 0x0080_0000 + 0x0040_0000 + 0o755],
  ] as const
  for (const [type, permissions, mode] of cases) {
    it(`are ${mode.toString(16)} for a ${type} with ${permissions.toString(8)}, and back`, () => {
      assert.equal(goMode(type, permissions), mode)
      assert.equal(typeOfMode(mode), type)
      assert.equal(permissionsOfMode(mode), permissions)
    })
  }

  it('know sockets', () => {
    assert.equal(typeOfMode(0x0100_0000 + 0o755), 'socket')
  })
})
