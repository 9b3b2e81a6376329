import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Digest } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import { randomOf } from '#test/support/random.ts'
import { context, copyStep, directoryStep, runStep, scratch, SolveWorld } from '#test/support/solve-world.ts'
import { Turns } from '#test/support/turns.ts'
import type { BaseImage, Filesystem } from '../graph/operations.ts'
import { isStep, type Step } from './keys.ts'

/** One step: what it is, and which of those before it it uses (modulo how many there are). */
const stepShape = fc.record({
  kind: fc.constantFrom('run', 'run', 'copy', 'copy context', 'link', 'bind', 'directory', 'nothing'),
  on: fc.nat(20),
  from: fc.nat(20),
  /** Few, so that steps repeat each other. */
  command: fc.nat(3),
  fails: fc.integer({ min: 0, max: 19 }).map((n) => n === 0),
  uncached: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
})
type Shape = typeof stepShape extends fc.Arbitrary<infer T> ? T : never

const buildShape = fc.record({
  targets: fc.array(fc.nat(20), { minLength: 1, maxLength: 3 }),
  /** Turns after which it begins, and after which it is cancelled. */
  begins: fc.nat(12),
  cancelled: fc.option(fc.nat(30), { nil: undefined }),
})

function graphOf(shapes: readonly Shape[], image: BaseImage): Filesystem[] {
  const nodes: Filesystem[] = [scratch, image]
  for (const { kind, on: below, from: other, command, fails, uncached } of shapes) {
    const [on, from] = [near(nodes, below), near(nodes, other)]
    // An uncached step is another instruction here, so that it is known which of the same steps had to be done again.
    const name = `${fails ? 'fail' : 'do'} ${command}${uncached ? ' anew' : ''}`
    const label = { uncached, stage: `s${nodes.length}` }
    nodes.push(stepOf(kind, on, from, name, label))
  }
  return nodes
}

/** Mostly one of the last: graphs are to be deep. */
function near(nodes: readonly Filesystem[], back: number): Filesystem {
  const at = back < 14 ? nodes.length - 1 - (back % Math.min(nodes.length, 3)) : back % nodes.length
  return nodes[at] ?? scratch
}

function stepOf(
  kind: Shape['kind'],
  on: Filesystem,
  from: Filesystem,
  name: string,
  label: { readonly uncached: boolean; readonly stage: string },
): Filesystem {
  const copied = { label: { ...label, instruction: `COPY ${name}` }, destination: `/${name}` }
  switch (kind) {
    case 'run':
      return runStep(on, name, { label })
    case 'nothing':
      return runStep(on, `nothing ${name}`, { label })
    case 'bind':
      return runStep(on, name, {
        label,
        mounts: [{ type: 'bind', from, source: '/', target: '/m', readOnly: true }],
      })
    case 'copy':
      return copyStep(on, from, '.', copied)
    case 'copy context':
      return copyStep(on, context, 'a', copied)
    case 'link':
      return copyStep(on, from, '.', { ...copied, link: true })
    case 'directory':
      return directoryStep(on, `/${name}`, label)
  }
}

interface Outcome {
  readonly targets: readonly Filesystem[]
  readonly cancelled: boolean
  readonly result: PromiseSettledResult<Awaited<ReturnType<SolveWorld['build']>>>
}

/** Lets all builds run together, in an order that the seed decides. */
async function together(
  world: SolveWorld,
  nodes: readonly Filesystem[],
  builds: readonly (typeof buildShape extends fc.Arbitrary<infer T> ? T : never)[],
  seed: number,
): Promise<Outcome[]> {
  const turns = new Turns()
  turns.script()
  world.gate = async (_what, signal) => {
    await turns.take()
    signal.throwIfAborted()
  }
  const random = randomOf(seed)
  const started: { abort: AbortController; outcome: Promise<Outcome> }[] = []
  let ended = 0
  for (let turn = 0; ended < builds.length; turn++) {
    assert.ok(turn < 5000, 'it does not end')
    for (const build of builds) {
      if (build.begins !== turn) continue
      const abort = new AbortController()
      const targets = build.targets.map((target) => near(nodes, target % 4))
      const running = world.build(targets, { signal: abort.signal, slot: `slot ${targets.length}` })
      const outcome = Promise.allSettled([running]).then(([result]) => {
        ended++
        return { targets, cancelled: abort.signal.aborted, result }
      })
      started.push({ abort, outcome })
    }
    builds.forEach(({ begins, cancelled }, i) => {
      if (cancelled !== undefined && turn === begins + cancelled)
        started[startedAt(builds, i)]?.abort.abort(new Error('cancelled'))
    })
    for (let i = 0; i < 6; i++) await new Promise((resolve) => setImmediate(resolve))
    turns.next((count) => random.below(count))
  }
  world.gate = async () => undefined
  return Promise.all(started.map(({ outcome }) => outcome))
}

