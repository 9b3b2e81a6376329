import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { temporaryDirectory } from '#test/support/native.ts'
import { FileSink } from './file-sink.ts'

const MEGABYTE = 1 << 20
const zeros = (): Buffer => Buffer.alloc(MEGABYTE)
const words = (text: string): Buffer => Buffer.from(text.repeat(1000))

for (const direct of [false, true]) {
  describe(`what is written ${direct ? 'at once' : 'in turn'}`, () => {
    const written = async (chunks: readonly Uint8Array[]): Promise<{ same: boolean; onDisk: number }> => {
      await using directory = await temporaryDirectory('file-sink')
      const path = join(directory.path, 'file')
      {
        await using sink = await FileSink.create(path, { direct })
        for (const chunk of chunks) await sink.write(chunk)
        await sink.sync()
      }
      return {
        same: readFileSync(path).equals(Buffer.concat(chunks)),
        onDisk: statSync(path).blocks * 512,
      }
    }

    it('is there, in its order', async () => {
      const { same } = await written([words('a'), words('b'), Buffer.alloc(0), words('c')])
      assert.ok(same)
    })

    it('takes no room where it is zeros', async () => {
      const hole = Array.from({ length: 40 }, zeros)
      const { same, onDisk } = await written([words('a'), ...hole, words('b'), zeros(), words('c'), ...hole])
      assert.ok(same)
      assert.ok(onDisk < MEGABYTE, `${onDisk} bytes`)
    })

    it('is there when it is zeros but for one byte', async () => {
      for (const at of [0, 1, MEGABYTE / 2, MEGABYTE - 1]) {
        const chunk = zeros()
        chunk[at] = 1
        const { same } = await written([zeros(), chunk, zeros()])
        assert.ok(same, `byte ${at}`)
      }
    })
  })
}
