import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EngineError, isKind } from '#base/errors.ts'
import type { Filesystem } from '../graph/operations.ts'
import { context, copyStep, directoryStep, runStep, scratch, SolveWorld } from '#test/support/solve-world.ts'
import type { BuildProgress } from '../progress/progress.ts'

describe('Solver.solve()', () => {
  it('does what the target needs, bottom first, and nothing else', async () => {
    const world = new SolveWorld()
    const base = await world.image('base')
    const built = runStep(copyStep(base, context, 'a', { label: { stage: 'build' } }), 'make', {
      label: { stage: 'build' },
    })
    runStep(base, 'nobody needs it', { label: { stage: 'unused' } })
    const top = copyStep(directoryStep(base, '/srv'), built, '.')

    const { solved } = await world.build([top])

    assert.deepEqual(world.done.toSorted(), ['COPY . /', 'COPY a /', 'RUN make', 'WORKDIR /srv'])
    assert.deepEqual(solved.get(top)?.layers, await world.evaluate(top))
    assert.equal(solved.get(top)?.layers.length, 3)
    assert.equal(solved.get(top)?.cached, false)
  })

  it('does nothing the second time, and says of every step that it was there', async () => {
    const world = new SolveWorld()
    const base = await world.image('base')
    const built = runStep(copyStep(base, context, 'a', { label: { stage: 'build' } }), 'make', {
      label: { stage: 'build' },
    })
    const top = copyStep(directoryStep(base, '/srv'), built, '.')
    const first = await world.build([top])
    world.done.length = 0

    const second = await world.build([structuredClone(top)])

    assert.deepEqual(world.done, [])
    assert.deepEqual(second.misses, [])
    assert.deepEqual(second.cached.toSorted(), [
      '[build] COPY a /',
      '[build] RUN make',
      '[stage-0] COPY . /',
      '[stage-0] WORKDIR /srv',
    ])
    assert.deepEqual([...second.solved.values()].at(-1)?.layers, first.solved.get(top)?.layers)
  })

  it('does one thing once, though the graph has it twice', async () => {
    const world = new SolveWorld()
    const top = copyStep(runStep(scratch, 'make'), runStep(scratch, 'make'), '.')
    await world.build([top, runStep(scratch, 'make')])
    assert.deepEqual(world.done, ['RUN make', 'COPY . /'])
  })

  it('leaves alone what stands on a stage that was built again to the same files', async () => {
    const world = new SolveWorld()
    const graph = (uncached: boolean) =>
      copyStep(scratch, runStep(scratch, 'make', { label: { stage: 'build', uncached } }), '.')
    await world.build([graph(false)])
    const { cached } = await world.build([graph(true)])
    assert.deepEqual(world.done, ['RUN make', 'COPY . /', 'RUN make'])
    assert.deepEqual(cached, ['[stage-0] COPY . /'])
  })

  it('finds by content what is defined in another way', async () => {
    const world = new SolveWorld()
    const base = await world.image('base')
    const other = await world.image('base')
    const on = (image: typeof base) => runStep(image, 'make')
    await world.build([on(base)])
    world.done.length = 0
    const { cached } = await world.build([on({ ...other, id: `sha256:${'7'.repeat(64)}` })])
    assert.deepEqual(world.done, [])
    assert.deepEqual(cached, ['[stage-0] RUN make'])
  })

  it('keeps what changed nothing as such', async () => {
    const world = new SolveWorld()
    const top = runStep(scratch, 'nothing')
    const { solved } = await world.build([top])
    assert.deepEqual(solved.get(top)?.layers, [])
    const again = await world.build([top])
    assert.equal(again.solved.get(top)?.cached, true)
    assert.equal(again.solved.get(top)?.layer, undefined)
  })

  it('does an uncached step again, once in a build, and what stands on it by content', async () => {
    const world = new SolveWorld()
    const graph = (uncached: boolean) =>
      runStep(runStep(scratch, 'random', { label: { uncached } }), 'make', {})
    await world.build([graph(false)])
    await world.build([graph(false)])
    assert.deepEqual(world.done, ['RUN random', 'RUN make'])

    const { misses } = await world.build([graph(true), graph(true)])
    assert.deepEqual(world.done.slice(2), ['RUN random', 'RUN make'])
    assert.deepEqual(
      misses.map(({ reason, subject }) => [reason, subject]),
      [
        ['disabled', undefined],
        ['parent', '[stage-0] RUN random'],
      ],
    )
    // What it has come to is what builds find from now on.
    await world.build([graph(false)])
    assert.equal(world.done.length, 4)
  })

  it('builds a stage anew that is uncached, though what was taken from it is known', async () => {
    const world = new SolveWorld()
    const graph = (uncached: boolean) =>
      copyStep(scratch, runStep(scratch, 'random', { label: { stage: 'build', uncached } }), '.')
    await world.build([graph(false)])
    await world.build([graph(true)])
    assert.deepEqual(world.done, ['RUN random', 'COPY . /', 'RUN random', 'COPY . /'])
  })

  it('puts no layer on others than it was made on, though its definition is the same', async () => {
    const world = new SolveWorld()
    const below = runStep(scratch, 'random')
    const top = runStep(below, 'make')
    const { solved } = await world.build([top])
    const [id] = await idsOf(world, '[stage-0] RUN random')
    await world.cache.remove([id!])

    const again = await world.build([top])

    assert.deepEqual(world.done, ['RUN random', 'RUN make', 'RUN random', 'RUN make'])
    assert.notDeepEqual(again.solved.get(top)?.layers, solved.get(top)?.layers)
    assert.deepEqual(
      again.misses.map(({ reason }) => reason),
      ['evicted', 'parent'],
    )
  })

  it('takes COPY --link along to another base, unless it asks for a name there', async () => {
    const world = new SolveWorld()
    const [one, two] = [await world.image('one'), await world.image('two')]
    await world.build([copyStep(one, context, 'a', { link: true, owner: '1:2' })])
    await world.build([copyStep(one, context, 'a', { link: true, owner: 'me' })])
    world.done.length = 0
    const moved = copyStep(two, context, 'a', { link: true, owner: '1:2' })
    const { solved } = await world.build([moved])
    assert.deepEqual(world.done, [])
    assert.deepEqual(solved.get(moved)?.layers.slice(0, 1), two.layers)
    await world.build([copyStep(two, context, 'a', { link: true, owner: 'me' })])
    assert.equal(world.done.length, 1)
  })

  it('runs independent steps side by side, as many as there are slots', async () => {
    const world = new SolveWorld({ slots: 3 })
    const gates = new Map<string, () => void>()
    world.gate = (what) =>
      what.startsWith('begin') ? new Promise((resolve) => gates.set(what, resolve)) : Promise.resolve()
    const top = ['a', 'b', 'c', 'd'].reduce(
      (on, name) =>
        copyStep(on, runStep(scratch, name, { label: { stage: name } }), '.', { destination: `/${name}` }),
      scratch as Parameters<typeof copyStep>[0],
    )
    const building = world.build([top])
    while (gates.size < 3) await turn()
    for (let i = 0; i < 20; i++) await turn()
    assert.equal(gates.size, 3)
    world.gate = async () => undefined
    for (const open of gates.values()) open()
    await building
    assert.equal(world.busy.most, 3)
  })

  it('fails with the step, its line and the end of its output; others end first', async () => {
    const world = new SolveWorld()
    let released = false
    world.gate = async (what, signal) => {
      if (what !== 'begin RUN slow') return
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      released = true
    }
    const failing = runStep(scratch, 'fail', { label: { stage: 'build', line: 7 } })
    const top = copyStep(runStep(scratch, 'slow'), failing, '.')
    const progress: BuildProgress[] = []

    await assert.rejects(world.build([top], { report: (each) => progress.push(each) }), (error) => {
      assert.ok(error instanceof EngineError)
      assert.equal(error.code, 'BUILD_RUN_FAILED')
      assert.match(
        error.message,
        /^\[build\] RUN fail \(line 7\): process .* exit code: 3\n {2}\| output of fail\n {2}\| it went wrong$/,
      )
      assert.deepEqual(
        [error.details['exitCode'], error.details['line'], error.details['output']],
        [3, 7, 'output of fail\nit went wrong'],
      )
      return true
    })
    assert.equal(released, true)
    const ended = progress.flatMap((each) =>
      each.type === 'vertex' && each.completed !== undefined ? each : [],
    )
    assert.deepEqual(
      ended.map(({ name, error }) => [name, error?.split('\n')[0]]),
      [['[build] RUN fail', 'process "/bin/sh -c fail" did not complete successfully: exit code: 3']],
    )
    assert.deepEqual(world.busy, { steps: 0, most: 2, sources: 0 })
    assert.deepEqual(
      (await world.cache.usage()).map(({ description }) => description),
      [],
    )
  })

  it('says which step wants a file that is not there, before others have ended', async () => {
    const world = new SolveWorld()
    world.gate = (_what, signal) =>
      new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
      )
    const top = copyStep(runStep(scratch, 'slow'), context, 'missing', { label: { line: 3 } })
    await assert.rejects(
      world.build([top]),
      /^EngineError.*: \[stage-0\] COPY missing \/ \(line 3\): "\/missing": not found$/,
    )
    assert.equal(world.busy.sources, 0)
  })

  it('ends with its signal, keeps what was done, and goes on there', async () => {
    const world = new SolveWorld()
    const abort = new AbortController()
    world.gate = async (what, signal) => {
      if (what !== 'begin RUN second') return
      setImmediate(() => abort.abort(new Error('gone')))
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      signal.throwIfAborted()
    }
    const top = runStep(runStep(scratch, 'first'), 'second')
    await assert.rejects(world.build([top], { signal: abort.signal }), /gone/)
    world.gate = async () => undefined
    await world.build([top])
    assert.deepEqual(world.done, ['RUN first', 'RUN second', 'RUN second'])
    assert.equal(world.images.store.collector.isHeld, false)
  })
})

