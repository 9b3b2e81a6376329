/** The build cache on the real kernel: what it keeps through kills, removals and damage, and what pruning frees. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { BuildMiss, BuildUpdate } from '#api/build-updates.ts'
import type { DiskAccount } from '#api/disk-account.ts'
import { hexOf } from '#base/digest.ts'
import { Client } from '#client/client.ts'
import { allocatedBytes } from '#store/usage/blocks.ts'
import { busyboxTar, member } from '#test/support/busybox-image.ts'
import { EngineApi } from '#test/support/engine-api.ts'

let api: EngineApi
let client: Client
let directory = ''

before(async () => {
  api = await EngineApi.start()
  client = new Client({ endpoint: { kind: 'unix', path: api.daemon.socket } })
  directory = mkdtempSync(join(tmpdir(), 'berth-build-cache-'))
})
after(async () => {
  client[Symbol.dispose]()
  await api[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

/** A context of its own for each test. */
function context(name: string, dockerfile: string, files: Readonly<Record<string, string>> = {}): string {
  const path = join(directory, name)
  for (const [file, text] of Object.entries({ Dockerfile: dockerfile, ...files })) {
    mkdirSync(dirname(join(path, file)), { recursive: true })
    writeFileSync(join(path, file), text)
  }
  return path
}

interface Built {
  readonly image: string
  /** Steps that were done, and those that were found, in order. */
  readonly done: string[]
  readonly cached: string[]
  readonly misses: BuildMiss[]
}

/** `onOutput` hears each piece of output as it comes. */
async function build(
  path: string,
  options: { readonly t?: string; readonly nocache?: boolean; readonly signal?: AbortSignal } = {},
  onOutput: (text: string) => void = () => undefined,
): Promise<Built> {
  const { signal, ...query } = options
  const extras = { context: { type: 'directory', path } }
  const last = new Map<string, Extract<BuildUpdate, { type: 'vertex' }>>()
  const misses: BuildMiss[] = []
  let image = ''
  for await (const update of client.builds.build({ query, extras, signal })) {
    if (update.type === 'vertex') last.set(update.id, update)
    if (update.type === 'log') onOutput(Buffer.from(update.data).toString())
    if (update.type === 'explanation') misses.push(update.miss)
    if (update.type === 'result') image = update.imageId ?? ''
  }
  const steps = [...last.values()].filter(({ name }) => /^\[(?!internal).*\d\] (?!FROM)/.test(name))
  const of = (cached: boolean): string[] =>
    steps.filter((step) => (step.cached === true) === cached).map(({ name }) => name.replace(/^\[.*?\] /, ''))
  return { image, done: of(false), cached: of(true), misses }
}

/** A RUN that says `waiting` and goes on when `go()` was called. */
function waitingFor(name: string): { readonly run: string; readonly go: () => void } {
  const run = `--mount=type=cache,id=${name},target=/gate echo waiting; until test -e /gate/go; do usleep 20000; done; rm /gate/go`
  const go = (): void => {
    const caches = join(api.daemon.marks.dataRoot, 'build/cache-mounts')
    for (const cache of readdirSync(caches)) writeFileSync(join(caches, cache, 'data/go'), '')
  }
  return { run, go }
}

async function layersOf(image: string): Promise<readonly string[]> {
  const { RootFS } = (await api.call('GET', `/images/${image}/json`)).json<{ RootFS: { Layers: string[] } }>()
  return RootFS.Layers
}

function layersOnDisk(): string[] {
  return readdirSync(join(api.daemon.marks.dataRoot, 'layers/sha256'))
}

async function fsck(repair: boolean): Promise<string[]> {
  const { text } = await api.call('POST', `/berth/fsck?repair=${Number(repair)}`)
  return text.split('\n').filter((line) => line.includes('"finding"'))
}

async function unexplained(): Promise<string[]> {
  const { Berth } = (await api.call('GET', '/system/df')).json<{ Berth: DiskAccount }>()
  return Berth.Unexplained.map(({ Path }) => Path)
}

async function prune(query = 'all=1'): Promise<{ CachesDeleted: string[]; SpaceReclaimed: number }> {
  const answer = await api.call('POST', `/build/prune?${query}`)
  const { CachesDeleted, SpaceReclaimed } = answer.json<{
    CachesDeleted: string[] | null
    SpaceReclaimed: number
  }>()
  return { CachesDeleted: CachesDeleted ?? [], SpaceReclaimed }
}

