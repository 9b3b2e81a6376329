import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseDeviceRule } from './devices.ts'

describe('parseDeviceRule()', () => {
  it('reads numbers and wildcards', () => {
    assert.deepEqual(parseDeviceRule('c 1:3 mr'), {
      allow: true,
      type: 'c',
      major: 1,
      minor: 3,
      access: 'mr',
    })
    assert.deepEqual(parseDeviceRule('a *:* rwm'), { allow: true, type: 'a', access: 'rwm' })
  })

  for (const text of [
    '',
    'c 1:3',
    'x 1:3 r',
    'c 1:3 rwx',
    'c -1:3 r',
    'c 1:3 rwmr',
    ' c 1:3 r',
    'c 1:3 r\n',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseDeviceRule(text), { message: `invalid device cgroup rule format: '${text}'` })
    })
  }
})
