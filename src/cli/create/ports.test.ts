import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseExpose, parsePublish } from './ports.ts'

describe('parsePublish()', () => {
  it('reads every part', () => {
    assert.deepEqual(
      parsePublish(['80', '127.0.0.1:8080:81/udp', '[::1]:53:53', '0.0.0.0::9', '1:2', '3:2']),
      {
        exposed: { '80/tcp': {}, '81/udp': {}, '53/tcp': {}, '9/tcp': {}, '2/tcp': {} },
        bindings: {
          '80/tcp': [{ HostIp: '', HostPort: '' }],
          '81/udp': [{ HostIp: '127.0.0.1', HostPort: '8080' }],
          '53/tcp': [{ HostIp: '::1', HostPort: '53' }],
          '9/tcp': [{ HostIp: '0.0.0.0', HostPort: '' }],
          '2/tcp': [
            { HostIp: '', HostPort: '1' },
            { HostIp: '', HostPort: '3' },
          ],
        },
      },
    )
  })

  it('pairs ranges of one length, and leaves a range for one port to the daemon', () => {
    assert.deepEqual(parsePublish(['8000-8001:80-81']).bindings, {
      '80/tcp': [{ HostIp: '', HostPort: '8000' }],
      '81/tcp': [{ HostIp: '', HostPort: '8001' }],
    })
    assert.deepEqual(parsePublish(['8000-8010:80']).bindings, {
      '80/tcp': [{ HostIp: '', HostPort: '8000-8010' }],
    })
  })

  it('takes the form of services, key by key', () => {
    assert.deepEqual(parsePublish(['published=19090,target=80', 'target=53,protocol=udp']).bindings, {
      '80/tcp': [{ HostIp: '', HostPort: '19090' }],
      '53/udp': [{ HostIp: '', HostPort: '' }],
    })
    assert.throws(() => parsePublish(['target=80,x']), /should be name=value but got 'x'/)
  })

  it('refuses what is no port', () => {
    const errors: Record<string, string> = {
      '99999:1': 'invalid hostPort: 99999',
      '80:80/foo': 'invalid proto: foo',
      'a:80': 'invalid hostPort: a',
      '1-3:1-2': 'invalid ranges specified for container and host Ports: 1-2 and 1-3',
      '1.2.3:80:80': 'invalid IP address: 1.2.3',
      ':': 'no port specified: :<empty>',
      '3-1': 'invalid containerPort: 3-1',
    }
    for (const [text, message] of Object.entries(errors))
      assert.throws(() => parsePublish([text]), { message }, text)
  })

  it('gives back the addresses and ports it was given', () => {
    const port = fc.integer({ min: 1, max: 65535 })
    const ip = fc.oneof(
      fc.constant(''),
      fc.ipV4(),
      fc.ipV6().map((text) => `[${text}]`),
    )
    fc.assert(
      fc.property(
        ip,
        port,
        port,
        fc.constantFrom('tcp', 'udp', 'sctp'),
        (address, host, inside, protocol) => {
          const { bindings } = parsePublish([
            `${address === '' ? '' : `${address}:`}${host}:${inside}/${protocol}`,
          ])
          const HostIp = address.replace(/[[\]]/g, '')
          assert.deepEqual(bindings, { [`${inside}/${protocol}`]: [{ HostIp, HostPort: String(host) }] })
        },
      ),
    )
  })

  it('never fails otherwise than with an error about the value', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from('0189:-/[]. tcpx')) }), (text) => {
        try {
          parsePublish([text])
        } catch (error) {
          assert.match(String(error), /^EngineError: /)
        }
      }),
    )
  })
})

describe('parseExpose()', () => {
  it('spreads ranges', () => {
    assert.deepEqual(parseExpose(['7', '8-10/udp']), ['7/tcp', '8/udp', '9/udp', '10/udp'])
    assert.throws(() => parseExpose(['80:80']), { message: 'invalid port format for --expose: 80:80' })
    assert.throws(() => parseExpose(['a']), { message: 'invalid range format for --expose: a' })
  })
})
