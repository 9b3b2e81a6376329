import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { temporaryDirectory } from '#test/support/native.ts'
import { writeSpool } from './spool-file.ts'

it('takes no room for zeros', async () => {
  await using directory = await temporaryDirectory('spool-file')
  const path = join(directory.path, 'file')
  const hole = Array.from({ length: 64 }, () => Buffer.alloc(1 << 20))
  const chunks = [Buffer.from('head'), ...hole, Buffer.from('middle'), ...hole]
  let told = 0
  await writeSpool(path, chunks as never, (chunk) => (told += chunk.length))
  const { size, blocks } = statSync(path)
  assert.equal(told, size)
  assert.ok(readFileSync(path).equals(Buffer.concat(chunks)))
  assert.ok(blocks * 512 < 8 << 20, `${blocks * 512} bytes`)
})
