import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { HostConfig } from '#api/generated/types.ts'
import { checkSupported } from './supported.ts'

const refuses = (hostConfig: HostConfig, message: RegExp, endpoints = {}): void =>
  assert.throws(() => checkSupported(hostConfig, { EndpointsConfig: endpoints }), { message })

describe('checkSupported()', () => {
  it('takes what every client sends', () => {
    checkSupported({}, {})
    checkSupported({ Isolation: 'default', StorageOpt: {} }, {})
    checkSupported({ Links: [], NetworkMode: 'bridge' }, { EndpointsConfig: null })
    const bridge = { Aliases: ['web'], IPAMConfig: { IPv4Address: '' } }
    checkSupported({ NetworkMode: 'bridge' }, { EndpointsConfig: { bridge } })
  })

  it('refuses isolation, quotas and addresses that it could only ignore', () => {
    refuses({ Isolation: 'hyperv' }, /linux only supports 'default'/)
    refuses({ StorageOpt: { size: '1G' } }, /--storage-opt is not supported/)
    const wanted = { IPAMConfig: { IPv4Address: '172.17.0.9' } }
    refuses({ NetworkMode: 'bridge' }, /user defined networks only/, { bridge: wanted })
    refuses({ NetworkMode: 'bridge' }, /user defined networks only/, { default: wanted })
  })
})
