import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Operation } from '../plan/operation.ts'
import { type Reporter, execute } from './execute.ts'

const silent: Reporter = { began: () => undefined, ended: () => undefined, failed: () => undefined }

function operation(id: string, ...after: readonly string[]): Operation {
  return { type: 'remove volume', name: id, id, cause: 'a test', after }
}

describe('execute()', () => {
  const options = { signal: new AbortController().signal, reporter: silent }

  it('carries out each operation once, after all its predecessors, whatever the plan', async () => {
    // Each may come after any of those before it; the plan has them in another order.
    const plans = fc.array(fc.array(fc.nat(8), { maxLength: 3 }), { maxLength: 9 }).chain((edges) => {
      const plan = edges.map((after, i) =>
        operation(String(i), ...new Set(after.filter((other) => other < i).map(String))),
      )
      return fc.shuffledSubarray(plan, { minLength: plan.length })
    })
    await fc.assert(
      fc.asyncProperty(
        plans,
        fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
        async (plan, parallel) => {
          const done: string[] = []
          let running = 0
          const perform = async ({ id, after }: Operation): Promise<void> => {
            assert.ok(after.every((other) => done.includes(other)))
            running += 1
            assert.ok(running <= (parallel ?? plan.length))
            await Promise.resolve()
            running -= 1
            done.push(id)
          }
          await execute(plan, perform, { ...options, parallel })
          assert.deepEqual(done.toSorted(), plan.map(({ id }) => id).toSorted())
        },
      ),
    )
  })

  it('begins nothing after a failure, lets what runs come to its end, and throws the first failure', async () => {
    const begun: string[] = []
    const gate = Promise.withResolvers<void>()
    const perform = async ({ id }: Operation, signal: AbortSignal): Promise<void> => {
      begun.push(id)
      if (id === 'bad') throw new Error('first')
      signal.addEventListener('abort', () => gate.resolve())
      await gate.promise
    }
    const plan = [
      operation('slow'),
      operation('bad'),
      operation('after-bad', 'bad'),
      operation('after-slow', 'slow'),
    ]
    await assert.rejects(execute(plan, perform, options), /^Error: first$/)
    assert.deepEqual(begun, ['slow', 'bad'])
  })

  it('ends as interrupted when it is told to', async () => {
    const controller = new AbortController()
    const perform = async (): Promise<void> => controller.abort(new Error('Ctrl-C'))
    const plan = [operation('one'), operation('two', 'one')]
    await assert.rejects(
      execute(plan, perform, { ...options, signal: controller.signal }),
      /interrupted: Ctrl-C/,
    )
  })
})
