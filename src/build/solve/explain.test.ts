import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { digestOf } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import { context, copyStep, directoryStep, runStep, scratch, SolveWorld } from '#test/support/solve-world.ts'
import type { Filesystem } from '../graph/operations.ts'

/** Builds the first, does something, builds the second, and gives the reasons of that. */
async function missesBetween(
  first: Filesystem,
  second: Filesystem,
  meanwhile: (world: SolveWorld) => void | Promise<void> = () => undefined,
) {
  const world = new SolveWorld()
  for (const path of ['src/b', 'src/c', 'src/d']) world.files.set(path, '1')
  await world.build([first])
  await meanwhile(world)
  const { misses } = await world.build([second])
  // What is the same the third time needs no reason.
  assert.deepEqual((await world.build([second])).misses, [])
  return misses
}

const labelled = (instruction: string, args: Record<string, string> = {}) => ({
  label: { instruction, args },
})

describe('a miss', () => {
  it('of a build that was never done is new, step by step', async () => {
    const world = new SolveWorld()
    const { misses } = await world.build([runStep(runStep(scratch, 'a', { label: { line: 3 } }), 'b')])
    assert.deepEqual(misses, [
      { step: '[stage-0] RUN a', line: 3, reason: 'new' },
      { step: '[stage-0] RUN b', line: 1, reason: 'new' },
    ])
  })

  it('names exactly the file that was touched, and then what stands on it', async () => {
    const graph = runStep(copyStep(directoryStep(scratch, '/srv'), context, 'src'), 'make')
    const misses = await missesBetween(graph, graph, (world) => void world.files.set('src/c', '2'))
    assert.deepEqual(misses, [
      {
        step: '[stage-0] COPY src /',
        line: 1,
        reason: 'file',
        subject: 'src/c',
        before: digestOf('1'),
        after: digestOf('2'),
      },
      { step: '[stage-0] RUN make', line: 1, reason: 'parent', subject: '[stage-0] COPY src /' },
    ])
  })

  it('names what changed before what came and went, and how many more', async () => {
    const graph = copyStep(scratch, context, 'src')
    const [miss] = await missesBetween(graph, graph, ({ files }) => {
      files.delete('src/b')
      files.set('src/a', '1')
      files.set('src/d', '2')
    })
    assert.deepEqual([miss?.subject, miss?.more], ['src/d', 2])
    const [added] = await missesBetween(graph, graph, ({ files }) => void files.set('src/a', '1'))
    assert.deepEqual(
      [added?.subject, added?.before, added?.after, added?.more],
      ['src/a', undefined, digestOf('1'), undefined],
    )
    const [removed] = await missesBetween(graph, graph, ({ files }) => void files.delete('src/d'))
    assert.deepEqual([removed?.subject, removed?.before, removed?.after], ['src/d', digestOf('1'), undefined])
  })

  it('names the file of a stage, or of a mount', async () => {
    const stage = (name: string) =>
      copyStep(scratch, context, name, { label: { stage: 'build', instruction: 'COPY' } })
    const from = (name: string) => copyStep(scratch, stage(name), '.', labelled('COPY --from'))
    const copied = await missesBetween(from('a'), from('a'), ({ files }) => void files.set('a', '2'))
    assert.deepEqual(
      copied.map(({ reason }) => reason),
      ['file', 'file'],
    )
    const mounted = runStep(scratch, 'make', {
      mounts: [{ type: 'bind', from: context, source: '/src', target: '/m', readOnly: true }],
    })
    const [miss] = await missesBetween(mounted, mounted, ({ files }) => void files.set('src/b', '2'))
    assert.deepEqual([miss?.reason, miss?.subject], ['file', 'src/b'])
  })

  it('names the stage of which all is mounted', async () => {
    const graph = (command: string) =>
      runStep(scratch, 'make', {
        mounts: [
          {
            type: 'bind',
            from: runStep(scratch, command, { label: { stage: 'build', instruction: 'RUN' } }),
            source: '/',
            target: '/m',
            readOnly: true,
          },
        ],
      })
    const misses = await missesBetween(graph('a'), graph('b'))
    assert.deepEqual(
      misses.map(({ reason, subject }) => [reason, subject]),
      [
        ['instruction', 'SHELL'],
        ['parent', '[build] RUN'],
      ],
    )
  })

  it('names the argument, and its values', async () => {
    const graph = (version: string) =>
      runStep(scratch, 'make', { env: [`V=${version}`], ...labelled('RUN make', { V: version, W: 'x' }) })
    assert.deepEqual(await missesBetween(graph('1'), graph('2')), [
      { step: '[stage-0] RUN make', line: 1, reason: 'argument', subject: 'V', before: '1', after: '2' },
    ])
  })

  it('shows the instruction as it was and as it is', async () => {
    const [miss, ...others] = await missesBetween(
      runStep(runStep(scratch, 'a'), 'old'),
      runStep(runStep(scratch, 'a'), 'new'),
    )
    assert.deepEqual(others, [])
    assert.deepEqual(miss, {
      step: '[stage-0] RUN new',
      line: 1,
      reason: 'instruction',
      before: 'RUN old',
      after: 'RUN new',
    })
  })

  it('is new for one that was put between others, which are what they were', async () => {
    const misses = await missesBetween(
      runStep(runStep(scratch, 'a'), 'b'),
      runStep(runStep(runStep(scratch, 'a'), 'between'), 'b'),
    )
    assert.deepEqual(
      misses.map(({ reason, subject }) => [reason, subject]),
      [
        ['new', undefined],
        ['parent', '[stage-0] RUN between'],
      ],
    )
  })

  it('names what an instruction without a layer has changed', async () => {
    const plain = runStep(scratch, 'make', { env: ['PATH=/bin'] })
    const cases = [
      [{ env: ['PATH=/usr/bin'] }, 'ENV PATH', '/bin', '/usr/bin'],
      [{ env: ['PATH=/bin', 'X=1'] }, 'ENV X', undefined, '1'],
      [{ env: ['PATH=/bin'], cwd: '/srv' }, 'WORKDIR', '/', '/srv'],
      [{ env: ['PATH=/bin'], user: 'me' }, 'USER', '', 'me'],
      [{ env: ['PATH=/bin'], args: ['/bin/bash', '-c', 'make'] }, 'SHELL', undefined, undefined],
      [{ env: ['PATH=/bin'], network: 'none' as const }, '--network', 'default', 'none'],
    ] as const
    for (const [change, subject, before, after] of cases) {
      const [miss] = await missesBetween(plain, runStep(scratch, 'make', change))
      assert.deepEqual([miss?.reason, miss?.subject], ['instruction', subject])
      if (after !== undefined) assert.deepEqual([miss?.before, miss?.after], [before, after])
    }
  })

  it('names the image that is another one', async () => {
    const world = new SolveWorld()
    const [one, two] = [await world.image('one'), await world.image('two')]
    const graph = (image: typeof one) => runStep(runStep({ ...image, name: 'debian' }, 'a'), 'b')
    await world.build([graph(one)])
    const { misses } = await world.build([graph(two)])
    assert.deepEqual(misses, [
      { step: '[stage-0] RUN a', line: 1, reason: 'image', subject: 'debian', before: one.id, after: two.id },
      { step: '[stage-0] RUN b', line: 1, reason: 'parent', subject: '[stage-0] RUN a' },
    ])
  })

  it('says that it was asked for', async () => {
    const graph = (uncached: boolean) => runStep(scratch, 'a', { label: { uncached } })
    const world = new SolveWorld()
    await world.build([graph(false)])
    const { misses } = await world.build([graph(true)])
    assert.deepEqual(
      misses.map(({ reason }) => reason),
      ['disabled'],
    )
  })

  it('says that the result was removed, or that its layer is damaged', async () => {
    const graph = runStep(runStep(scratch, 'a'), 'b')
    const pruned = await missesBetween(graph, graph, async ({ cache }) => {
      await cache.remove((await cache.usage()).map(({ id }) => id))
    })
    assert.deepEqual(
      pruned.map(({ reason }) => reason),
      ['evicted', 'evicted'],
    )
    const damaged = await missesBetween(graph, graph, async ({ images: { snapshots } }) => {
      for await (const { diffId } of snapshots.layers()) snapshots.corrupt(diffId)
      for await (const { diffId } of snapshots.layers()) await snapshots.checkLayer(diffId)
    })
    assert.deepEqual(
      damaged.map(({ reason }) => reason),
      ['evicted', 'evicted'],
    )
  })

  it('compares with the last build that came so far', async () => {
    const world = new SolveWorld()
    const graph = (command: string) => runStep(copyStep(scratch, context, 'a'), command)
    await world.build([graph('make')])
    world.files.set('a', '2')
    await assert.rejects(world.build([graph('fail')]))
    // That COPY has been done since; what stands on it has not.
    const { misses } = await world.build([graph('make')])
    assert.deepEqual(
      misses.map(({ reason, subject }) => [reason, subject]),
      [['parent', '[stage-0] COPY a /']],
    )
  })

  it('is of the build with the same name, and of no other', async () => {
    const world = new SolveWorld()
    await world.build([copyStep(scratch, context, 'a')], { slot: 'one' })
    world.files.set('a', '2')
    const { misses } = await world.build([copyStep(scratch, context, 'a')], { slot: 'two' })
    assert.deepEqual(
      misses.map(({ reason }) => reason),
      ['new'],
    )
    world.files.set('a', '3')
    const again = await world.build([copyStep(scratch, context, 'a')], { slot: undefined })
    assert.deepEqual(
      again.misses.map(({ reason }) => reason),
      ['new'],
    )
  })

  it('survives a memory that cannot be read', async () => {
    const world = new SolveWorld()
    await world.build([copyStep(scratch, context, 'a')])
    world.images.db.run("UPDATE build_memories SET document = x'00'")
    world.images.db.run("UPDATE build_files SET list = x'00'")
    world.files.set('a', '2')
    const { misses } = await world.build([copyStep(scratch, context, 'a')])
    assert.deepEqual(
      misses.map(({ reason }) => reason),
      ['new'],
    )
  })
})

