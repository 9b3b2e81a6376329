import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { json } from '../reply.ts'
import { liftDocument, liftQuery, lowerReply } from './versions.ts'

describe('liftQuery()', () => {
  const lifted = (operation: string, text: string, version: `1.${number}`): string =>
    liftQuery(operation, new URLSearchParams(text), version).toString()

  it('drops what had no meaning in that version', () => {
    assert.equal(lifted('ContainerStop', 't=1&signal=INT', '1.41'), 't=1')
    assert.equal(lifted('ContainerStop', 't=1&signal=INT', '1.42'), 't=1&signal=INT')
    assert.equal(lifted('ContainerStats', 'one-shot=1', '1.40'), '')
    assert.equal(lifted('ContainerCreate', 'platform=linux/arm64', '1.40'), '')
  })

  it('prunes named volumes too for clients of before 1.42', () => {
    const filters = (text: string): unknown =>
      JSON.parse(liftQuery('VolumePrune', new URLSearchParams(text), '1.41').get('filters') ?? '')
    assert.deepEqual(filters(''), { all: ['true'] })
    assert.deepEqual(filters('filters={}'), { all: ['true'] })
    assert.deepEqual(filters('filters={"label":{"a":true}}'), { all: ['true'], label: { a: true } })
    assert.equal(lifted('VolumePrune', 'filters=nonsense', '1.41'), 'filters=nonsense')
    assert.equal(lifted('VolumePrune', '', '1.42'), '')
  })
})

describe('liftDocument()', () => {
  it('leaves documents of the newest version alone', () => {
    const document = { PidsLimit: 1, BlkioWeightDevice: [] }
    assert.equal(liftDocument('ContainerUpdate', document, '1.55'), document)
  })

  it('drops limits that older clients could not change', () => {
    const document = { PidsLimit: 1, Memory: 2, BlkioDeviceReadBps: [] }
    assert.deepEqual(liftDocument('ContainerUpdate', document, '1.54'), { PidsLimit: 1, Memory: 2 })
    assert.deepEqual(liftDocument('ContainerUpdate', document, '1.39'), { Memory: 2 })
  })

  it('gives networks IPv4 before 1.48', () => {
    const create = { Name: 'six', EnableIPv4: false, EnableIPv6: true }
    assert.deepEqual(liftDocument('NetworkCreate', create, '1.47'), { Name: 'six', EnableIPv6: true })
    assert.deepEqual(liftDocument('NetworkCreate', create, '1.48'), create)
  })

  it('drops the console size before 1.42 and a MAC address on connect before 1.54', () => {
    assert.deepEqual(liftDocument('ExecStart', { Tty: true, ConsoleSize: [1, 2] }, '1.41'), { Tty: true })
    const connect = { Container: 'a', EndpointConfig: { MacAddress: 'x', Aliases: ['b'], GwPriority: 1 } }
    assert.deepEqual(liftDocument('NetworkConnect', connect, '1.53'), {
      Container: 'a',
      EndpointConfig: { Aliases: ['b'], GwPriority: 1 },
    })
  })
})

describe('lowerReply()', () => {
  it('lowers the document of that operation and no other', () => {
    const body = { FirewallBackend: { Driver: 'nftables' }, NRI: {} }
    const reply = json(body)
    assert.equal(lowerReply('ContainerInspect', json('text'), '1.24').kind, 'json')
    assert.deepEqual(
      lowerReply('SystemInfo', reply, '1.52'),
      json({ FirewallBackend: { Driver: 'nftables' } }),
    )
    assert.equal(lowerReply('SystemVersion', reply, '1.24'), reply)
  })

  it('lowers each record of a stream and leaves out those that version does not have', async () => {
    const events = (async function* () {
      yield { Type: 'image', Action: 'create', Actor: { ID: 'i' } }
      yield { Type: 'image', Action: 'tag', Actor: { ID: 'i' } }
    })()
    const reply = lowerReply(
      'SystemEvents',
      { kind: 'records', contentType: '', items: events, before: '', after: '\n', head: 'at once' },
      '1.45',
    )
    assert.equal(reply.kind, 'records')
    const got = await Array.fromAsync(reply.kind === 'records' ? reply.items : [])
    assert.deepEqual(got, [{ status: 'tag', id: 'i', Type: 'image', Action: 'tag', Actor: { ID: 'i' } }])
  })
})
