import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { hostPlatform } from '#oci/platform.ts'
import { temporaryDirectory } from '#test/support/native.ts'
import { cannotRunHere } from './foreign-platform.ts'

it('cannotRunHere() explains a foreign platform where nothing is registered that could run it', async () => {
  await using handlers = await temporaryDirectory('binfmt')
  const foreign = { os: 'linux', architecture: 's390x' }
  assert.equal(await cannotRunHere(hostPlatform(), handlers.path), undefined)
  assert.match((await cannotRunHere(foreign, join(handlers.path, 'none'))) ?? '', /for linux\/s390x.*qemu/s)
  for (const name of ['register', 'status']) writeFileSync(join(handlers.path, name), '')
  assert.match((await cannotRunHere(foreign, handlers.path)) ?? '', /for linux\/s390x/)
  writeFileSync(join(handlers.path, 'qemu-s390x'), '')
  assert.equal(await cannotRunHere(foreign, handlers.path), undefined)
})