describe('what is remembered', () => {
  it('fails no build when the disk is full, and hides no failure', async () => {
    const world = new SolveWorld()
    world.cache.memories.put = () => {
      throw new EngineError('resource_exhausted', 'no space left on device', { code: 'DATABASE_FULL' })
    }
    const { solved } = await world.build([copyStep(scratch, context, 'a')])
    assert.equal(solved.size, 2)
    await assert.rejects(world.build([runStep(copyStep(scratch, context, 'a'), 'fail')]), /RUN fail/)
  })

  it('is written only when it changed', async () => {
    const world = new SolveWorld()
    await world.build([copyStep(scratch, context, 'a')])
    const written = () =>
      world.images.db.get<{ used_at: number }>('SELECT used_at FROM build_memories')?.used_at
    const before = written()
    await world.clock.advance(1000)
    await world.build([copyStep(scratch, context, 'a')])
    assert.equal(written(), before)
  })

  it('are long lists of the last build alone, though results of others have them', async () => {
    const world = new SolveWorld()
    for (let i = 0; i < 3000; i++) world.files.set(`many/${i}`, String(i))
    for (const content of ['x', 'y', 'z']) {
      world.files.set('many/0', content)
      await world.build([copyStep(scratch, context, 'many')])
    }
    const lists = world.images.db.all<{ size: number }>('SELECT length(list) AS size FROM build_files')
    assert.equal(lists.length, 1)
    assert.ok(lists[0]!.size > 64 * 1024)
    world.files.set('many/0', 'x')
    world.files.set('many/1', 'changed')
    const { misses } = await world.build([copyStep(scratch, context, 'many')])
    assert.deepEqual(
      misses.map(({ subject, more }) => [subject, more]),
      [['many/0', 1]],
    )
  })

  it('are the lists of files of the last builds alone', async () => {
    const world = new SolveWorld()
    for (let i = 0; i < 5; i++) {
      world.files.set('a', String(i))
      await world.build([copyStep(scratch, context, 'a')])
    }
    const lists = (): number => world.images.db.all('SELECT digest FROM build_files').length
    // Those of results that are still in the cache, too.
    assert.equal(lists(), 5)
    await world.cache.remove((await world.cache.usage()).map(({ id }) => id))
    assert.equal(lists(), 1)
  })
})
