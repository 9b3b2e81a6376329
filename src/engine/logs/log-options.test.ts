import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkLogOptions, isReadable, type LogConfig, rotationOf } from './log-options.ts'

const config = (Type: string, Config: Record<string, string> = {}) => ({ Type, Config }) as LogConfig
const refuses = (Type: string, Config: Record<string, string>, message: RegExp): void =>
  assert.throws(() => checkLogOptions(config(Type, Config)), { message })

describe('checkLogOptions()', () => {
  it('takes the options of each driver, and any of a plugin', () => {
    checkLogOptions({})
    checkLogOptions(config('json-file', { 'max-size': '1m', 'max-file': '2', compress: 'true', labels: 'a' }))
    checkLogOptions(config('local', { 'max-size': '1m', mode: 'non-blocking', 'max-buffer-size': '4m' }))
    checkLogOptions(
      config('syslog', { 'syslog-address': 'udp://1.2.3.4', tag: '{{.Name}}', 'cache-max-file': '1' }),
    )
    checkLogOptions(config('journald', { 'env-regex': '^A' }))
    checkLogOptions(config('none', { 'max-size': '1m' }))
    checkLogOptions(config('somebodys', { anything: 'x' }))
  })

  it("refuses another driver's options and values that cannot be one", () => {
    refuses(
      'json-file',
      { 'syslog-address': 'x' },
      /^unknown log opt 'syslog-address' for json-file log driver$/,
    )
    refuses('journald', { 'max-size': '1m' }, /^unknown log opt 'max-size' for journald log driver$/)
    refuses('json-file', { 'max-size': 'big' }, /max-size: "big": want a size/)
    refuses('json-file', { 'max-file': '0' }, /max-file: 0: want a number of at least 1/)
    refuses('local', { compress: 'yes' }, /compress: "yes": want true or false/)
    refuses(
      'json-file',
      { compress: 'true', 'max-size': '1m' },
      /max-file is less than 2 or max-size is not set/,
    )
    refuses('local', { mode: 'quick' }, /logging mode not supported: quick/)
    refuses('local', { 'max-buffer-size': '1m' }, /only supported with 'mode=non-blocking'/)
    refuses('local', { 'labels-regex': '(' }, /labels-regex: "\(" is not a regular expression/)
    refuses('somebodys', { 'cache-max-size': '?' }, /cache-max-size/)
  })
})

describe('rotationOf()', () => {
  it('has the defaults of the driver, and what the options say', () => {
    assert.deepEqual(rotationOf({}), { maxSize: 0, maxFiles: 1, compress: false })
    const packed = { maxSize: 20 * 1024 ** 2, maxFiles: 5, compress: true }
    assert.deepEqual(rotationOf(config('local')), packed)
    assert.deepEqual(rotationOf(config('syslog', { 'cache-max-size': '1k' })), { ...packed, maxSize: 1024 })
    assert.deepEqual(rotationOf(config('json-file', { 'max-size': '1.5g', 'max-file': '3' })), {
      maxSize: 1.5 * 1024 ** 3,
      maxFiles: 3,
      compress: false,
    })
    assert.equal(rotationOf(config('json-file', { 'max-size': '-1' }))?.maxSize, 0)
    assert.equal(rotationOf(config('none')), undefined)
  })
})

describe('isReadable()', () => {
  it('is true wherever there is a copy that was not hidden', () => {
    assert.deepEqual(
      [
        config('json-file'),
        config('journald'),
        config('none'),
        config('syslog', { 'cache-disabled': 'true' }),
      ].map(isReadable),
      [true, true, false, false],
    )
  })
})
