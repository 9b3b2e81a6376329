import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { FakeMachine, TestEngine } from '#test/support/engine.ts'
import { PredefinedNetworks } from './networks.ts'

let machine: FakeMachine
let engine: TestEngine
let networks: PredefinedNetworks

beforeEach(async () => {
  machine = new FakeMachine()
  engine = await TestEngine.start(machine)
  const ids = { host: 'b'.repeat(64), none: 'c'.repeat(64) }
  const { registry } = engine
  networks = new PredefinedNetworks({
    registry,
    bridge: engine.networks.bridge,
    ids,
    createdAt: '2026-01-01T00:00:00Z',
  })
})
afterEach(() => machine[Symbol.dispose]())

async function names(filters: Record<string, string[]>): Promise<(string | null | undefined)[]> {
  return (await networks.list(new Map(Object.entries(filters)))).map(({ Name }) => Name)
}

describe('PredefinedNetworks', () => {
  it('are three, and filters choose among them', async () => {
    assert.deepEqual(await names({}), ['bridge', 'host', 'none'])
    assert.deepEqual(await names({ driver: ['null', 'host'] }), ['host', 'none'])
    assert.deepEqual(await names({ name: ['o'] }), ['host', 'none'])
    assert.deepEqual(await names({ type: ['custom'] }), [])
    assert.deepEqual(await names({ label: ['x'] }), [])
    await assert.rejects(names({ colour: ['red'] }), { message: "invalid filter 'colour'" })
  })

  it('are found by id, name and prefix', async () => {
    for (const ref of ['host', 'b'.repeat(64), 'bbb'])
      assert.equal((await networks.inspect(ref)).Name, 'host')
    await assert.rejects(networks.inspect('nowhere'), { message: 'network nowhere not found' })
    await assert.rejects(networks.inspect(''), { message: 'network  not found' })
  })

  it('show who is on them now', async () => {
    const id = await engine.run({}, 'web')
    await engine.create({}, 'idle')
    const { Containers } = (await networks.inspect('bridge')) as {
      Containers: Record<string, { Name: string; IPv4Address: string }>
    }
    assert.deepEqual(Object.keys(Containers), [id])
    assert.equal(Containers[id]?.Name, 'web')
    assert.match(Containers[id]?.IPv4Address ?? '', /^172\.17\.0\.\d+\/16$/)
  })
})
