import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseRegistryAuth } from './registry-auth.ts'

const credentials = { username: 'ann', password: '~~??>>', serveraddress: 'registry.example' }
const text = JSON.stringify(credentials)

describe('parseRegistryAuth()', () => {
  it('reads base64 in both alphabets, padded or not', () => {
    const standard = Buffer.from(text).toString('base64')
    const url = standard.replaceAll('+', '-').replaceAll('/', '_')
    for (const header of [standard, url, standard.replace(/=+$/, ''), url.replace(/=+$/, '')]) {
      assert.deepEqual(parseRegistryAuth(header), credentials)
    }
  })

  it('takes keys in any case and drops those it does not know', () => {
    const header = Buffer.from('{"Username":"ann","Colour":"red","password":7}').toString('base64')
    assert.deepEqual(parseRegistryAuth(header), { username: 'ann' })
  })

  it('takes what cannot be read for an anonymous client', () => {
    for (const header of [undefined, '', '%%%', 'bnVsbA==', Buffer.from('{}').toString('base64'), 'W10=']) {
      assert.equal(parseRegistryAuth(header), undefined)
    }
  })
})
