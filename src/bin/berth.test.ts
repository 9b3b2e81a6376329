import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { promisify } from 'node:util'

const BERTH = join(import.meta.dirname, 'berth.ts')
/** Many times what a pipe takes. */
const ARCHIVE = Buffer.alloc(1_000_000, 'x')
/** Takes a little at a time, and counts. */
const READER = `
  const { readSync } = require('node:fs')
  const piece = Buffer.alloc(16384)
  let all = 0
  for (let got; (got = readSync(0, piece)) > 0; all += got) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
  console.log(all)
`

it('writes all of its output before it ends, however slow the reader is', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'berth-output-'))
  const socket = join(directory, 'engine.sock')
  const engine = createServer((request, response) => {
    response.setHeader('Api-Version', '1.51')
    response.end(request.url?.includes('/images/get') === true ? ARCHIVE : 'OK')
  }).listen(socket)
  try {
    await once(engine, 'listening')
    const script = '"$0" --disable-warning=ExperimentalWarning "$1" -H "unix://$2" save image | "$0" -e "$3"'
    const args = ['-c', script, process.execPath, BERTH, socket, READER]
    const { stdout } = await promisify(execFile)('sh', args)
    assert.equal(Number(stdout), ARCHIVE.length)
  } finally {
    engine.close()
    await rm(directory, { recursive: true })
  }
})