describe('a step whose result cannot be recorded', () => {
  it('fails, and its layer goes', async () => {
    const world = new SolveWorld()
    world.cache.record = () =>
      Promise.reject(
        new EngineError('resource_exhausted', 'no space left on device', { code: 'DATABASE_FULL' }),
      )
    await assert.rejects(world.build([runStep(scratch, 'make')]), (error) =>
      isKind(error, 'resource_exhausted'),
    )
    assert.deepEqual(world.done, ['RUN make'])
    assert.deepEqual(await Array.fromAsync(world.images.snapshots.layers()), [])
  })

  it('is done once more when its layer was removed meanwhile, and no more than that', async () => {
    const world = new SolveWorld()
    const record = world.cache.record.bind(world.cache)
    let lost = 1
    world.cache.record = async (made) => {
      if (lost-- > 0) await world.images.snapshots.removeLayer(made.layer!)
      return record(made)
    }
    const { solved } = await world.build([runStep(scratch, 'make')])
    assert.deepEqual([solved.size, world.done.length], [2, 2])
    lost = 2
    await assert.rejects(
      world.build([runStep(scratch, 'other')]),
      /its layer was removed meanwhile; build again/,
    )
    assert.equal(world.done.length, 4)
  })
})

describe('two builds at once', () => {
  it('do the same step once, and both see its output', async () => {
    const world = new SolveWorld()
    const open = Promise.withResolvers<void>()
    world.gate = (what) => (what.startsWith('end') ? open.promise : Promise.resolve())
    const first = world.build([runStep(scratch, 'make')])
    while (world.done.length === 0) await turn()
    const second = world.build([runStep(scratch, 'make', { label: { line: 9 } })])
    for (let i = 0; i < 20; i++) await turn()
    open.resolve()
    const both = await Promise.all([first, second])
    assert.deepEqual(world.done, ['RUN make'])
    for (const { progress } of both) {
      const output = progress.flatMap((each) =>
        each.type === 'log' ? Buffer.from(each.data).toString() : [],
      )
      assert.deepEqual(output, ['output of make\n'])
    }
  })

  it('go on when the one that began has left, which ends only then', async () => {
    const world = new SolveWorld()
    const open = Promise.withResolvers<void>()
    world.gate = async (what, signal) => {
      if (!what.startsWith('end')) return
      await open.promise
      signal.throwIfAborted()
    }
    const abort = new AbortController()
    let firstEnded = false
    const first = world
      .build([runStep(scratch, 'make')], { signal: abort.signal })
      .finally(() => (firstEnded = true))
    while (world.done.length === 0) await turn()
    const second = world.build([runStep(scratch, 'make')])
    for (let i = 0; i < 20; i++) await turn()
    abort.abort(new Error('gone'))
    for (let i = 0; i < 20; i++) await turn()
    assert.equal(firstEnded, false)
    open.resolve()
    await assert.rejects(first, /gone/)
    assert.equal((await second).solved.size, 2)
    assert.deepEqual(world.done, ['RUN make'])
  })

  it('do not share what one of them lacks', async () => {
    const world = new SolveWorld()
    let refuse = true
    const open = Promise.withResolvers<void>()
    world.gate = async (what) => {
      if (what.startsWith('begin')) await open.promise
      if (what.startsWith('end') && refuse) {
        refuse = false
        throw new EngineError('not_found', 'secret x: not found', { code: 'BUILD_SECRET_MISSING' })
      }
    }
    const first = world.build([runStep(scratch, 'make')])
    while (world.done.length === 0) await turn()
    const second = world.build([runStep(scratch, 'make')])
    for (let i = 0; i < 20; i++) await turn()
    open.resolve()
    await assert.rejects(first, (error) => isKind(error, 'not_found'))
    assert.equal((await second).solved.size, 2)
  })
})

