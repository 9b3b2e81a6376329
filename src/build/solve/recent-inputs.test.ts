import assert from 'node:assert/strict'
import { it } from 'node:test'
import { digestOf } from '#base/digest.ts'
import { RecentInputs } from './recent-inputs.ts'

it('RecentInputs.of() looks once for a key, and forgets what was used longest ago', async () => {
  const recent = new RecentInputs(5)
  const looked: string[] = []
  const ask = async (key: string, files: number): Promise<void> => {
    const inputs = await recent.of(key, async () => {
      looked.push(key)
      const path = (i: number): string => `${key}${i}`
      return {
        digest: digestOf(key),
        files: Array.from({ length: files }, (_, i) => ({ path: path(i), digest: digestOf('') })),
      }
    })
    assert.equal(inputs.digest, digestOf(key))
    assert.equal(inputs.files.length, files)
  }
  await ask('a', 2)
  await ask('b', 2)
  await ask('a', 2)
  assert.deepEqual(looked, ['a', 'b'])
  await ask('c', 2)
  await ask('a', 2)
  await ask('b', 2)
  assert.deepEqual(looked, ['a', 'b', 'c', 'b'])
  // More than fits is not kept, and drives nothing else out.
  await ask('large', 6)
  await ask('large', 6)
  await ask('b', 2)
  assert.deepEqual(looked.slice(4), ['large', 'large'])
})

it('RecentInputs.of() keeps nothing of a look that fails', async () => {
  const recent = new RecentInputs()
  const failing = () => Promise.reject(new Error('not now'))
  await assert.rejects(recent.of('a', failing), /not now/)
  const inputs = { digest: digestOf(''), files: [] }
  assert.equal(await recent.of('a', async () => inputs), inputs)
})
