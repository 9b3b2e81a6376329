import assert from 'node:assert/strict'
import { chmod, lstat, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { AccountEdits } from './account-edits.ts'
import { FakeHashes } from './fake-access.ts'

const directory = await mkdtemp(join(tmpdir(), 'berth-accounts-'))
after(() => rm(directory, { recursive: true }))

describe('AccountEdits', () => {
  const path = join(directory, 'htpasswd')
  const edits = new AccountEdits(path, new FakeHashes())

  it('makes a file that only its owner may read', async () => {
    await edits.add('ann', 'secret')
    assert.equal(await readFile(path, 'utf8'), 'ann:hash of secret\n')
    assert.equal((await stat(path)).mode & 0o777, 0o600)
  })

  it('leaves other lines, the mode and a link as they are', async () => {
    const target = join(directory, 'target')
    const link = join(directory, 'link')
    await writeFile(target, '# staff\nbob:{SHA}old\nbobby:x\n')
    await chmod(target, 0o640)
    await symlink(target, link)
    const linked = new AccountEdits(link, new FakeHashes())
    await linked.setPassword('bob', 'new')
    assert.equal(await readFile(target, 'utf8'), '# staff\nbob:hash of new\nbobby:x\n')
    assert.equal((await stat(target)).mode & 0o777, 0o640)
    assert.ok((await lstat(link)).isSymbolicLink())
    await linked.remove('bob')
    assert.equal(await readFile(target, 'utf8'), '# staff\nbobby:x\n')
  })

  it('refuses what is not there, what is there, and what is impossible', async () => {
    await writeFile(path, 'ann:$2y$05$KtzRbeyMRP5Eau7/ZnwqBOLiSoL5gILDpD6hTUWopF4xz70hT5BGC\n')
    await assert.rejects(edits.add('ann', 'x'), { kind: 'conflict', code: 'ACCOUNT_TAKEN' })
    await assert.rejects(edits.remove('bob'), { kind: 'not_found', code: 'ACCOUNT_NOT_FOUND' })
    await assert.rejects(edits.setPassword('bob', 'x'), { code: 'ACCOUNT_NOT_FOUND' })
    await assert.rejects(edits.add('a/b', 'x'), { code: 'ACCOUNT_NAME_INVALID' })
    await assert.rejects(edits.add('bob', ''), { code: 'PASSWORD_INVALID' })
  })
})
