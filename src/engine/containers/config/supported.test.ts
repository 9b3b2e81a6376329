import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { HostConfig } from '#api/generated/types.ts'
import { checkSupported } from './supported.ts'

const refuses = (hostConfig: HostConfig, message: RegExp): void =>
  assert.throws(() => checkSupported(hostConfig), { message })

describe('checkSupported()', () => {
  it('takes what every client sends', () => {
    checkSupported({})
    checkSupported({ Isolation: 'default', StorageOpt: {} })
    checkSupported({ Links: [], NetworkMode: 'bridge' })
  })

  it('refuses isolation and quotas that it could only ignore', () => {
    refuses({ Isolation: 'hyperv' }, /linux only supports 'default'/)
    refuses({ StorageOpt: { size: '1G' } }, /--storage-opt is not supported/)
  })
})
