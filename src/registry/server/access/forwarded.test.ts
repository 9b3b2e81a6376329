import assert from 'node:assert/strict'
import { it } from 'node:test'
import { forwardedOrigin } from './forwarded.ts'

const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '198.51.100.1, 192.0.2.9' }

it('forwardedOrigin() believes a proxy on this host, and its nearest address', () => {
  for (const remoteAddress of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
    assert.deepEqual(forwardedOrigin(headers, { secure: false, remoteAddress }), {
      secure: true,
      remoteAddress: '192.0.2.9',
    })
  }
  const nonsense = { 'x-forwarded-proto': 'gopher', 'x-forwarded-for': 'unknown' }
  const plain = { secure: false, remoteAddress: '::1' }
  assert.deepEqual(forwardedOrigin(nonsense, plain), plain)
  assert.deepEqual(forwardedOrigin({}, { ...plain, secure: true }), { ...plain, secure: true })
})

it('forwardedOrigin() ignores what a stranger says', () => {
  for (const remoteAddress of ['192.0.2.1', '::ffff:192.0.2.1', '2001:db8::1', '']) {
    const connection = { secure: false, remoteAddress }
    assert.deepEqual(forwardedOrigin(headers, connection), connection)
  }
})
