import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { ensureBridgeFilter } from './bridge-filter.ts'

/** A kernel with br_netfilter, with a module that has it, or without. */
function kernel(values: Record<string, string>, module: Record<string, string> = {}) {
  const ran: string[] = []
  return {
    values,
    ran,
    helper: {
      async run(argv: readonly string[]) {
        ran.push(argv.join(' '))
        Object.assign(values, module)
        return { code: 0, stdout: '', stderr: '' }
      },
    },
    sysctls: {
      read: async (...key: readonly string[]) => values[key.at(-1) ?? ''],
      write: async (value: string, ...key: readonly string[]) => void (values[key.at(-1) ?? ''] = value),
    },
  }
}

describe('ensureBridgeFilter()', () => {
  it('turns the filter on, for the families that are there, and says whether it was off', async () => {
    const off = kernel({ 'bridge-nf-call-iptables': '0', 'bridge-nf-call-ip6tables': '0' })
    assert.equal(await ensureBridgeFilter(off, false), true)
    assert.deepEqual(Object.values(off.values), ['1', '0'])
    assert.equal(await ensureBridgeFilter(off, true), true)
    assert.equal(await ensureBridgeFilter(off, true), false)
    assert.deepEqual(off.ran, [])
  })

  it('loads the module, and refuses where there is none', async () => {
    const late = kernel({}, { 'bridge-nf-call-iptables': '1' })
    assert.equal(await ensureBridgeFilter(late, false), false)
    assert.deepEqual(late.ran, ['modprobe br_netfilter'])
    await assert.rejects(ensureBridgeFilter(kernel({}), false), (error: Error) => {
      assert.ok(isKind(error, 'not_implemented'))
      return /please ensure that br_netfilter kernel module is loaded/.test(error.message)
    })
  })
})
