import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { silentLogger } from '#base/logger.ts'
import { newId } from '#base/ids.ts'
import { Firewall } from './firewall.ts'
import type { Endpoint, PortRequest } from './networks.ts'
import type { HoldRequest, PortHolds } from './port-holds.ts'
import { PortTable } from './ports.ts'
import { Publisher } from './publisher.ts'

const endpoint: Endpoint = {
  id: newId(),
  networkId: newId(),
  network: 'bridge',
  ifname: 'eth0',
  veth: 'v0',
  mac: '02:00:00:00:00:01',
  ipv4: '10.0.0.2',
  ipv4Prefix: 24,
  gateway: '10.0.0.1',
}

function world(nft: () => number = () => 0) {
  const held = new Set<string>()
  const foreign = new Set<string>()
  const transactions: string[] = []
  const holds: PortHolds = {
    async hold({ protocol, hostIp, hostPort, ip }: HoldRequest) {
      const key = `${protocol} ${hostIp} ${hostPort} > ${ip}`
      if (foreign.has(`${protocol} ${hostPort}`))
        throw Object.assign(new Error('in use'), { code: 'EADDRINUSE' })
      held.add(key)
      return { [Symbol.asyncDispose]: async () => void held.delete(key) }
    },
  }
  const helper = {
    async run(_argv: readonly string[], { stdin = '' }: { readonly stdin?: string } = {}) {
      transactions.push(stdin)
      return { code: nft(), stdout: '', stderr: 'broken' }
    },
  }
  const publisher = new Publisher({
    firewall: new Firewall({ helper, logger: silentLogger, table: 't' }),
    holds,
    ports: new PortTable({ ephemeral: { first: 100, last: 110 }, ipv6: true }),
    logger: silentLogger,
  })
  return { held, foreign, transactions, publisher }
}

const ask = (hostPort?: PortRequest['hostPort']): PortRequest => ({
  containerPort: 80,
  protocol: 'tcp',
  hostIp: '',
  hostPort,
})

describe('Publisher.publish()', () => {
  it('tells of IPv4 first, wherever its ports lead', async () => {
    const { publisher } = world()
    const target = { ...endpoint, ipv6: 'fd00::2', reach4: 'address' } as const
    const ports = await publisher.publish(newId(), target, [ask(8080)])
    assert.deepEqual(
      ports.map(({ hostIp, hostPort }) => [hostIp, hostPort]),
      [
        ['0.0.0.0', 0],
        ['::', 8080],
      ],
    )
  })

  it('passes over a foreign port where it may choose, in both families', async () => {
    const { publisher, foreign, held } = world()
    foreign.add('tcp 100')
    const ports = await publisher.publish('a', endpoint, [ask()])
    assert.deepEqual(
      ports.map((port) => `${port.hostIp} ${port.hostPort}`),
      ['0.0.0.0 101', ':: 101'],
    )
    assert.deepEqual([...held], ['tcp 0.0.0.0 101 > 10.0.0.2', 'tcp :: 101 > 10.0.0.2'])
  })

  it('names the holder-less port and keeps nothing when a fixed one is foreign', async () => {
    const { publisher, foreign, held, transactions } = world()
    foreign.add('tcp 80')
    await assert.rejects(publisher.publish('a', endpoint, [ask(81), ask(80)]), {
      message: 'failed to bind host port for 0.0.0.0:80:10.0.0.2:80/tcp: address already in use',
    })
    assert.deepEqual([held.size, transactions.length], [0, 0])
    foreign.clear()
    await publisher.publish('b', endpoint, [ask(80), ask(81)])
  })

  it('lets go of the ports when the firewall fails', async () => {
    let code = 1
    const { publisher, held } = world(() => code)
    await assert.rejects(publisher.publish('a', endpoint, [ask(80)]), /broken/)
    assert.equal(held.size, 0)
    code = 0
    await publisher.publish('b', endpoint, [ask(80)])
  })
})

describe('Publisher.holdMissing()', () => {
  it('binds adopted ports, and tries again those that somebody had taken meanwhile', async () => {
    const { publisher, held, foreign } = world()
    foreign.add('tcp 80')
    publisher.adopt('a', endpoint, [
      { containerPort: 80, protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 80 },
      { containerPort: 80, protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 81 },
    ])
    assert.equal(await publisher.holdMissing(), true)
    assert.equal(held.size, 1)
    foreign.clear()
    assert.equal(await publisher.holdMissing(), true)
    assert.equal(held.size, 2)
    assert.equal(await publisher.holdMissing(), false)
    await publisher.unpublish('a')
    assert.equal(held.size, 0)
  })
})

describe('Publisher.change()', () => {
  it('leaves what stays as it is, in one transaction with what comes and goes', async () => {
    const { publisher, held, transactions } = world()
    const ports = await publisher.publish('a', endpoint, [ask(80), ask(81)])
    const remove = ports.filter(({ hostPort }) => hostPort === 80)
    await publisher.change('a', endpoint, { add: [ask(82)], remove })
    assert.deepEqual(transactions.at(-1)?.match(/(add|delete) element inet t dnat4any [^\n]*/g), [
      'delete element inet t dnat4any { tcp . 80 }',
      'add element inet t dnat4any { tcp . 82 comment "a" : 10.0.0.2 . 80 }',
    ])
    assert.deepEqual([...held].filter((key) => key.includes('0.0.0.0')).toSorted(), [
      'tcp 0.0.0.0 81 > 10.0.0.2',
      'tcp 0.0.0.0 82 > 10.0.0.2',
    ])
  })

  it('puts everything back when the firewall fails', async () => {
    let code = 0
    const { publisher, held, transactions } = world(() => code)
    const ports = await publisher.publish('a', endpoint, [ask(80)])
    code = 1
    await assert.rejects(publisher.change('a', endpoint, { add: [ask(81)], remove: ports }), /broken/)
    code = 0
    assert.deepEqual([...held], ['tcp 0.0.0.0 80 > 10.0.0.2', 'tcp :: 80 > 10.0.0.2'])
    await publisher.change('a', endpoint, { add: [ask(82)], remove: [] })
    await assert.rejects(publisher.publish('b', endpoint, [ask(80)]), /already allocated/)
    // What is written next still has the port that was to go.
    code = 1
    await assert.rejects(publisher.publish('b', endpoint, [ask(90)]), /broken/)
    assert.match(transactions.at(-1) ?? '', /^table inet t\n[^]*tcp \. 80 comment "a"/)
  })
})
