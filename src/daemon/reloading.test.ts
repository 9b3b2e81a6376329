import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jsonLogger } from '#base/logger.ts'
import type { DaemonConfig } from './config.ts'
import { LiveConfig } from './reloading.ts'

const first = { logLevel: 'info', labels: ['a=b'], bridge: 'berth0' } as unknown as DaemonConfig

function reloaded(next: () => object): {
  live: LiveConfig
  changed: readonly string[] | undefined
  said: string
} {
  let said = ''
  const logger = jsonLogger((line) => (said += line), 'warn')
  const live = new LiveConfig(first, () => ({ ...first, ...next() }))
  return { live, changed: live.reload(logger), said }
}

describe('LiveConfig', () => {
  it('takes what can change, and names what cannot', () => {
    const { live, changed, said } = reloaded(() => ({ labels: [], bridge: 'br1' }))
    assert.deepEqual([live.current.labels, live.current.bridge, changed], [[], 'berth0', ['labels']])
    assert.match(said, /"settings":\["bridge"\]/)
  })

  it('stays as it was when the file cannot be used', () => {
    const { live, changed, said } = reloaded(() => {
      throw new Error('no JSON')
    })
    assert.deepEqual([live.current, changed], [first, undefined])
    assert.match(said, /nothing has changed.*no JSON/)
  })
})
