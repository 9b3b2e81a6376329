import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runtimeSettings } from './runtime-settings.ts'

describe('runtimeSettings()', () => {
  it('reads what was written for dockerd, and flags over it', () => {
    const file = {
      nvidia: { path: 'nvidia-container-runtime', runtimeArgs: ['--debug'] },
      kata: { path: '/opt/kata', runtimeType: 'io.containerd.runc.v2' },
    }
    assert.deepEqual(runtimeSettings(['kata=/usr/bin/kata', 'gvisor=/opt/runsc'], file), {
      nvidia: { path: 'nvidia-container-runtime', args: ['--debug'] },
      kata: { path: '/usr/bin/kata', args: [] },
      gvisor: { path: '/opt/runsc', args: [] },
    })
    assert.deepEqual(runtimeSettings([], undefined), {})
  })

  for (const [file, message] of [
    [[], /"runtimes" must be an object/],
    [{ a: 'path' }, /"runtimes": "a" must be an object/],
    [{ a: {} }, /"runtimes": "a": "path" of an OCI runtime is missing/],
    [{ a: { path: '/a', runtimeArgs: '--x' } }, /"runtimeArgs" must be a list of strings/],
    [{ a: { runtimeType: 'io.containerd.kata.v2' } }, /runtimeType "io.containerd.kata.v2" is not here/],
    [{ a: { path: '/a', options: {} } }, /unknown key "options"/],
    [{ runc: { path: '/a' } }, /runtime name "runc" is reserved/],
  ] as const) {
    it(`refuses ${JSON.stringify(file)}`, () => {
      assert.throws(() => runtimeSettings([], file), message)
    })
  }

  it('refuses a flag without a path', () => {
    assert.throws(() => runtimeSettings(['kata'], undefined), /--add-runtime "kata": want NAME=PATH/)
  })
})