/** Builds begin in the order of their turns. */
function startedAt(builds: readonly { readonly begins: number }[], index: number): number {
  const begins = builds[index]?.begins ?? 0
  return builds.filter((each, i) => each.begins < begins || (each.begins === begins && i < index)).length
}

function stepsOf(nodes: readonly Filesystem[]): Step[] {
  return nodes.filter(isStep)
}

async function expectedOf(
  nodes: readonly Filesystem[],
  image: BaseImage,
): Promise<Map<Filesystem, readonly Digest[] | undefined>> {
  const alone = new SolveWorld()
  await alone.image(image.name)
  const known = new Map<Filesystem, readonly Digest[] | undefined>()
  for (const node of nodes) known.set(node, await alone.evaluate(node, known))
  return known
}

describe('Solver', () => {
  it('comes to the same as one step after the other; does nothing twice; holds nothing at the end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(stepShape, { minLength: 3, maxLength: 10 }),
        fc.array(buildShape, { minLength: 1, maxLength: 3 }),
        fc.nat(),
        fc.integer({ min: 1, max: 4 }),
        async (shapes, builds, seed, slots) => {
          const world = new SolveWorld({ slots })
          const image = await world.image('base')
          const nodes = graphOf(shapes, image)
          const expected = await expectedOf(nodes, image)

          const outcomes = await together(world, nodes, builds, seed)

          for (const { targets, cancelled, result } of outcomes) {
            if (result.status === 'rejected') {
              const fails = targets.some((target) => expected.get(target) === undefined && isStep(target))
              if (!cancelled) assert.ok(fails, String(result.reason))
              assert.ok(cancelled || result.reason instanceof EngineError)
              continue
            }
            for (const [node, { layers }] of result.value.solved) assert.deepEqual(layers, expected.get(node))
            for (const target of targets) assert.ok(result.value.solved.has(target))
          }
          assert.deepEqual([world.busy.steps, world.busy.sources], [0, 0])
          assert.ok(world.busy.most <= slots)
          assert.equal(world.images.store.collector.isHeld, false)
          assert.ok((await world.cache.usage()).every(({ inUse }) => !inUse))

          // What was cancelled or failed may be done again; nothing else is.
          const isCalm = outcomes.every(({ result }) => result.status === 'fulfilled')
          if (isCalm) {
            const cached = world.done.filter((name) => !name.includes('anew'))
            const definitions = new Set(
              outcomes.flatMap(({ result }) =>
                result.status === 'fulfilled'
                  ? [...result.value.solved.values()].map(({ definition }) => definition)
                  : [],
              ),
            )
            assert.ok(cached.length <= definitions.size)
          }

          // All of it once more: every step that was done is found, but those that are to be done anew.
          world.done.length = 0
          for (const node of stepsOf(nodes)) {
            if (expected.get(node) !== undefined) await world.build([node])
          }
          const before = world.done.length
          for (const node of stepsOf(nodes)) {
            if (expected.get(node) === undefined) continue
            const { solved } = await world.build([node])
            assert.deepEqual(solved.get(node)?.layers, expected.get(node))
          }
          assert.deepEqual(
            world.done.slice(before).filter((name) => !name.includes('anew')),
            [],
          )
        },
      ),
      { numRuns: 120 },
    )
  })

  it('leaves no layer that nothing needs, whatever was cancelled', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(stepShape, { minLength: 2, maxLength: 6 }),
        fc.array(buildShape, { minLength: 1, maxLength: 3 }),
        fc.nat(),
        async (shapes, builds, seed) => {
          const world = new SolveWorld()
          const nodes = graphOf(shapes, await world.image('base'))
          await together(world, nodes, builds, seed)
          const { snapshots, store } = world.images
          const known = new Set(store.layers.sizes().keys())
          for await (const { diffId } of snapshots.layers()) assert.ok(known.has(diffId), diffId)
          // And all of it can be removed.
          await world.cache.remove((await world.cache.usage()).map(({ id }) => id))
          assert.equal((await Array.fromAsync(snapshots.layers())).length, 1)
        },
      ),
      { numRuns: 60 },
    )
  })
})
