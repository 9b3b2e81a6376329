import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { identityOf } from './identity.ts'
import { pidFile } from './pid-file.ts'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-identity-'))
})
afterEach(() => rmSync(root, { recursive: true }))

describe('identityOf()', () => {
  it('is made once', async () => {
    const identity = await identityOf(root)
    assert.equal(new Set(Object.values(identity.networks)).size, 3)
    assert.deepEqual(await identityOf(root), identity)
  })

  it('refuses a damaged one, and says what to do', async () => {
    for (const text of ['', '{}', 'null', '{"engine":"x","createdAt":"y","networks":{"bridge":"../x"}}']) {
      writeFileSync(join(root, 'identity.json'), text)
      await assert.rejects(identityOf(root), /cannot read .*identity.json; restore it or move it away/)
    }
  })
})

describe('pidFile()', () => {
  it('is there as long as the daemon, and leaves that of another one', async () => {
    const path = join(root, 'pid')
    {
      await using _file = await pidFile(path, 123)
    }
    {
      await using _file = await pidFile(path, 123)
      await pidFile(path, 456)
    }
    await using _again = await pidFile(path, 456)
  })
})