describe('files that change between being looked at and being taken', () => {
  /** Builds while `a` becomes `2` as soon as the step begins, and again with `a` as it was. */
  async function raced(graph: () => Filesystem, step: string) {
    const world = new SolveWorld()
    world.gate = async (what) => {
      if (what === `begin ${step}`) world.files.set('a', '2')
    }
    const during = await world.build([graph()])
    world.gate = async () => undefined
    const changed = graph()
    const after = await world.build([changed])
    world.files.set('a', '1')
    const again = graph()
    const { solved } = await world.build([again])
    assert.deepEqual(solved.get(again)?.layers, await world.evaluate(again))
    world.files.set('a', '2')
    assert.deepEqual(after.solved.get(changed)?.layers, await world.evaluate(changed))
    return { world, during }
  }

  it('are in the layer, which nobody finds by what they were', async () => {
    const { during } = await raced(() => copyStep(scratch, context, 'a'), 'COPY a /')
    const [copied] = [...during.solved.values()].filter(({ layer }) => layer !== undefined)
    assert.equal(copied?.asDefined, false)
  })

  it('are seen by what is made of them, which nobody finds either', async () => {
    const mount = { type: 'bind', from: context, source: '/', target: '/src', readOnly: true } as const
    const copy = () => copyStep(scratch, context, 'a')
    await raced(() => runStep(copy(), 'make'), 'COPY a /')
    await raced(() => copyStep(scratch, runStep(copy(), 'make'), '.'), 'COPY a /')
    await raced(() => copyStep(scratch, copy(), '.', { link: true }), 'COPY a /')
    await raced(() => runStep(scratch, 'make', { mounts: [mount] }), 'RUN make')
    await raced(() => copyStep(scratch, runStep(scratch, 'make', { mounts: [mount] }), '.'), 'RUN make')
  })

  it('are not given to another build that waits for the step', async () => {
    const world = new SolveWorld()
    const open = Promise.withResolvers<void>()
    world.gate = () => open.promise
    const seen = new Map(world.files)
    const graph = () => copyStep(scratch, context, 'a')
    const first = world.build([graph()])
    while (world.done.length === 0) await turn()
    const other = graph()
    const second = world.build([other], { open: async () => world.opened(seen, 'build context') })
    for (let i = 0; i < 20; i++) await turn()
    world.files.set('a', '2')
    open.resolve()
    await first
    world.files.set('a', '1')
    assert.deepEqual((await second).solved.get(other)?.layers, await world.evaluate(other))
  })

  it('may be gone by the end of a RUN that mounts them', async () => {
    const world = new SolveWorld()
    const mount = { type: 'bind', from: context, source: '/a', target: '/a', readOnly: true } as const
    world.gate = async (what) => {
      if (what === 'end RUN make') queueMicrotask(() => world.files.clear())
    }
    const { solved } = await world.build([runStep(scratch, 'make', { mounts: [mount] })])
    assert.deepEqual([...solved.values()].map(({ asDefined }) => asDefined).includes(false), true)
  })
})

async function idsOf(world: SolveWorld, name: string): Promise<string[]> {
  return (await world.cache.usage()).filter(({ description }) => description === name).map(({ id }) => id)
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