describe('the build cache', () => {
  it('makes a second build do nothing, and one with a changed file only what depends on it', async () => {
    const path = context(
      'plain',
      'FROM busybox AS build\nRUN echo tools > /tools\nCOPY src /src\nRUN cat /src/* > /out\nFROM busybox\nWORKDIR /srv\nCOPY --from=build /out /srv/out\nCOPY readme /srv/\n',
      { 'src/a': 'a', 'src/b': 'b', readme: 'r' },
    )
    const first = await build(path, { t: 'plain' })
    assert.equal(first.cached.length, 0)
    assert.ok(first.misses.every(({ reason }) => reason === 'new'))

    const second = await build(path, { t: 'plain' })
    assert.deepEqual([second.done, second.misses], [[], []])
    assert.equal(second.cached.length, 6)
    assert.equal(second.image, first.image)

    // Times are no part of what a file is.
    utimesSync(join(path, 'src/a'), 1, 1)
    assert.equal((await build(path, { t: 'plain' })).image, first.image)

    writeFileSync(join(path, 'src/b'), 'changed')
    const third = await build(path, { t: 'plain' })
    assert.deepEqual(third.misses[0]?.subject, 'src/b')
    assert.deepEqual(
      third.misses.filter(({ reason }) => reason === 'file').map(({ subject }) => subject),
      ['src/b', 'out'],
    )
    assert.deepEqual(third.cached.toSorted(), ['RUN echo tools > /tools', 'WORKDIR /srv'])
    writeFileSync(join(path, 'src/b'), 'b')
    assert.equal((await build(path, { t: 'plain' })).image, first.image)
  })

  it('keeps nothing by the name of what a file was when it changed during the build', async () => {
    const gate = waitingFor('edited')
    const path = context('edited', `FROM busybox\nRUN ${gate.run}\nCOPY file /file\nRUN cat /file`, {
      file: 'as it was',
    })
    const change = (text: string): void => {
      if (!text.includes('waiting')) return
      writeFileSync(join(path, 'file'), 'edited')
      gate.go()
    }
    const output: string[] = []
    await build(path, {}, (text) => {
      output.push(text)
      change(text)
    })
    assert.equal(output.at(-1), 'edited')

    writeFileSync(join(path, 'file'), 'as it was')
    const again: string[] = []
    const { done } = await build(path, {}, (text) => again.push(text))
    assert.deepEqual([done, again], [['COPY file /file', 'RUN cat /file'], ['as it was']])
  })

  it('keeps what was done when the daemon is killed in the step after it', async () => {
    const path = context(
      'killed',
      'FROM busybox\nRUN date > /first\nRUN echo waiting; test ! -e /first || sleep 1000\n',
    )
    const waiting = Promise.withResolvers<void>()
    const building = build(path, { t: 'killed' }, (text) => text.includes('waiting') && waiting.resolve())
    building.catch(() => undefined)
    await waiting.promise
    await api.daemon.down('SIGKILL')
    await assert.rejects(building)
    await api.daemon.up()
    await api.daemon.assertNoLeaks()
    assert.deepEqual(await unexplained(), [])
    assert.deepEqual(await fsck(false), [])

    context('killed', 'FROM busybox\nRUN date > /first\nRUN echo second\n')
    const { cached, done } = await build(path, { t: 'killed' })
    assert.deepEqual([cached, done], [['RUN date > /first'], ['RUN echo second']])
  })

  it('outlives the image, and is freed by prune, byte for byte', async () => {
    const path = context('pruned', 'FROM busybox\nRUN head -c 3000000 /dev/urandom > /random\n')
    const first = await build(path, { t: 'pruned' })
    const layers = await layersOf('pruned')
    // As long as the image has it, nothing is gained.
    const nothing = await prune('filters={"description":["urandom"]}')
    assert.deepEqual(nothing, { CachesDeleted: [], SpaceReclaimed: 0 })
    await api.call('DELETE', '/images/pruned')
    assert.deepEqual((await build(path)).image, first.image)
    await api.call('DELETE', `/images/${first.image}`)

    const root = api.daemon.marks.dataRoot
    const before = await allocatedBytes(join(root, 'layers'))
    const { CachesDeleted, SpaceReclaimed } = await prune('filters={"description":["urandom"]}')
    assert.equal(CachesDeleted.length, 1)
    assert.ok(SpaceReclaimed > 3_000_000)
    const freed = before - (await allocatedBytes(join(root, 'layers')))
    // The directory that holds all layers may shrink by a block.
    assert.ok(Math.abs(freed - SpaceReclaimed) <= 4096, `${freed} instead of ${SpaceReclaimed}`)
    assert.ok(!layersOnDisk().includes(hexOf(layers.at(-1) as `sha256:${string}`)))
    assert.deepEqual(
      (await build(path)).misses.map(({ reason }) => reason),
      ['evicted'],
    )
  })

  it('takes nothing from a running build, neither its results nor the image it stands on', async () => {
    await api.import('base', await busyboxTar(member({ path: 'of-base' }, 'x')))
    const gate = waitingFor('running')
    const path = context(
      'running',
      `FROM base\nRUN date > /running\nRUN ${gate.run}\nRUN cat /running /of-base\n`,
    )
    const waiting = Promise.withResolvers<void>()
    const building = build(path, { t: 'running' }, (text) => text.includes('waiting') && waiting.resolve())
    await waiting.promise
    await prune()
    await api.call('DELETE', '/images/base?force=1')
    assert.deepEqual((await prune()).CachesDeleted, [])
    // What others remove goes at once, however long the build takes.
    await api.import('other', await busyboxTar(member({ path: 'of-other' }, 'y')))
    const [other = ''] = await layersOf('other')
    await api.call('DELETE', '/images/other')
    assert.ok(!layersOnDisk().includes(other.slice('sha256:'.length)))
    const used = (await api.call('GET', '/system/df?type=build-cache')).text
    assert.match(used, /"InUse":true/)
    gate.go()
    assert.equal((await building).done.length, 3)
    assert.equal((await api.once({ Image: 'running', Cmd: 'cat /of-base' })).out, 'x')
    await api.import('base', await busyboxTar(member({ path: 'of-base' }, 'x')))
    const again = await build(path, { t: 'running' })
    assert.deepEqual(again.done, [])
  })

  it('is shared by builds at the same time: a step that both have is done once', async () => {
    const gate = waitingFor('shared')
    const path = context('shared', `FROM busybox\nRUN ${gate.run}; cat /proc/sys/kernel/random/uuid > /id\n`)
    const waiting = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const builds = waiting.map(({ resolve }, i) =>
      build(path, { t: `shared:${i}` }, (text) => text.includes('waiting') && resolve()),
    )
    await Promise.all(waiting.map(({ promise }) => promise))
    gate.go()
    await Promise.all(builds)
    assert.deepEqual(await layersOf('shared:0'), await layersOf('shared:1'))
  })

  it('goes on for the second build when the first is cancelled', async () => {
    const gate = waitingFor('left')
    const path = context('left', `FROM busybox\nRUN ${gate.run}; echo over > /over\n`)
    const abort = new AbortController()
    const waiting = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const first = build(
      path,
      { t: 'left:0', signal: abort.signal },
      (text) => text.includes('waiting') && waiting[0]?.resolve(),
    )
    first.catch(() => undefined)
    await waiting[0]?.promise
    const second = build(path, { t: 'left:1' }, (text) => text.includes('waiting') && waiting[1]?.resolve())
    await waiting[1]?.promise
    abort.abort(new Error('gone'))
    await assert.rejects(first)
    gate.go()
    assert.equal((await second).done.length, 1)
    await api.refused(404, 'GET', '/images/left:0/json')
  })

  it('forgets a result whose layer is damaged, and makes it again', async () => {
    const path = context('damaged', 'FROM busybox\nRUN date > /damaged\n')
    const { image } = await build(path)
    const layer = (await layersOf(image)).at(-1) as `sha256:${string}`
    await api.call('DELETE', `/images/${image}`)
    const tar = join(api.daemon.marks.dataRoot, 'layers/sha256', hexOf(layer), 'layer.tar')
    writeFileSync(tar, Buffer.alloc(1), { flag: 'r+' })
    const [found, ...others] = await fsck(false)
    assert.deepEqual(others, [])
    assert.match(found ?? '', /forget what builds have made with it|make it again from its archive/)
    assert.deepEqual(
      (await build(path)).misses.map(({ reason }) => reason),
      ['evicted'],
    )
    assert.deepEqual(await fsck(true), [])
  })

  it('leaves nothing unexplained, and nothing at all when it is pruned', async () => {
    assert.deepEqual(await unexplained(), [])
    const images = (await api.call('GET', '/images/json?all=1')).json<{ Id: string }[]>()
    for (const { Id } of images) await api.call('DELETE', `/images/${Id}?force=1`, undefined, 200, 404)
    await prune()
    assert.deepEqual(await unexplained(), [])
    assert.deepEqual(layersOnDisk(), [])
    assert.deepEqual(await fsck(false), [])
  })
})
