import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openRegistryClient } from '#registry/client/client.ts'
import { FakeRegistry } from '#test/support/fake-registry.ts'
import { LiveRegistryClient } from './live-registry-client.ts'

describe('LiveRegistryClient', () => {
  it('asks as the settings are when something begins, and lets what is under way go on', async () => {
    await using registry = await FakeRegistry.start()
    let insecure: readonly string[] = []
    await using client = new LiveRegistryClient(() => openRegistryClient({ insecure, attempts: 1 }))
    const name = { domain: registry.host, path: 'team/app' }
    const before = client.repository(name)
    insecure = [registry.host]
    client.renew()
    assert.equal(await client.repository(name).resolve('none'), undefined)
    assert.equal(await before.resolve('none'), undefined)
  })
})
