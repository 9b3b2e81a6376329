import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { selectRuntime } from './select.ts'

const CRUN = 'crun version 1.8.1\ncommit: f8a0\nrundir: /run/crun\nspec: 1.0.0\n'
const runcVersion = (version: string): string => `runc version ${version}\ncommit: x\nspec: 1.0.2-dev\n`

/** A machine on which the given command lines print something and everything else is not installed. */
function machineWith(outputs: Readonly<Record<string, string>>) {
  return async (argv: readonly string[]) => {
    const stdout = outputs[argv.join(' ')]
    if (stdout === undefined)
      return { code: argv[1] === '--version' ? 127 : 1, stdout: '', stderr: 'unknown' }
    return { code: 0, stdout, stderr: '' }
  }
}

describe('selectRuntime()', () => {
  it('prefers crun', async () => {
    const run = machineWith({ 'crun --version': CRUN, 'runc --version': runcVersion('1.4.3') })
    assert.deepEqual(await selectRuntime({ run, hybridControllers: [] }), {
      name: 'crun',
      path: 'crun',
      version: '1.8.1',
      timeNamespaces: false,
      reason: 'preferred and usable',
      warnings: [],
    })
  })

  it('takes runc where a hybrid hierarchy stops crun, and says why', async () => {
    const run = machineWith({ 'crun --version': CRUN, 'runc --version': runcVersion('1.4.3') })
    const selected = await selectRuntime({ run, hybridControllers: ['hugetlb'] })
    assert.equal(selected.name, 'runc')
    assert.match(selected.reason, /crun: needs the cgroup v2 hierarchy .* hugetlb/)
  })

  it('asks the runtime whether it knows time namespaces', async () => {
    const features = { 'runc features': '{"linux":{"namespaces":["pid","time"]}}' }
    const run = machineWith({ 'runc --version': runcVersion('1.5.0'), ...features })
    assert.equal((await selectRuntime({ run, hybridControllers: [] })).timeNamespaces, true)
  })

  it('takes only the wanted one', async () => {
    const run = machineWith({ 'crun --version': CRUN, '/opt/runc --version': runcVersion('1.5.0') })
    assert.equal(
      (await selectRuntime({ run, hybridControllers: [], wanted: { path: '/opt/runc' } })).path,
      '/opt/runc',
    )
    await assert.rejects(
      selectRuntime({ run, hybridControllers: [], wanted: { path: 'runc' } }),
      (error) => isKind(error, 'unavailable') && /runc: not installed/.test(String(error)),
    )
  })

  it('gives every reason when none works', async () => {
    const run = async (): Promise<never> => {
      throw new Error('spawn ENOENT')
    }
    await assert.rejects(
      selectRuntime({ run, hybridControllers: [] }),
      /crun: spawn ENOENT; runc: spawn ENOENT/,
    )
  })

  for (const [version, holes] of [
    ['1.1.5+ds1', 2],
    ['1.2.7', 2],
    ['1.2.8', 1],
    ['1.3.2', 2],
    ['1.3.3', 1],
    ['1.3.6', 0],
    ['1.4.0-rc.2', 2],
    ['1.4.0-rc.3', 1],
    ['1.4.0', 1],
    ['1.4.3', 0],
    ['1.5.0', 0],
    ['1.6.0-rc.1', 0],
    ['2.0.0', 0],
  ] as const) {
    it(`CVE-2025-31133, CVE-2026-41579: runc ${version} gets ${holes} warnings`, async () => {
      const run = machineWith({ 'runc --version': runcVersion(version) })
      assert.equal((await selectRuntime({ run, hybridControllers: [] })).warnings.length, holes)
    })
  }
})
